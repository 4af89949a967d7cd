"""The answer: one state, the checks behind it, and where the machine's memory goes.

The numbers of one commit of the default branch, small enough for one line of history.jsonl.
"""

from dataclasses import dataclass
from enum import StrEnum
from typing import NamedTuple

from onegig.model.measured import Environment, Missing, Skipped
from onegig.model.state import State
from onegig.model.twin import MachineKind


class Unit(StrEnum):
    """The unit of a check's numbers, by which renderers print them."""

    MEMORY = "memory"  # bytes, 1 MB = 2**20
    STORAGE = "storage"  # bytes, 1 MB = 10**6
    SHARE = "share"  # 0..1
    COUNT = "count"


class CheckKind(NamedTuple):
    """One kind of check. A renderer needs nothing else to show a check that it does not know."""

    id: str  # stable: waivers and baselines name it
    title: str  # with {} for what the check is about
    unit: Unit
    section: str  # of the report: the one whose numbers it needs; "" for no particular one
    at_most: bool = True  # False for limits from below
    blocking: bool = True  # False for facts shown beside the user's own limit


_KINDS = (  # the one to read of first first
    CheckKind("memory.total", "Memory of the stack", Unit.MEMORY, "memory"),
    CheckKind("memory.rss", "The same by total RSS", Unit.MEMORY, "memory", blocking=False),
    CheckKind("memory.boot", "Peak while starting", Unit.MEMORY, "memory"),
    CheckKind(
        "memory.fit", "Probability of fitting", Unit.SHARE, "memory", at_most=False, blocking=False
    ),
    CheckKind("memory.squeeze", "Failures when squeezed", Unit.COUNT, "memory"),
    CheckKind("memory.throttled", "Memory without CPU credits", Unit.MEMORY, "memory"),
    CheckKind("memory.reboot", "Peak after a reboot", Unit.MEMORY, "memory"),
    CheckKind("memory.swap", "Swap in use", Unit.MEMORY, "memory"),
    CheckKind("service.state", "State of {}", Unit.COUNT, "memory"),
    CheckKind("service.memory", "Memory of {}", Unit.MEMORY, "memory"),
    CheckKind("redis.memory", "Data in {}", Unit.MEMORY, "memory"),
    CheckKind("service.image", "Image of {}", Unit.STORAGE, "images"),
    CheckKind("memory.max_growth", "Growth of memory", Unit.MEMORY, "memory"),
    CheckKind("service.max_growth", "Growth of {}", Unit.MEMORY, "memory"),
    CheckKind("image.max_growth", "Growth of the image of {}", Unit.STORAGE, "images"),
    CheckKind("images.total", "Images added up", Unit.STORAGE, "images"),
    CheckKind("disk.total", "Disk", Unit.STORAGE, "images"),
    CheckKind("measure.complete", "Measured in full: {}", Unit.COUNT, ""),
    CheckKind("memory.tier", "Memory on {}", Unit.MEMORY, "memory", blocking=False),
    CheckKind("memory.elsewhere", "Memory on {}", Unit.MEMORY, "memory", blocking=False),
    CheckKind("memory.deploy", "Second copy of {}", Unit.MEMORY, "memory", blocking=False),
    CheckKind("memory.growth", "Growth of memory in an hour", Unit.MEMORY, "memory"),
    CheckKind("service.growth", "Growth of {} in an hour", Unit.MEMORY, "memory"),
    CheckKind("tier.cpus", "CPUs of {}", Unit.COUNT, "memory", blocking=False),
    CheckKind(
        "tier.architecture", "Images that do not run on {}", Unit.COUNT, "images", blocking=False
    ),
    CheckKind("image.secrets", "Secrets of {}", Unit.COUNT, "images"),
    CheckKind("image.vulnerabilities", "Vulnerabilities of {}", Unit.COUNT, "images"),
    CheckKind("image.misconfigurations", "Misconfigurations of {}", Unit.COUNT, "images"),
    CheckKind("image.efficiency", "Efficiency of {}", Unit.SHARE, "images", at_most=False),
    CheckKind("image.wasted", "Wasted bytes of {}", Unit.STORAGE, "images"),
    CheckKind("image.user_wasted", "Wasted share of {}", Unit.SHARE, "images"),
    CheckKind("image.dead", "Dead bytes of {}", Unit.STORAGE, "images"),
    CheckKind("image.base_dead", "Dead bytes in the base of {}", Unit.STORAGE, "images"),
    CheckKind("image.dockerfile", "Dockerfile {}", Unit.COUNT, "images"),
)
CHECK_KINDS = {kind.id: kind for kind in _KINDS}
BESIDE = "memory.elsewhere"  # about machines besides the verdict's: never a part of it


@dataclass(frozen=True, kw_only=True, slots=True)
class Check:
    """One limit and what was measured against it.

    `id` is one of CHECK_KINDS. `at_most` is False for limits from below (efficiency). `blocking` is
    False for facts shown beside the user's own limit (the tier's real MemTotal).
    """

    id: str
    subject: str  # the service or image, "stack" for the whole
    title: str  # "Memory of the stack"
    unit: Unit
    value: float | Missing
    limit: float | None
    at_most: bool = True
    blocking: bool = True
    state: State
    message: str  # one sentence: what is so, and for failures why
    where: str = ""  # "budgets.yml:12", "default", "compose.yml"
    findings: tuple[str, ...] = ()  # what was counted: "CVE-2026-1234 in openssl 3.5.1"
    waived: str = ""  # "until 2026-12-31 by @ops: the fix is on its way"; only for what fails

    @property
    def headroom(self) -> float | None:
        """Return what is left up to the limit (negative: over), None if it makes no sense."""
        if self.limit is None or not isinstance(self.value, (int, float)):
            return None
        return self.limit - self.value if self.at_most else self.value - self.limit


def make_check(
    id_: str,
    subject: str,
    value: float | Missing,
    limit: float | None,
    state: State,
    message: str,
    where: str = "",
    *,
    about: str = "",
) -> Check:
    """Return a check of a kind; `about` replaces the subject in its title."""
    kind = CHECK_KINDS[id_]
    return Check(
        id=id_,
        subject=subject,
        title=kind.title.format(about or subject),
        unit=kind.unit,
        value=value,
        limit=limit,
        at_most=kind.at_most,
        blocking=kind.blocking,
        state=state,
        message=message,
        where=where,
    )


@dataclass(frozen=True, kw_only=True, slots=True)
class Bar:
    """One bar of the waterfall sold -> kernel -> OS -> engine -> stack -> headroom."""

    name: str
    bytes: int  # what this step takes (or, for "sold" and "headroom", has)
    note: str = ""


@dataclass(frozen=True, kw_only=True, slots=True)
class Waterfall:
    """A machine's memory by use. `headroom_bytes` is negative when it does not fit.

    `usd_per_month` is the tier's list price when it was judged.
    """

    machine: str
    sold_bytes: int
    steps: tuple[Bar, ...]
    headroom_bytes: int
    usd_per_month: float | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class Fit:
    """The probability that the next boot stays within the limit, its start included.

    The interval from `low` to `high` holds the true share of boots that do with probability
    `level`.
    """

    probability: float
    low: float
    high: float
    level: float
    peaks: tuple[int, ...]  # bytes: the highest total of each boot, the system's part included
    earlier: int = 0  # peaks of earlier commits that their spread was taken from, too
    full: int = 0  # boots that ran out of memory

    @property
    def boots(self) -> int:
        """Return how many boots were measured."""
        return len(self.peaks)


NO_FIT = Skipped(reason="the probability of fitting was not computed")


@dataclass(frozen=True, kw_only=True, slots=True)
class Verdict:
    """The judgement. `total_bytes` is the headline; `spread_bytes` its range over the window."""

    state: State
    sentence: str  # "GO: 612 of 1,024 MB, 412 MB (40 %) to spare"
    total_bytes: int | Missing
    limit_bytes: int
    metric: str
    spread_bytes: tuple[int, int] | Missing
    checks: tuple[Check, ...]
    waterfalls: tuple[Waterfall, ...]  # the budget's own machine first, then the tier's
    incomplete: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()  # what changes nothing, but should be known: unused waivers
    fit: Fit | Missing = NO_FIT


NO_CONTENTS = Skipped(reason="what is in the images was not kept")
NO_REMARKS = Skipped(reason="remarks about Dockerfiles were not kept")


@dataclass(frozen=True, kw_only=True, slots=True)
class PastCheck:
    """One check of an earlier commit, by the id and subject of `Check`."""

    id: str
    subject: str
    value: float | Missing
    limit: float | None
    state: State


@dataclass(frozen=True, kw_only=True, slots=True)
class ServiceNumbers:
    """One service of that commit."""

    name: str
    memory_bytes: int | Missing  # by `Baseline.metric`
    image_bytes: int | Missing
    cost_seconds: float | None = None  # Image.build_seconds, when last built from scratch


@dataclass(frozen=True, kw_only=True, slots=True)
class Contents:
    """Packages and findings that the images of just these services have in common.

    `findings` are secrets and misconfigurations. Vulnerabilities are not kept: a later database
    knows more of them, and finds in the same package of the same version the same.
    """

    services: tuple[str, ...]
    packages: tuple[str, ...]  # as `Scan.packages` has them, on one line
    findings: tuple[str, ...]  # as `Check.findings` has them


@dataclass(frozen=True, kw_only=True, slots=True)
class Remarked:
    """One Dockerfile of that commit. Lines are not kept: they move."""

    path: str
    hadolint: str | Missing  # the version that looked at it
    remarks: tuple[str, ...]  # as `Remark.summary` has them; one for each time


@dataclass(frozen=True, kw_only=True, slots=True)
class Baseline:
    """The numbers that later commits are compared with. Sums are in bytes."""

    schema: str = "onegig/baseline/1"
    commit: str
    created: str  # ISO 8601, UTC
    state: State
    metric: str
    total_bytes: int | Missing
    limit_bytes: int
    spread_bytes: tuple[int, int] | Missing
    marks: tuple[PastCheck, ...]
    services: tuple[ServiceNumbers, ...]
    environment: Environment | Missing
    contents: tuple[Contents, ...] | Missing = NO_CONTENTS
    dockerfiles: tuple[Remarked, ...] | Missing = NO_REMARKS
    machine: MachineKind = MachineKind.BOX  # that the stack was booted on
    peaks: tuple[int, ...] = ()  # of its boots, as `Fit` has them
    earlier: tuple[int, ...] = ()  # peaks of commits up to this one, measured alike; not kept

    @property
    def is_complete(self) -> bool:
        """Return whether it can be compared with: a total with something missing is too low."""
        return self.state is not State.INCOMPLETE and isinstance(self.total_bytes, int)
