"""What tests of budgets.yml ask for: one to write, what reading it says, a stack to hold it to."""

from collections.abc import Callable
from pathlib import Path

import pytest

from onegig.config.budgets import load_budgets
from onegig.errors import ConfigError
from onegig.model.stack import Stack
from stacks import plain_service

Write = Callable[[str | bytes], Path]


@pytest.fixture
def write(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Write:
    """Writes budgets.yml into a folder of its own and gives its path as a user would."""
    monkeypatch.chdir(tmp_path)

    def put(text: str | bytes) -> Path:
        path = Path("budgets.yml")
        path.write_bytes(text.encode() if isinstance(text, str) else text)
        return path

    return put


@pytest.fixture
def mistakes() -> Callable[[Path], list[str]]:
    """The lines of the error that reading a budgets.yml ends in."""

    def read(path: Path) -> list[str]:
        with pytest.raises(ConfigError) as caught:
            load_budgets(path)
        return caught.value.detail.splitlines()

    return read


@pytest.fixture
def make_stack() -> Callable[..., Stack]:
    """A stack whose services have these names."""

    def make(*names: str) -> Stack:
        services = tuple(map(plain_service, names))
        return Stack(
            name="s", directory="/s", files=("compose.yml",), services=services, config_json="{}"
        )

    return make
