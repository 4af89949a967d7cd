"""Do less at once: health checks less often, and a few containers started at a time.

A health check is a process of the engine (runc) and one in the container, for as long as it takes;
while containers start, each has one of runc's as well.
"""

import json
import re
from collections.abc import Iterator, Mapping
from typing import Any

from onegig.model.measured import Missing
from onegig.model.memory import MemoryReport
from onegig.model.plan import Action, Basis, Change, ChangeKind, Letter, Loss, Saving
from onegig.plan.case import Case

HEALTH, START = "health", "parallel"
PARALLEL = 3  # containers started at once
SECONDS = 30  # between two health checks; Docker's own default
START_SECONDS = 60  # in which checks stay frequent
START_INTERVAL_SINCE = 25  # of Docker Engine
LEAST_CONTAINERS = 6
LEAST_EXCESS_BYTES = 16 * 1024**2
_UNITS = {"h": 3600.0, "m": 60.0, "s": 1.0, "ms": 1e-3, "us": 1e-6, "ns": 1e-9}
# Without services of inactive profiles; what a service depends on starts with it.
COMMANDS = f"docker compose config --services | xargs -n {PARALLEL} docker compose up -d\n"
_SOURCE = "https://docs.docker.com/reference/dockerfile/#healthcheck"

Config = Mapping[str, Any]


def rarer_health_checks(case: Case) -> Iterator[Action]:
    """Yield one action for all services that are checked more often than every SECONDS.

    With the reference stack's checks every 30 s instead of every 16, no saving could be measured.
    """
    runc = next((part for part in case.memory.engine if part.name == "runc"), None)
    often = dict(_checked_often(case))
    if not often or runc is None or not runc.pss_bytes:
        return
    mean = sum(map(_interval, often.values())) / len(often)
    can_hurry = _major(case.memory.environment.engine_version) >= START_INTERVAL_SINCE
    services = {
        name: {"healthcheck": _keys(check, can_hurry=can_hurry)} for name, check in often.items()
    }
    yield Action(
        id=HEALTH,
        option=Letter.SQUEEZE,
        title=f"Check health every {SECONDS} s instead of every {mean:.0f} s",
        saving=Saving(
            bytes=0,  # checks that coincide make the peak: rarer ones still may
            low_bytes=0,
            high_bytes=runc.pss_bytes,
            basis=Basis.PREDICTED,
            source=_SOURCE,
        ),
        cost="a service that hangs is noticed later",
        loss=Loss.COMFORT,
        changes=(Change(kind=ChangeKind.COMPOSE, text=json.dumps({"services": services})),),
        services=tuple(often),
    )


def fewer_starts(case: Case) -> Iterator[Action]:
    """Yield the action that starts PARALLEL containers at a time, if the start's peak is high."""
    excess, count = start_excess(case.memory), sum(s.containers for s in case.memory.services)
    if excess < LEAST_EXCESS_BYTES or count < LEAST_CONTAINERS:
        return
    yield Action(
        id=START,
        option=Letter.SQUEEZE,
        title=f"Start {PARALLEL} services at a time",
        saving=Saving(
            bytes=0,
            low_bytes=0,
            high_bytes=0,
            basis=Basis.PREDICTED,
            source="the start's peak above that in operation",
        ),
        cost="the start takes longer",
        loss=Loss.COMFORT,
        changes=(Change(kind=ChangeKind.COMMANDS, text=COMMANDS),),
        start_bytes=excess * (count - PARALLEL) // count,
        tier_bytes=excess * (count - PARALLEL) // count,
    )


def start_excess(memory: MemoryReport) -> int:
    """Return what the peak while starting lies above that in operation; 0 where it is not known."""
    if isinstance(memory.boot, Missing):
        return 0
    highest = max((sample.total_bytes for sample in memory.samples), default=0)
    return max(0, memory.boot.total_bytes - highest)


def parse_seconds(text: str) -> float:
    """Return a duration of a compose file in seconds: "1m30s" is 90."""
    pairs = re.findall(r"([\d.]+)(h|ms|us|ns|m|s)", text)
    return sum(float(number) * _UNITS[unit] for number, unit in pairs)


def _checked_often(case: Case) -> Iterator[tuple[str, Config]]:
    """Yield the services whose health check the compose project sets, with the check."""
    if isinstance(case.stack, Missing):
        return
    configs = case.configs
    for service in case.stack.services:
        check: Config = (configs.get(service.name) or {}).get("healthcheck") or {}
        if service.has_healthcheck and 0 < _interval(check) < SECONDS:
            yield service.name, check


def _interval(check: Config) -> float:
    return parse_seconds(str(check.get("interval") or ""))


def _keys(check: Config, *, can_hurry: bool) -> dict[str, str]:
    """Return the keys of a health check; during the start it is as frequent as before if it can.

    A longer start and a pace of its own are left as they are.
    """
    keys = {"interval": f"{SECONDS}s"}
    if can_hurry and parse_seconds(str(check.get("start_period") or "")) < START_SECONDS:
        keys["start_period"] = f"{START_SECONDS}s"
    if can_hurry and not check.get("start_interval"):
        keys["start_interval"] = f"{_interval(check):g}s"
    return keys


def _major(version: str) -> int:
    major = version.partition(".")[0]
    return int(major) if major.isdecimal() else 0
