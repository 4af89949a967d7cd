"""The pipeline: load -> build -> inspect -> boot and measure -> judge -> render.

Each function is one arrow of the design, takes its input as data and can be run alone from files;
`check` runs them all. Effects (engine, progress, run) are passed in.
"""

from onegig.pipeline.build import build
from onegig.pipeline.inspect import inspect, inspect_archive, with_places
from onegig.pipeline.judge import judge_reports
from onegig.pipeline.load import load, load_limits
from onegig.pipeline.measure import measure_stack, warn_of_host_access
from onegig.pipeline.options import Options
from onegig.pipeline.session import session
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
