"""The registry of all indicators, read from compose.yml: a new one is tested like the others."""

import importlib
from pathlib import Path
from types import ModuleType
from typing import Any, NamedTuple

import yaml

from desk.indicator import Indicator
from desk.series import Settings

SERVICES = Path(__file__).parents[3] / "services"
COMPOSE = yaml.safe_load((SERVICES / "compose.yml").read_text())["services"]
FOLDERS = tuple(
    name for name, service in COMPOSE.items() if service["build"].get("target") == "intelligence"
)


class Kind(NamedTuple):
    """A service whose module holds one indicator."""

    service: str

    @property
    def module_name(self) -> str:
        """Name of the module and, in capitals, prefix of its settings."""
        return self.service.replace("-", "_")

    @property
    def script(self) -> Path:
        """The file that its container runs."""
        return SERVICES / self.service / f"{self.module_name}.py"

    @property
    def module(self) -> ModuleType:
        """The module, imported."""
        return importlib.import_module(self.module_name)

    @property
    def indicator(self) -> Any:
        """The class: the one in its module that reads streams."""
        (found,) = (
            item
            for item in vars(self.module).values()
            if isinstance(item, type)
            and item.__module__ == self.module_name
            and hasattr(item, "streams")
        )
        return found

    @property
    def stream(self) -> str:
        """The one stream that it reads."""
        (stream,) = self.indicator.streams
        return str(stream)

    def build(self, **settings: str) -> Indicator:
        """Return a new indicator with the settings given and defaults for the others."""
        return build(self.indicator, **settings)


KINDS = tuple(map(Kind, FOLDERS))


def build(indicator: Any, **settings: str) -> Any:
    """Return an indicator with the settings given, without its prefix, in place of defaults."""
    prefix = indicator.__module__.upper()
    environ = {f"{prefix}_{name}": value for name, value in settings.items()}
    return indicator(Settings(environ, prefix))
