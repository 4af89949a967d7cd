"""onegig: will this compose stack fit a one-gigabyte cloud machine? Answered by measuring."""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from onegig.model.options import Options
    from onegig.model.report import Report
    from onegig.pipeline import check

__version__ = "0.1.0"
__all__ = ["Options", "Report", "__version__", "check"]


def __getattr__(name: str) -> Any:
    """Return a name of the library, imported when it is first used."""
    rooms = {
        "Options": "onegig.model.options",
        "Report": "onegig.model.report",
        "check": "onegig.pipeline",
    }
    if name in rooms:
        return getattr(import_module(rooms[name]), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
