"""budgets.yml as data: limits with the mission's defaults, and where each was written."""

from dataclasses import dataclass, field
from datetime import date
from enum import StrEnum

from onegig.model.scan import Severity
from onegig.model.sizes import Convention, parse_size, plain_number

RATE = "{rate}"


class Metric(StrEnum):
    """What the headline adds up."""

    COST = "cost"  # PSS, shared memory and the kernel's own: what the machine really loses
    RSS = "rss"
    PSS = "pss"
    CHARGED = "charged"


METRIC_NAMES: dict[str, str] = {
    Metric.COST: "real cost",
    Metric.RSS: "RSS",
    Metric.PSS: "PSS",
    Metric.CHARGED: "charged",
}


class Policy(StrEnum):
    """What remarks about Dockerfiles come to."""

    ERROR = "error"  # NO-GO
    WARN = "warn"
    NOTE = "note"  # told, with no part in the verdict
    IGNORE = "ignore"


class Forks(StrEnum):
    """Say what a GO or WARN measured by a fork's own job counts for on a pull request."""

    CONFIRM = "confirm"  # a maintainer has to confirm it
    TRUST = "trust"  # a success


def _memory(text: str) -> int:
    return parse_size(text, Convention.MEMORY)


def _storage(text: str) -> int:
    return parse_size(text, Convention.STORAGE)


@dataclass(frozen=True, kw_only=True, slots=True)
class Growth:
    """The most that something may grow by against main: a share of what it was, or bytes."""

    value: float
    is_share: bool

    def most_bytes(self, before_bytes: int) -> int:
        """Return how much larger it may be than it was."""
        return int(self.value * before_bytes if self.is_share else self.value)


@dataclass(frozen=True, kw_only=True, slots=True)
class MemoryBudget:
    """The machine's memory and how much of it must stay free."""

    limit_bytes: int = _memory("1024MB")
    metric: Metric = Metric.COST
    headroom_share: float = 0.10  # WARN when less than this share of the limit is free
    system_overhead_bytes: int = _memory("80MB")  # kernel and OS; the engine is measured
    max_growth: Growth | None = None  # of the total against main
    max_service_growth: Growth | None = None  # of any single service

    @property
    def room_bytes(self) -> int:
        """What the limit leaves to engine and stack: the cap of the box."""
        return self.limit_bytes - self.system_overhead_bytes


@dataclass(frozen=True, kw_only=True, slots=True)
class ImagesBudget:
    """Limits for images; efficiency and wasted bytes are dive's own CI rules."""

    total_bytes: int = _storage("1.9GB")
    each_bytes: int | None = None
    min_efficiency: float | None = 0.90
    max_wasted_bytes: int | None = None
    max_user_wasted_share: float | None = None
    ignore_user_wasted_below_bytes: int = _storage("1MB")  # whatever share of the image that is
    max_dead_bytes: int | None = None  # that each image adds to its base's, by our own account
    max_base_dead_bytes: int | None = None  # that came with FROM
    max_growth: Growth | None = None  # of each image against main
    policy: Policy = Policy.NOTE  # for remarks about Dockerfiles


@dataclass(frozen=True, kw_only=True, slots=True)
class ScanBudget:
    """What trivy may find in an image: how many of each kind; None: any number."""

    severity: Severity = Severity.HIGH  # findings below it do not count
    ignore_unfixed: bool = True  # nor do vulnerabilities that no version mends yet
    vulnerabilities: int | None = 0
    secrets: int | None = 0
    misconfigurations: int | None = None  # images as they are published often run as root


@dataclass(frozen=True, kw_only=True, slots=True)
class ServiceBudget:
    """Limits of one service; None: no limit of its own."""

    memory_bytes: int | None = None
    image_bytes: int | None = None
    max_growth: Growth | None = None  # of its memory, instead of memory.max_service_growth


@dataclass(frozen=True, kw_only=True, slots=True)
class Measure:
    """How long and how often to sample."""

    settle_seconds: float = 5.0
    window_seconds: float = 15.0
    hz: float = 10.0
    healthy_timeout_seconds: float = 120.0
    repeats: int = 1  # windows taken one after the other; the highest counts, all are shown


@dataclass(frozen=True, kw_only=True, slots=True)
class Load:
    """A load applied from outside the box, in its network: a command run from one service's image.

    `environment` is set while compose reads the stack, so that a stack can be pointed at the load.
    "{rate}" in `command` stands for `rate`.
    """

    service: str
    command: tuple[str, ...]
    environment: tuple[tuple[str, str], ...] = ()
    rate: float | None = None  # what the command makes of it: messages a second, say

    @property
    def takes_rate(self) -> bool:
        """Whether the command has a place for the rate."""
        return any(RATE in word for word in self.command)

    @property
    def words(self) -> tuple[str, ...]:
        """The command as it is run."""
        if self.rate is None:
            return self.command
        rate = plain_number(self.rate)
        return tuple(word.replace(RATE, rate) for word in self.command)


@dataclass(frozen=True, kw_only=True, slots=True)
class Waiver:
    """A failing check that is let pass for a while; the day of `expires` is its last."""

    metric: str  # a check's id: "memory.total", "image.efficiency"
    subject: str | None  # the service or image; None: every one
    id: str | None = None  # a single finding of a scan: "CVE-2026-1234"; None: all that fails
    reason: str
    owner: str
    expires: date


@dataclass(frozen=True, kw_only=True, slots=True)
class Shards:
    """When images are built and inspected by several machines at once."""

    start: int = 30  # images from which on it is worth it
    most: int = 10  # machines


@dataclass(frozen=True, kw_only=True, slots=True)
class Budgets:
    """The whole of budgets.yml. `lines` maps a dotted key to the line it was written on."""

    path: str
    compose: str  # the compose file that messages name
    compose_files: tuple[str, ...] = ()  # relative to budgets.yml; (): compose chooses
    profiles: tuple[str, ...] = ()  # of compose; (): COMPOSE_PROFILES counts
    tier: str | None = None
    memory: MemoryBudget = field(default_factory=MemoryBudget)
    disk_bytes: int = _storage("30GB")
    images: ImagesBudget = field(default_factory=ImagesBudget)
    scan: ScanBudget = field(default_factory=ScanBudget)
    measure: Measure = field(default_factory=Measure)
    load: Load | None = None
    services: tuple[tuple[str, ServiceBudget], ...] = ()
    waivers: tuple[Waiver, ...] = ()
    allow_host_access: tuple[str, ...] = ()  # services whose reach a pull request's numbers survive
    forks: Forks = Forks.CONFIRM
    shards: Shards = field(default_factory=Shards)
    lines: tuple[tuple[str, int], ...] = ()
    is_default: bool = False  # there is no such file

    def service(self, name: str) -> ServiceBudget:
        """The service's own limits, or none."""
        return dict(self.services).get(name, ServiceBudget())

    def where(self, key: str) -> str:
        """Where a key was written ("budgets.yml:12"), or "default" for one that was not."""
        line = dict(self.lines).get(key)
        return f"{self.path}:{line}" if line else "default"
