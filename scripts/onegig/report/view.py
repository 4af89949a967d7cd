"""The view of a verdict that all renderers share: selected and ordered, failures first."""

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace

from onegig.model.budgets import METRIC_NAMES
from onegig.model.engines import EngineKind
from onegig.model.measured import Missing
from onegig.model.memory import MemoryReport
from onegig.model.report import Report
from onegig.model.service import ServiceMemory
from onegig.model.state import State
from onegig.model.twin import TwinMemory
from onegig.model.verdict import BESIDE, Check, Verdict
from onegig.report import comparison, numbers
from onegig.report.layout import Row, Table
from onegig.report.twin import describe_guest
from onegig.text import plain

ALIKE = 3  # warnings of one kind that are listed
NOT_BLOCKING = "does not block"
NOT_MEASURED = "not measured"
_WAIVED = re.compile(r"; waived until [\d-]+$")
_LIMITS = (  # one row each, in this order; of many subjects the one with the least room
    "memory.total", "memory.rss", "memory.boot", "memory.throttled", "memory.reboot",
    "memory.swap", "memory.tier", BESIDE,
    "memory.deploy",
    "memory.max_growth", "service.memory", "redis.memory", "service.max_growth", "images.total",
    "service.image", "image.max_growth",
    "image.efficiency", "image.wasted", "image.user_wasted", "image.dead", "image.base_dead",
    "image.vulnerabilities", "disk.total",
)  # fmt: skip


@dataclass(frozen=True, kw_only=True, slots=True)
class Problem:
    """A failing check with its place; `more` of its kind are left out after it.

    `remark` says why it is waived, that it is not new, or that it does not block.
    """

    check: Check
    inherited: bool = False
    remark: str = ""
    more: int = 0

    @property
    def message(self) -> str:
        """Return the check's message; that it is waived is in the remark, in full."""
        return _WAIVED.sub("", self.check.message) if self.check.waived else self.check.message

    @property
    def place(self) -> str:
        """Return where the limit comes from, or "" if that explains nothing."""
        return "" if isinstance(self.check.value, Missing) else limit_place(self.check)


def failing(verdict: Verdict) -> tuple[Check, ...]:
    """Return checks that did not pass: the worst state first, then by kind, least room first.

    Of checks with the same message only the first is kept.
    """
    bad = [check for check in verdict.checks if check.state is not State.GO and check.id != BESIDE]
    kinds = list(dict.fromkeys(check.id for check in bad))
    bad.sort(key=lambda check: (_room(check)[0], kinds.index(check.id), _room(check)))
    return tuple({check.message: check for check in reversed(bad)}.values())[::-1]


def problems(report: Report) -> tuple[Problem, ...]:
    """Return failing checks as they are listed: every failure, of other kinds the worst few.

    Those that the baseline had, too, come after the others of their state.
    """
    old = comparison.inherited(report)
    kinds: dict[tuple[int, bool, str], list[Check]] = {}
    for check in failing(report.verdict):
        known = (check.id, check.subject) in old
        kinds.setdefault((-check.state.rank, known, check.id), []).append(check)
    listed: list[Problem] = []
    for (rank, known, _), checks in sorted(kinds.items(), key=lambda kind: kind[0][:2]):
        are_all_listed = rank == -State.NO_GO.rank or len(checks) <= ALIKE + 1
        shown = len(checks) if are_all_listed else ALIKE
        why = f"inherited: {comparison.branch(report)} fails it, too" if known else ""
        for check in checks[:shown]:
            waived = f"waived {check.waived}" if check.waived else ""
            remarks = waived, why, "" if check.blocking else NOT_BLOCKING
            remark = "; ".join(filter(None, remarks))
            listed.append(Problem(check=check, inherited=known, remark=remark))
        listed[-1] = replace(listed[-1], more=len(checks) - shown)
    return tuple(listed)


def failing_title(checks: Sequence[Check]) -> str:
    """Return the heading over failing checks: a gap is not a fault."""
    gaps = all(check.state is State.INCOMPLETE for check in checks)
    return "Not measured" if gaps else "What is wrong"


def incomplete_reasons(report: Report) -> tuple[str, ...]:
    """Return why parts are missing, each reason once, without those that a failing check has."""
    memory = report.memory.incomplete if isinstance(report.memory, MemoryReport) else ()
    known = {check.message for check in failing(report.verdict)}
    reasons = dict.fromkeys((*report.verdict.incomplete, *memory))
    return tuple(reason for reason in reasons if reason not in known)


def failed_with_log(report: Report) -> tuple[ServiceMemory, ...]:
    """Return services whose last log lines were kept because they failed."""
    services = report.memory.services if isinstance(report.memory, MemoryReport) else ()
    return tuple(service for service in services if service.log_tail.strip())


def limits(report: Report) -> Table:
    """Return the totals, and of each kind of check the worst: now, against the branch, limit."""
    heads, deltas = ["", "now", "limit", "headroom"], comparison.deltas(report)
    is_compared = comparison.comparison(report) is not None
    if is_compared:
        heads.insert(2, f"vs {plain(comparison.branch(report), 24)}")
    rows = []
    for kind in _LIMITS:
        checks = [check for check in report.verdict.checks if check.id == kind]
        if not checks:
            continue
        worst = min(checks, key=_room)
        for check in checks if kind == BESIDE else (worst,):
            cells = list(_cells(check))
            if is_compared:
                cells.insert(1, comparison.check_cell(check, deltas))
            several = len(checks) > 1 and kind != BESIDE
            name = f"{check.title} (worst of {len(checks)})" if several else check.title
            rows.append(_row(check, name, cells))
    return Table(heads=tuple(heads), rows=tuple(rows))


def checks_table(verdict: Verdict) -> Table:
    """Return every check with its limit, and where that is set."""
    heads = ("check", "now", "limit", "headroom", "set in")
    rows = (
        _row(check, check.title, (*_cells(check), limit_place(check))) for check in verdict.checks
    )
    return Table(heads=heads, rows=tuple(rows), texts=1)


def _row(check: Check, name: str, cells: Sequence[str]) -> Row:
    """Return a check's row; a mere fact, which has no limit to keep to, gets no mark."""
    is_fact = check.limit is None and check.state is State.GO
    if check.state is not State.GO and not check.blocking:
        name = f"{name}, {NOT_BLOCKING}"
    return Row(name=name, cells=tuple(cells), state=None if is_fact else check.state)


def _cells(check: Check) -> tuple[str, str, str]:
    missing = isinstance(check.value, Missing)
    value = NOT_MEASURED if missing else numbers.check_value(check)
    return value, numbers.check_limit(check), numbers.check_headroom(check)


def limit_place(check: Check) -> str:
    """Return where the limit comes from, or "" if the check has none."""
    return "default limit" if check.where == "default" else check.where


def _room(check: Check) -> tuple[int, float]:
    """Order checks of a kind: if there is no limit, the larger has less room."""
    room, limit, value = check.headroom, check.limit, check.value
    if limit is None and isinstance(value, (int, float)):
        return -check.state.rank, -value if check.at_most else value
    share = room / limit if room is not None and limit else 0.0
    return -check.state.rank, share


def facts(report: Report) -> tuple[str, ...]:
    """Return lines about what was measured and compared, and how the headline was computed."""
    sha = report.review.head_sha if report.review else report.commit
    time = f"{report.created[:16].replace('T', ' ')} UTC"
    heading = numbers.joined(report.stack, f"commit {sha[:10]}" if sha else "", time)
    compared = comparison.compared_line(report), comparison.differences_line(report)
    return tuple(filter(None, (heading, *compared, _total_line(report), fit_line(report))))


def fit_line(report: Report) -> str:
    """Return how likely the stack fits, or "" if that was not computed."""
    checks = (check.message for check in report.verdict.checks if check.id == "memory.fit")
    return next(checks, "")


def _total_line(report: Report) -> str:
    """Return the line about how the headline was computed, with its range over all windows."""
    verdict, memory = report.verdict, report.memory
    if isinstance(verdict.total_bytes, Missing) or not isinstance(memory, MemoryReport):
        return ""
    window, spread = memory.window, ""
    if not isinstance(verdict.spread_bytes, Missing):
        low, high = map(numbers.memory, verdict.spread_bytes)
        spread = f" ({low.removesuffix(' MB')} to {high})"
    rss = next((check.value for check in verdict.checks if check.id == "memory.rss"), None)
    boots, windows = len(memory.boots), len(memory.windows)
    several = f"{windows} windows of " if windows > 1 else ""
    if boots > 1:
        several = f"{boots} boots{f', {windows} windows' if windows > boots else ''} of "
    metric = METRIC_NAMES.get(verdict.metric, verdict.metric)
    return numbers.joined(
        f"{metric} at the peak of {several}{numbers.seconds(window.seconds)}{spread}",
        f"{numbers.memory(int(rss))} by total RSS" if isinstance(rss, (int, float)) else "",
        f"{numbers.plural(window.samples, 'sample')} at {window.hz:g} Hz",
        f"load: {window.load}" if window.load else "no load",
    )


def environment_line(report: Report) -> str:
    """Return where the numbers come from; "" when nothing was measured."""
    known = next((r for r in (report.memory, report.images) if not isinstance(r, Missing)), None)
    if known is None:
        return ""
    env = known.environment
    box, memory = "", report.memory
    if isinstance(memory, MemoryReport):
        tuned = ", tuned Docker" if memory.engine_kind is EngineKind.TUNED else ""
        box = f"box: {memory.box.mode}{tuned}"
        if isinstance(memory.twin, TwinMemory):
            box = f"twin: {describe_guest(memory.twin.guest, memory.engine_kind)}"
    return numbers.joined(
        env.runner if env.runner != "local" else "local machine",
        env.os,
        f"kernel {env.kernel} {env.architecture}",
        f"{numbers.plural(env.cpus, 'CPU')}, {numbers.memory(env.memory_bytes, down=True)}",
        f"Docker {env.engine_version} ({env.storage_driver})",
        f"cgroup v{env.cgroup_version} ({env.cgroup_driver})",
        box,
        f"base images: {env.bases}",
        f"onegig {env.onegig_version}",
    )
