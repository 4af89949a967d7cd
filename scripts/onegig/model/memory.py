"""What `measure` says: memory per service, of the engine and of the whole box, over a window."""

from dataclasses import dataclass
from enum import StrEnum

from onegig.model.environment import Environment
from onegig.model.measured import Missing

MEMORY_SCHEMA = "onegig/memory/1"


class ServiceState(StrEnum):
    """How a service ended the measurement."""

    HEALTHY = "healthy"
    RUNNING = "running"  # up, without a healthcheck
    UNHEALTHY = "unhealthy"  # never turned healthy, or fell ill
    CRASHED = "crashed"  # exited with a failure, or restarted in a loop
    OOM_KILLED = "oom-killed"
    COMPLETED = "completed"  # exited with 0, as one-shot services do
    NOT_STARTED = "not-started"  # a service it depends on failed


@dataclass(frozen=True, kw_only=True, slots=True)
class ServiceMemory:
    """One service at the peak of the window. All its containers (replicas) together.

    RSS and PSS come from smaps_rollup, the rest from the container's cgroup. `peak_bytes` is the
    kernel's high-water mark of the cgroup (page cache included) since the container started.
    """

    name: str
    state: ServiceState
    rss_bytes: int
    pss_bytes: int
    working_set_bytes: int  # usage - inactive file cache
    anon_bytes: int
    file_bytes: int
    peak_bytes: int | Missing
    rss_min_bytes: int  # over all windows
    rss_max_bytes: int
    processes: int
    restarts: int
    oom_kills: int
    optional: bool  # label onegig.optional
    criticality: str  # label onegig.criticality, "" when unlabelled
    log_tail: str = ""  # filled for services that failed
    cpus: float | None = None  # compose cpus of one container: Docker refuses more than there are


@dataclass(frozen=True, kw_only=True, slots=True)
class EnginePart:
    """One kind of engine process: dockerd, containerd, shim, proxy, runc, other."""

    name: str
    processes: int
    rss_bytes: int
    pss_bytes: int


@dataclass(frozen=True, kw_only=True, slots=True)
class Stall:
    """Memory pressure over the window, from the kernel's PSI (`memory.pressure`)."""

    some_seconds: float
    full_seconds: float


@dataclass(frozen=True, kw_only=True, slots=True)
class Sample:
    """One pass of the sampler over the whole box, for plots and for the spread."""

    offset_seconds: float  # since the window opened
    total_bytes: int  # by the chosen metric, without the system overhead
    charged_bytes: int
    engine_bytes: int  # PSS
    service_rss_bytes: tuple[int, ...]  # in the order of MemoryReport.services


@dataclass(frozen=True, kw_only=True, slots=True)
class Box:
    """The box as a whole. `cap_bytes` is the limit the kernel enforced, swap off."""

    mode: str  # "host engine" or "dind"
    cap_bytes: int
    charged_bytes: int  # usage - inactive file cache, at the peak of the window
    usage_bytes: int
    peak_bytes: int | Missing  # the kernel's own high-water mark since boot, with page cache
    peak_anon_bytes: int  # highest sampled usage - page cache
    total_rss_bytes: int  # sum over services
    total_pss_bytes: int
    oom_kills: int
    stall: Stall | Missing


@dataclass(frozen=True, kw_only=True, slots=True)
class Window:
    """How the measurement was taken."""

    metric: str
    settle_seconds: float
    seconds: float
    hz: float
    samples: int
    boot_seconds: float  # compose up until all were healthy
    load: str  # what ran outside the box, "" for an idle stack


@dataclass(frozen=True, kw_only=True, slots=True)
class WindowTotals:
    """One of the windows, by the chosen metric and without the system overhead.

    `totals` has every sample of it, thinned as MemoryReport.samples is; low and high are exact.
    """

    offset_seconds: float  # since the first window opened
    samples: int  # as they were taken
    low_bytes: int
    high_bytes: int
    totals: tuple[int, ...]
    services: tuple[tuple[int, int], ...]  # lowest, highest; in the order of MemoryReport.services


@dataclass(frozen=True, kw_only=True, slots=True)
class MemoryReport:
    """Everything `measure` learned; `incomplete` lists what it could not, with reasons.

    Several windows may have been taken one after the other: all figures are those of the one with
    the highest total, `windows` has the totals of each in turn. Of a long window `samples` keeps a
    few thousand, of each stretch of time the one with the highest total.
    """

    schema: str = MEMORY_SCHEMA
    environment: Environment
    window: Window
    box: Box
    engine: tuple[EnginePart, ...]
    services: tuple[ServiceMemory, ...]
    samples: tuple[Sample, ...]
    incomplete: tuple[str, ...] = ()
    stack: str = ""  # the compose project
    windows: tuple[WindowTotals, ...] = ()

    @property
    def engine_pss_bytes(self) -> int:
        """Engine memory without counting pages shared between its processes twice."""
        return sum(part.pss_bytes for part in self.engine)
