"""onegig: will this compose stack fit a one-gigabyte cloud machine? Answered by measuring."""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from onegig.model.report import Report
    from onegig.pipeline import Options, check

__version__ = "0.1.0"
__all__ = ["Options", "Report", "__version__", "check"]


def __getattr__(name: str) -> Any:
    """Return a name of the library, imported when it is first used."""
    if name == "Report":
        from onegig.model.report import Report

        return Report
    if name in __all__:
        from onegig import pipeline

        return getattr(pipeline, name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
