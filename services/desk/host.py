"""Runs the services that DESK_SERVICES names: one alone, or several in threads of one process.

A service by itself takes an interpreter and a container each time; together they share both. Each
still has its own connection to Redis, heartbeat file and name in the log. One that fails starts
again while the others run on, and until it works the container's health check names it.
"""

import os
from collections.abc import Mapping
from importlib import import_module

from desk.ballast import hold
from desk.features import idle, is_enabled
from desk.log import warn
from desk.service import Program, run
from desk.settings import read_common

VARIABLE = "DESK_SERVICES"


def main() -> int:
    """Run the named services until they are stopped; return the exit code, 2 for bad settings."""
    try:
        programs = load_programs(os.environ)
        if len(programs) == 1:
            return run(programs[0])
        common = read_common(os.environ)
        enabled = [program for program in programs if is_enabled(program.name, os.environ)]
        if not enabled:
            idle(common.heartbeat_path)
        hold(os.environ)
    except ValueError as error:
        warn(str(error))
        return 2
    from desk.crew import Crew  # threads, which a service by itself does not need

    return Crew(enabled, common).run()


def load_programs(environ: Mapping[str, str]) -> list[Program]:
    """Import the services that DESK_SERVICES lists, comma separated; raises ValueError."""
    names = dict.fromkeys(part.strip() for part in environ.get(VARIABLE, "").split(","))
    names.pop("", None)
    if not names:
        raise ValueError(f"{VARIABLE} is not set (write momentum, or momentum,regime)")
    return [_load(name) for name in names]


def _load(name: str) -> Program:
    module = name.replace("-", "_")
    try:
        program: Program = import_module(module).PROGRAM
    except (ModuleNotFoundError, AttributeError):
        raise ValueError(f"{VARIABLE}: {name!r} is not an intelligence service") from None
    return program
