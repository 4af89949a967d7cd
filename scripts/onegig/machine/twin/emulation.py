"""Time for a machine whose processor is emulated: it may be ten times slower. Pure."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from onegig.machine.machine import BootPlan
from onegig.machine.project import BoxProject

BOOT_EXPECTED_SECONDS = 12.0  # until the machine is idle; time limits grow with the true figure
LEAST_SLOWDOWN, MOST_SLOWDOWN = 5.0, 20.0  # of an emulated processor, for time limits
# The least times of health checks if the processor is not slowed down at all: each starts three
# processes, and the checks of all containers must not be all that the machine does.
HEALTH_SECONDS = {"timeout": 6.0, "start_period": 25.0}
INTERVAL_SECONDS, CHECK_SECONDS = 1.5, 0.1  # at least, and for each container
PODMAN_WORK = 3  # times that of Docker, to start a container or a health check
# A sample takes an emulated processor up to a second, so that ten would be all that it does.
LEAST_HZ, SAMPLING = 1.0, 0.4  # half as many on a processor that is five times slower
_UNITS = {"h": 3600.0, "m": 60.0, "s": 1.0, "ms": 1e-3, "us": 1e-6, "µs": 1e-6, "ns": 1e-9}
_DURATION = re.compile(r"([\d.]+)(h|ms|us|µs|ns|m|s)")


def slowdown(boot_seconds: float) -> float:
    """Return the slowdown of the machine, from the time that it took to become idle."""
    return min(MOST_SLOWDOWN, max(LEAST_SLOWDOWN, boot_seconds / BOOT_EXPECTED_SECONDS))


def allow_time(
    plan: BootPlan,
    project: BoxProject,
    failures: Sequence[str],
    slowdown: float,
    *,
    start_interval: bool,
) -> tuple[BootPlan, BoxProject, str]:
    """Return plan and project with time limits for an emulated processor, and a remark about it.

    `start_interval`: the engine knows that key of health checks.
    """
    wanted = plan.budgets.measure.hz
    hz = min(wanted, max(LEAST_HZ, wanted / (SAMPLING * slowdown)))
    slowdown *= PODMAN_WORK if plan.budgets.engine.is_podman else 1
    limit = plan.budgets.measure.healthy_timeout_seconds * slowdown
    measure = replace(plan.budgets.measure, healthy_timeout_seconds=limit, hz=hz)
    least = least_times(sum(service.replicas for service in plan.stack.services), slowdown)
    if start_interval:
        least["start_interval"] = least["interval"]
    services = {  # without a check of its own, a service has its image's
        name: {**service, "healthcheck": lengthen(service.get("healthcheck") or {}, least)}
        for name, service in (project.config.get("services") or {}).items()
    }
    remark = (
        f"The twin's processor is emulated ({'; '.join(failures) or 'KVM was not tried'}): "
        f"health checks get at least {least['timeout']:.0f} s and run at most every "
        f"{least['interval']:.0f} s, the stack "
        f"gets {limit:.0f} s to become healthy, and {hz:.1f} samples per second are taken."
    )
    return (
        replace(plan, budgets=replace(plan.budgets, measure=measure)),
        replace(project, config={**project.config, "services": services}),
        remark,
    )


def least_times(containers: int, slowdown: float) -> dict[str, float]:
    """Return the least times of a health check, in seconds, on a processor that is so slow."""
    interval = max(INTERVAL_SECONDS, CHECK_SECONDS * containers)
    times = {**HEALTH_SECONDS, "interval": interval}
    return {key: seconds * slowdown for key, seconds in times.items()}


def lengthen(check: dict[str, Any], least: Mapping[str, float]) -> dict[str, Any]:
    """Return a health check with at least these times."""
    if check.get("disable"):
        return check
    longer = {key: max(limit, _seconds(str(check.get(key) or ""))) for key, limit in least.items()}
    return {**check, **{key: f"{limit:g}s" for key, limit in longer.items()}}


def _seconds(duration: str) -> float:
    """Return the seconds of a duration as Go writes them: "1m30s"."""
    return sum(float(number) * _UNITS[unit] for number, unit in _DURATION.findall(duration))
