"""What the renderers show, picked and ordered once: failures and the largest first."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from onegig.model.images import Image, ImagesReport
from onegig.model.measured import Missing
from onegig.model.memory import MemoryReport, ServiceMemory
from onegig.model.report import Report
from onegig.model.state import State
from onegig.model.verdict import Check, Verdict
from onegig.report import changes, words
from onegig.text import format_rest

COMPOSE_MARK = "*"
COMPOSE_LIMIT = f"{COMPOSE_MARK} mem_limit of the compose file"
ALIKE = 3  # warnings of one kind that are listed
_WAIVED = re.compile(r"; waived until [\d-]+$")
_SUMMARY = (  # one row each, in this order; of many subjects the one with the least room
    "memory.total",
    "memory.rss",
    "memory.boot",
    "memory.tier",
    "memory.max_growth",
    "service.memory",
    "service.max_growth",
    "images.total",
    "service.image",
    "image.max_growth",
    "image.efficiency",
    "image.wasted",
    "image.user_wasted",
    "image.dead",
    "image.base_dead",
    "image.vulnerabilities",
    "disk.total",
)


@dataclass(frozen=True, kw_only=True, slots=True)
class ServiceRow:
    """One service with everything known about it; `state` is the worst of its checks."""

    name: str
    state: State
    memory: ServiceMemory | None
    image: Image | None
    memory_limit_bytes: int | None
    image_limit_bytes: int | None

    @property
    def cost(self) -> int:
        """Bytes for ordering and bars; 0 when memory was not measured."""
        return self.memory.cost_bytes if self.memory else 0

    @property
    def limit(self) -> str:
        """The limit in MB; marked where it is the compose file's, not one of budgets.yml."""
        if self.memory_limit_bytes is None and self.memory and self.memory.limit_bytes:
            return words.tenths(self.memory.limit_bytes, down=True) + COMPOSE_MARK
        return words.tenths(self.memory_limit_bytes, down=True)


@dataclass(frozen=True, kw_only=True, slots=True)
class Problem:
    """A failing check with its place; `more` of its kind are left out after it.

    `remark` says why it is let pass or that it is not new.
    """

    check: Check
    inherited: bool = False
    remark: str = ""
    more: int = 0

    @property
    def message(self) -> str:
        """What is so; that it is waived is said by the remark, in full."""
        return _WAIVED.sub("", self.check.message) if self.check.waived else self.check.message

    @property
    def place(self) -> str:
        """Where the limit comes from; empty where that explains nothing."""
        return "" if isinstance(self.check.value, Missing) else place(self.check)

    @property
    def rest(self) -> str:
        """What is said of those left out."""
        return f" … {format_rest(self.more)} like it" if self.more else ""


@dataclass(frozen=True, kw_only=True, slots=True)
class SummaryRow:
    """One line of the small table: the check with the least room among `count` of its kind."""

    check: Check
    count: int

    @property
    def several(self) -> bool:
        """Whether the check stands for others of its kind."""
        return self.count > 1


def failing(verdict: Verdict) -> tuple[Check, ...]:
    """Checks that did not pass: worst state first, kinds in the judge's order, least room first.

    Of checks with the same message only the first is kept.
    """
    bad = [check for check in verdict.checks if check.state is not State.GO]
    kinds = list(dict.fromkeys(check.id for check in bad))
    bad.sort(key=lambda check: (_room(check)[0], kinds.index(check.id), _room(check)))
    return tuple({check.message: check for check in reversed(bad)}.values())[::-1]


def problems(report: Report) -> tuple[Problem, ...]:
    """Failing checks as they are listed: every failure, of other kinds the worst few.

    Those that the baseline had, too, come after the others of their state.
    """
    old = changes.inherited(report)
    kinds: dict[tuple[int, bool, str], list[Check]] = {}
    for check in failing(report.verdict):
        known = (check.id, check.subject) in old
        kinds.setdefault((-check.state.rank, known, check.id), []).append(check)
    found: list[Problem] = []
    for (rank, known, _), checks in sorted(kinds.items(), key=lambda kind: kind[0][:2]):
        listed = rank == -State.NO_GO.rank or len(checks) <= ALIKE + 1
        shown = len(checks) if listed else ALIKE
        why = f"inherited: {changes.branch(report)} fails it, too" if known else ""
        found += [
            Problem(check=one, inherited=known, remark=_remark(one, why)) for one in checks[:shown]
        ]
        if checks[shown:]:
            found[-1] = replace(found[-1], more=len(checks) - shown)
    return tuple(found)


def _remark(check: Check, inherited: str) -> str:
    waived = f"waived {check.waived}" if check.waived else ""
    return "; ".join(filter(None, (waived, inherited)))


def failing_title(checks: Sequence[Check]) -> str:
    """The heading over failing checks: a gap is not a fault."""
    gaps = all(check.state is State.INCOMPLETE for check in checks)
    return "Not measured" if gaps else "What is wrong"


def incomplete_reasons(report: Report) -> tuple[str, ...]:
    """Why parts are missing, each reason once, those a failing check tells already left out."""
    memory = report.memory.incomplete if isinstance(report.memory, MemoryReport) else ()
    told = {check.message for check in failing(report.verdict)}
    reasons = dict.fromkeys((*report.verdict.incomplete, *memory))
    return tuple(reason for reason in reasons if reason not in told)


def summary(verdict: Verdict) -> tuple[SummaryRow, ...]:
    """The small table: the totals, and of each kind of check the worst."""
    rows = []
    for kind in _SUMMARY:
        checks = [check for check in verdict.checks if check.id == kind]
        if checks:
            rows.append(SummaryRow(check=min(checks, key=_room), count=len(checks)))
    return tuple(rows)


def service_rows(report: Report) -> tuple[ServiceRow, ...]:
    """Every service of the stack: failing ones first, then the largest."""
    measured = report.memory.services if isinstance(report.memory, MemoryReport) else ()
    memory = {service.name: service for service in measured}
    images = images_by_service(report.images)
    checks: dict[str, list[Check]] = {}
    for check in report.verdict.checks:
        checks.setdefault(check.subject, []).append(check)
    rows = [
        _row(name, memory.get(name), images.get(name), _checks_of(name, images.get(name), checks))
        for name in dict.fromkeys((*memory, *images))
    ]
    return tuple(sorted(rows, key=lambda row: (-row.state.rank, -row.cost, row.name)))


def compose_limit_note(rows: Sequence[ServiceRow]) -> str:
    """Explain the mark of limits that stand in the compose file; "" where there is none."""
    return COMPOSE_LIMIT if any(row.limit.endswith(COMPOSE_MARK) for row in rows) else ""


def failed_with_log(report: Report) -> tuple[ServiceMemory, ...]:
    """Services whose last log lines were kept because they failed."""
    services = report.memory.services if isinstance(report.memory, MemoryReport) else ()
    return tuple(service for service in services if service.log_tail.strip())


def images_by_service(images: ImagesReport | Missing) -> dict[str, Image]:
    """Each service's image."""
    if isinstance(images, Missing):
        return {}
    return {service: image for image in images.images for service in image.services}


def image_rows(report: Report) -> tuple[Image, ...]:
    """Every image, failing ones first, then the largest."""
    if isinstance(report.images, Missing):
        return ()
    worst = dict.fromkeys(_subjects(report.images), State.GO.rank)
    for check in report.verdict.checks:
        if "image" in check.id and check.subject in worst:
            worst[check.subject] = max(worst[check.subject], check.state.rank)

    def key(image: Image) -> tuple[int, int, str]:
        rank = max(worst[name] for name in (image.reference, *image.services))
        return -rank, -image.size_bytes, image.reference

    return tuple(sorted(report.images.images, key=key))


def summary_title(row: SummaryRow) -> str:
    """The check's title; where it stands for several, which one and of how many."""
    check = row.check
    return f"{check.title} (worst of {row.count})" if row.several else check.title


def is_fact(check: Check) -> bool:
    """Tell whether a check has no limit to keep to, so that no mark belongs to it."""
    return check.limit is None and check.state is State.GO


def place(check: Check) -> str:
    """Where the limit comes from; empty where the check has none."""
    return "default limit" if check.where == "default" else check.where


def _row(
    name: str, memory: ServiceMemory | None, image: Image | None, checks: list[Check]
) -> ServiceRow:
    def limit(kind: str) -> int | None:
        found = (check.limit for check in checks if check.id == kind)
        value = next(found, None)
        return None if value is None else int(value)

    return ServiceRow(
        name=name,
        state=max(filter(None, map(_mark, checks)), key=lambda state: state.rank, default=State.GO),
        memory=memory,
        image=image,
        memory_limit_bytes=limit("service.memory"),
        image_limit_bytes=limit("service.image"),
    )


def _mark(check: Check) -> State | None:
    """The state a service is marked with; mere warnings about its image are told elsewhere."""
    mild = check.state is State.WARN and not check.id.startswith("service.")
    return None if mild else check.state


def _checks_of(name: str, image: Image | None, checks: Mapping[str, list[Check]]) -> list[Check]:
    own = checks.get(name, [])
    return own + checks.get(image.reference, []) if image and image.reference != name else own


def _subjects(images: ImagesReport) -> set[str]:
    return {name for image in images.images for name in (image.reference, *image.services)}


def _room(check: Check) -> tuple[int, float]:
    """Orders checks of a kind: where there is no limit, the larger has less room."""
    room, limit, value = check.headroom, check.limit, check.value
    if limit is None and isinstance(value, (int, float)):
        return -check.state.rank, -value if check.at_most else value
    share = room / limit if room is not None and limit else 0.0
    return -check.state.rank, share
