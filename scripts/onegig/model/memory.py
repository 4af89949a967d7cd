"""Document of `measure`: memory per service, of the engine and of the whole box, over a window."""

from dataclasses import dataclass

from onegig.model.engines import EngineKind
from onegig.model.measured import Environment, Missing, Skipped
from onegig.model.redis import NO_REDIS, ServiceRedis
from onegig.model.service import NO_TREND, ServiceMemory, ServiceState, Trend
from onegig.model.settings import NO_SETTINGS, Settings
from onegig.model.twin import NO_TWIN, MachineKind, TwinMemory

NO_BOOT = Skipped(reason="the start was not recorded")
NO_REBOOT = Skipped(reason="not asked for")
NO_SQUEEZE = Skipped(reason="not asked for")
NOT_THROTTLED = Skipped(reason="not asked for")
NO_FAULTS = Skipped(reason="not recorded")


@dataclass(frozen=True, kw_only=True, slots=True)
class EnginePart:
    """One kind of engine process: dockerd, containerd, shim, proxy, runc, other.

    Or podman (its API and its health checks), conmon, netavark, dns, crun.
    """

    name: str
    processes: int
    rss_bytes: int
    pss_bytes: int


RUNTIMES = ("runc", "crun")  # engine parts that start containers and health checks, for moments
HEALTH_CHECKS = (*RUNTIMES, "podman")  # the containers run: what these then do is to check them


@dataclass(frozen=True, kw_only=True, slots=True)
class Stall:
    """Time that some, or all, processes waited for memory over the window, from the kernel's PSI.

    Where cgroups have none (version 1) it is the measuring host's: at most so much was the box's.
    """

    some_seconds: float
    full_seconds: float
    of_host: bool = False


@dataclass(frozen=True, kw_only=True, slots=True)
class Faults:
    """Pages that the kernel had dropped and had to read again, per second of the window.

    Refaults include pages read ahead, so they grow with the measuring host's read_ahead_kb. Source:
    Linux Documentation/admin-guide/cgroup-v2.rst, `pgmajfault` and `workingset_refault_*`.
    """

    major_per_second: float  # faults that waited for the disk
    refaults_per_second: float  # pages read again soon after they were dropped


@dataclass(frozen=True, kw_only=True, slots=True)
class Sample:
    """One pass of the sampler over the whole box, for plots and for the spread.

    `engine_bytes` and `service_bytes` are parts of `total_bytes`, by the chosen metric.
    """

    offset_seconds: float  # since the window opened
    total_bytes: int  # by the chosen metric, without the system overhead
    cost_bytes: int  # the real cost, likewise
    charged_bytes: int
    rss_bytes: int  # engine's PSS and services' RSS
    engine_bytes: int
    service_bytes: tuple[int, ...]  # in the order of MemoryReport.services


@dataclass(frozen=True, kw_only=True, slots=True)
class Box:
    """The box as a whole. `cap_bytes` is the limit the kernel enforced, swap off."""

    mode: str  # "host engine" or "dind"
    cap_bytes: int
    cost_bytes: int  # what the machine loses to engine and stack, at the peak of the window
    shmem_bytes: int  # the part of it in tmpfs, /dev/shm and the like
    kernel_bytes: int  # the kernel's own memory for engine and stack
    charged_bytes: int  # usage - inactive file cache, at the peak of the window
    usage_bytes: int
    peak_bytes: int | Missing  # the kernel's own high-water mark since boot, with page cache
    peak_anon_bytes: int  # highest sampled usage - page cache that could be dropped
    total_rss_bytes: int  # sum over services
    total_pss_bytes: int
    oom_kills: int
    stall: Stall | Missing
    faults: Faults | Missing = NO_FAULTS
    trend: Trend | Missing = NO_TREND  # of engine and stack together


@dataclass(frozen=True, kw_only=True, slots=True)
class BootPeak:
    """The highest total from `compose up` to the end of the last window, and who caused it.

    `causes` names the services, and "engine" for the engine, that took more than they do in
    operation: largest difference first, each with what it took.
    """

    offset_seconds: float  # since `compose up` began
    total_bytes: int  # by the chosen metric, without the system overhead
    rss_bytes: int  # the same moment as the engine's PSS and services' RSS
    starting: bool  # before the first window opened
    causes: tuple[tuple[str, int], ...]


@dataclass(frozen=True, kw_only=True, slots=True)
class Start:
    """The stack's start. `crowded` counts the containers that were starting when memory was full.

    In that case it was started again with fewer at once (`parallel`; 0 otherwise).
    """

    seconds: float  # until all services were ready, or the wait was over
    timed_out: bool = False
    waited_for: tuple[str, ...] = ()  # services not ready when the wait was over
    crowded: int = 0
    parallel: int = 0


@dataclass(frozen=True, kw_only=True, slots=True)
class SqueezePlan:
    """The room to boot a stack in again, and why."""

    room_bytes: int
    machine: str  # as in Squeeze
    reason: str = ""  # "the total comes to 930 of 1,024 MB"


@dataclass(frozen=True, kw_only=True, slots=True)
class SqueezedService:
    """One service at the end of a squeeze or a throttled boot, or after a reboot."""

    name: str
    state: ServiceState
    oom_kills: int  # because the machine was full, not at a limit of its own


@dataclass(frozen=True, kw_only=True, slots=True)
class Squeeze:
    """One more boot in exactly the room that a machine leaves to engine and stack.

    `problem` says why no window could be measured; the figures are zeros or Missing then.
    """

    room_bytes: int  # for engine and stack, no swap
    machine: str  # the tier; "" for the budget's own machine
    seconds: float  # the boot took, or 0.0 if the first boot already had just this room
    window_seconds: float
    services: tuple[SqueezedService, ...]
    engine_kills: int  # OOM kills of processes of no service
    stall: Stall | Missing
    faults: Faults | Missing
    cost_bytes: int | Missing  # the real cost at the peak of its window
    crowded: int = 0  # as in Start: containers that were starting when memory was full
    problem: str = ""
    gaps: tuple[str, ...] = ()  # as MemoryReport.incomplete


@dataclass(frozen=True, kw_only=True, slots=True)
class Reboot:
    """The stack after a reboot: the engine starts what has a restart policy, all at once.

    `problem` says why the machine or its engine did not come back; there are no figures then.
    """

    down_seconds: float  # until the engine answered again
    ready_seconds: float  # from then until all that came back was ready, or the wait was over
    timed_out: bool
    services: tuple[SqueezedService, ...]
    absent: tuple[str, ...]  # services that were up before and have no restart policy
    peak_bytes: int  # the total, without the system
    available_bytes: int  # the least
    oom_kills: int
    problem: str = ""


@dataclass(frozen=True, kw_only=True, slots=True)
class Throttle:
    """The processors' worth of work that a machine may always do, and its name."""

    cpus: float
    machine: str


@dataclass(frozen=True, kw_only=True, slots=True)
class Throttled:
    """The stack on a machine that has used up its processor's credits.

    `problem` says why no window could be measured; the figures are Missing then, or 0.
    """

    cpus: float  # processors' worth of work
    machine: str  # the tier
    seconds: float  # the boot took
    start: Start | Missing
    services: tuple[SqueezedService, ...]
    window_bytes: int | Missing  # the total at the peak of the window, as BootPeak.total_bytes
    total_bytes: int | Missing  # the highest since `compose up`
    engine_kills: int = 0  # as in Squeeze
    health_checks: int = 0  # overlapping ones at the peak of the window: processes of runc
    health_check_bytes: int = 0  # their PSS
    samples: int = 0
    problem: str = ""
    gaps: tuple[str, ...] = ()  # as MemoryReport.incomplete


@dataclass(frozen=True, kw_only=True, slots=True)
class Window:
    """The conditions of the measurement."""

    metric: str
    settle_seconds: float
    seconds: float
    hz: float
    samples: int
    boot_seconds: float  # `compose up` until all were ready, or the wait was over
    load: str  # what ran outside the box, "" for an idle stack


@dataclass(frozen=True, kw_only=True, slots=True)
class WindowTotals:
    """One of the windows, by the chosen metric and without the system overhead.

    `totals` has every sample of it, thinned as MemoryReport.samples is; low and high are exact.
    """

    offset_seconds: float  # since the first window of its boot opened
    samples: int  # as they were taken
    low_bytes: int
    high_bytes: int
    totals: tuple[int, ...]
    services: tuple[tuple[int, int], ...]  # lowest, highest; in the order of MemoryReport.services
    boot: int = 1  # that it belongs to, counted from 1


@dataclass(frozen=True, kw_only=True, slots=True)
class BootTotals:
    """One of the boots, by the chosen metric and without the system overhead."""

    seconds: float  # until all services were ready, or the wait was over
    peak_bytes: int  # the highest total since `compose up` began
    high_bytes: int  # the highest in its windows
    failed: tuple[str, ...] = ()  # services that were not up at its end
    full: bool = False  # memory did not suffice: the kernel killed, or it was full during the start


@dataclass(frozen=True, kw_only=True, slots=True)
class MemoryReport:
    """Everything `measure` learned; `incomplete` lists what it could not, with reasons.

    Several windows may have been taken one after the other, and the stack booted anew several
    times: all figures are those of the window with the highest total, `windows` and `boots` have
    the totals of each in turn. A service's state is its worst of all boots. Of a long window
    `samples` keeps a few thousand, of each stretch of time the one with the highest total.
    """

    schema: str = "onegig/memory/1"
    environment: Environment
    window: Window
    box: Box
    engine: tuple[EnginePart, ...]
    services: tuple[ServiceMemory, ...]
    samples: tuple[Sample, ...]
    incomplete: tuple[str, ...] = ()
    stack: str = ""  # the compose project
    windows: tuple[WindowTotals, ...] = ()
    boots: tuple[BootTotals, ...] = ()
    boot: BootPeak | Missing = NO_BOOT
    start: Start | Missing = NO_BOOT
    notes: tuple[str, ...] = ()  # compose's warnings, and what the box had to do differently
    squeeze: Squeeze | Missing = NO_SQUEEZE
    throttled: Throttled | Missing = NOT_THROTTLED
    settings: Settings | Missing = NO_SETTINGS  # that held on the machine
    twin: TwinMemory | Missing = NO_TWIN
    reboot: Reboot | Missing = NO_REBOOT
    redis: tuple[ServiceRedis, ...] | Missing = NO_REDIS  # of the first boot
    engine_kind: EngineKind = EngineKind.DOCKER  # of the machine, as budgets.yml has it

    @property
    def machine(self) -> MachineKind:
        """Return the kind of machine that the stack was booted on."""
        return MachineKind.TWIN if isinstance(self.twin, TwinMemory) else MachineKind.BOX

    @property
    def engine_pss_bytes(self) -> int:
        """Return engine memory without counting pages shared between its processes twice."""
        return sum(part.pss_bytes for part in self.engine)
