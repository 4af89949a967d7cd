"""The pipeline: load -> build -> inspect -> boot and measure -> judge -> render.

Each function is one arrow of the design, takes its input as data and can be run alone from files;
`check` runs them all. Effects (engine, progress, run) are passed in.

A step is imported when it is first asked for: judging needs no engine, and where only that is done
(`onegig comment`, `onegig publish`) what talks to one is not installed. No file here may bear the
name of a function: Python would put the module in its place.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

from onegig.pipeline.options import Options

if TYPE_CHECKING:
    from onegig.pipeline.building import build
    from onegig.pipeline.inspection import inspect, inspect_archive, with_places
    from onegig.pipeline.judge import judge_reports
    from onegig.pipeline.loading import load, load_limits
    from onegig.pipeline.measure import measure_stack, warn_of_host_access
    from onegig.pipeline.sessions import session
    from onegig.pipeline.whole import attempt, check

__all__ = [
    "Options",
    "attempt",
    "build",
    "check",
    "inspect",
    "inspect_archive",
    "judge_reports",
    "load",
    "load_limits",
    "measure_stack",
    "session",
    "warn_of_host_access",
    "with_places",
]

_HOMES = {
    "attempt": "whole",
    "build": "building",
    "check": "whole",
    "inspect": "inspection",
    "inspect_archive": "inspection",
    "judge_reports": "judge",
    "load": "loading",
    "load_limits": "loading",
    "measure_stack": "measure",
    "session": "sessions",
    "warn_of_host_access": "measure",
    "with_places": "inspection",
}


def __getattr__(name: str) -> Any:
    """Return a step of the pipeline, imported with what it needs."""
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)
