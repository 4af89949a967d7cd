"""Repeated boots of one stack, and their combined result."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import reduce

from onegig.errors import OnegigError
from onegig.machine.machine import worst_state
from onegig.memory.summary import MOST_SAMPLES, thinned
from onegig.model.measured import Missing
from onegig.model.memory import BootPeak, BootTotals, Box, MemoryReport, Reboot, Start, WindowTotals
from onegig.model.service import READY, ServiceMemory, Trend

MORE_BOOTS = 2  # beyond those planned, at most
LEAST_SAMPLES = 100  # of a window that are kept, whatever the number of windows

Say = Callable[[str], None]
# Explains why the boots so far can't show whether a limit is kept, or "" if they can.
Doubt = Callable[[MemoryReport], str]


def no_doubt(_: MemoryReport) -> str:
    """Return "": the boots so far are enough."""
    return ""


def repeat(
    boot: Callable[[], MemoryReport], planned: int, say: Say, doubt: Doubt = no_doubt
) -> MemoryReport:
    """Boot as often as planned, and on while there is doubt, MORE_BOOTS times at most.

    An error of the first boot is raised. A later one ends the repeats and makes them incomplete.
    """
    reports, reason = list[MemoryReport](), ""
    while len(reports) < planned or reason:
        number = len(reports) + 1
        if planned > 1 or reason:
            say(f"{reason}: booting again" if reason else f"boot {number} of {planned}")
        try:
            reports.append(boot())
        except OnegigError as error:
            if not reports:
                raise
            gap = f"boot {number} failed: {error.message}"
            merged = merge_boots(reports)
            return replace(merged, incomplete=(*merged.incomplete, gap))
        is_open = planned <= len(reports) < planned + MORE_BOOTS
        reason = doubt(merge_boots(reports)) if is_open else ""
    return merge_boots(reports)


def merge_boots(reports: Sequence[MemoryReport]) -> MemoryReport:
    """Return the boot with the highest total, with the worst states of all boots."""
    top = max(reports, key=_high_bytes)
    services = _worst_services(top, reports)
    kills = sum(service.oom_kills for service in services)
    box = reduce(_worse_box, (report.box for report in reports), top.box)
    return replace(
        top,
        boots=tuple(map(_totals, reports)),
        windows=_windows(reports),
        services=services,
        box=replace(box, oom_kills=max(box.oom_kills, kills)),
        boot=max((report.boot for report in reports), key=_peak_bytes),
        start=max((report.start for report in reports), key=_trouble),
        redis=next((r.redis for r in reports if isinstance(r.redis, tuple)), top.redis),
        reboot=next((r.reboot for r in reports if isinstance(r.reboot, Reboot)), top.reboot),
        incomplete=tuple(dict.fromkeys(gap for report in reports for gap in report.incomplete)),
        notes=(
            *dict.fromkeys(note for report in reports for note in report.notes),
            *_notes(reports),
        ),
    )


def _high_bytes(report: MemoryReport) -> int:
    return max(window.high_bytes for window in report.windows)


def _peak_bytes(boot: BootPeak | Missing) -> int:
    return -1 if isinstance(boot, Missing) else boot.total_bytes


def _trouble(start: Start | Missing) -> tuple[int, bool, float]:
    return (-1, False, 0) if isinstance(start, Missing) else _order(start)


def _order(start: Start) -> tuple[int, bool, float]:
    return start.crowded, start.timed_out, start.seconds


def _totals(report: MemoryReport) -> BootTotals:
    high = _high_bytes(report)
    return BootTotals(
        seconds=report.window.boot_seconds,
        peak_bytes=max(high, _peak_bytes(report.boot)),
        high_bytes=high,
        failed=tuple(s.name for s in report.services if s.state not in READY),
        full=_ran_full(report),
    )


def _ran_full(report: MemoryReport) -> bool:
    """Return whether the machine was too small, not only a service's own limit."""
    at_limits = sum(service.oom_kills - service.full_kills for service in report.services)
    crowded = 0 if isinstance(report.start, Missing) else report.start.crowded
    return report.box.oom_kills > at_limits or crowded > 0


def _windows(reports: Sequence[MemoryReport]) -> tuple[WindowTotals, ...]:
    most = max(LEAST_SAMPLES, MOST_SAMPLES // sum(len(report.windows) for report in reports))
    return tuple(
        replace(window, boot=number, totals=tuple(thinned(window.totals, int, most)))
        for number, report in enumerate(reports, start=1)
        for window in report.windows
    )


def _worst_services(
    top: MemoryReport, reports: Sequence[MemoryReport]
) -> tuple[ServiceMemory, ...]:
    """Return the services with the memory of one boot and the worst state of all."""
    runs = zip(*(report.services for report in reports), strict=True)
    return tuple(_worst(own, boots) for own, boots in zip(top.services, runs, strict=True))


def _worst(own: ServiceMemory, boots: Sequence[ServiceMemory]) -> ServiceMemory:
    state = worst_state([boot.state for boot in boots])
    fate = max(
        (boot for boot in boots if boot.state is state),
        key=lambda boot: (boot.oom_kills, boot.restarts),
    )
    peaks = [boot.peak_bytes for boot in boots if isinstance(boot.peak_bytes, int)]
    return replace(
        own,
        state=state,
        peak_bytes=max(peaks) if peaks else own.peak_bytes,
        rss_min_bytes=min(boot.rss_min_bytes for boot in boots),
        rss_max_bytes=max(boot.rss_max_bytes for boot in boots),
        restarts=fate.restarts,
        oom_kills=fate.oom_kills,
        own_limit_kills=fate.own_limit_kills,
        exit_code=fate.exit_code,
        reason=fate.reason,
        health_log=fate.health_log,
        log_tail=fate.log_tail,
        waits_for=fate.waits_for,
        trend=_steepest([boot.trend for boot in boots]),
    )


def _steepest(trends: Sequence[Trend | Missing]) -> Trend | Missing:
    known = [trend for trend in trends if isinstance(trend, Trend)]
    return max(known, key=lambda t: (t.grows, t.low_bytes_per_second), default=trends[0])


def _worse_box(one: Box, another: Box) -> Box:
    marks = [box.peak_bytes for box in (one, another) if isinstance(box.peak_bytes, int)]
    return replace(
        one,
        peak_bytes=max(marks) if marks else one.peak_bytes,
        peak_anon_bytes=max(one.peak_anon_bytes, another.peak_anon_bytes),
        oom_kills=max(one.oom_kills, another.oom_kills),
        trend=_steepest([one.trend, another.trend]),
    )


def _notes(reports: Sequence[MemoryReport]) -> list[str]:
    """Name the services that ended differently from boot to boot."""
    notes = []
    for boots in zip(*(report.services for report in reports), strict=True):
        states = [boot.state for boot in boots]
        worst = worst_state(states)
        if worst not in READY and (count := states.count(worst)) < len(states):
            notes.append(f"{boots[0].name} was {worst} in {count} of {len(states)} boots")
    return notes
