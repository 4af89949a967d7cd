"""One service of a stack as it was measured: its state, its memory, and where that goes."""

from dataclasses import dataclass
from enum import StrEnum

from onegig.model.measured import Missing, Skipped

NO_TREND = Skipped(reason="the report has no samples of memory over time")
NO_BREAKDOWN = Skipped(reason="the report does not say where its memory goes")


class ServiceState(StrEnum):
    """The state of a service at the end of the measurement, worst first."""

    OOM_KILLED = "oom-killed"
    REFUSED = "refused"  # the engine would not create or start its container
    CRASHED = "crashed"  # exited with a failure, or kept restarting
    UNHEALTHY = "unhealthy"  # the engine gave up on its health check
    NOT_READY = "not-ready"  # the wait was over before it was healthy, or before it could start
    WAITING = "waiting"  # never started: a service it depends on failed
    STOPPED = "stopped"  # exited with 0 though it looks like a service that should stay up
    RUNNING = "running"  # up, without a health check
    HEALTHY = "healthy"
    COMPLETED = "completed"  # exited with 0, as a job does


_STATES = tuple(ServiceState)
FAILED = _STATES[: _STATES.index(ServiceState.NOT_READY)]
READY = _STATES[_STATES.index(ServiceState.STOPPED) :]
UP = (ServiceState.RUNNING, ServiceState.HEALTHY)


@dataclass(frozen=True, kw_only=True, slots=True)
class Trend:
    """Growth of anonymous and shared memory over the windows, in bytes per second; 0 for a fall.

    The true one lies between `low` and `high` in 95 of 100 runs, as far as memory goes on as in
    the windows.
    """

    bytes_per_second: float
    low_bytes_per_second: float
    high_bytes_per_second: float
    grows: bool  # more than a healthy service shows
    warm_up_seconds: float = 0.0  # of the first window, which the slope leaves out

    @property
    def rate(self) -> float:
        """Return the slope if memory grows, or 0.0 if it does not."""
        return self.bytes_per_second if self.grows else 0.0


@dataclass(frozen=True, kw_only=True, slots=True)
class Breakdown:
    """The memory of a service by use, at the end of the windows, in bytes.

    All but the last two are its PSS, by what each mapping of its processes is for.
    """

    program_bytes: int  # the executable and its runtime: python3, libpython, libjvm
    libraries_bytes: int  # shared libraries of the system
    dependencies_bytes: int  # what packages brought: .so of site-packages, .node, jars
    heap_bytes: int  # anonymous memory: heap, objects, compiled code, threads' stacks
    stacks_bytes: int  # of main threads
    files_bytes: int  # data mapped from files
    shared_bytes: int  # tmpfs, /dev/shm, memfd and shared anonymous maps, as far as mapped
    unmapped_bytes: int  # what lies in them without being mapped
    kernel_bytes: int  # the kernel's own memory for the service
    programs: tuple[str, ...] = ()  # names of its executables, the largest first; "api (Go)"

    @property
    def pss_bytes(self) -> int:
        """Return PSS, as smaps_rollup has it."""
        own = (self.program_bytes, self.libraries_bytes, self.dependencies_bytes, self.heap_bytes)
        return sum(own) + self.stacks_bytes + self.files_bytes + self.shared_bytes


@dataclass(frozen=True, kw_only=True, slots=True)
class ServiceMemory:
    """One service at the peak of the window. All its containers (replicas) together.

    RSS and PSS come from smaps_rollup, the rest from the container's cgroup. `cost_bytes` is what
    the machine loses to the service: PSS and shared memory, each page counted once, and the
    kernel's own memory for it. `peak_bytes` is the kernel's high-water mark of the cgroup (page
    cache included) since the container started.
    """

    name: str
    state: ServiceState
    cost_bytes: int
    rss_bytes: int
    pss_bytes: int
    shmem_bytes: int  # tmpfs, /dev/shm, memfd and shared anonymous maps
    kernel_bytes: int  # stacks, page tables, slab, sockets
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
    limit_bytes: int | None = None  # mem_limit of the compose file
    own_limit_kills: int | Missing = 0  # OOM kills at that limit, by the kernel's log
    cpus: float | None = None  # the share of processors the compose file allows
    exit_code: int | None = None  # of the container that failed
    reason: str = ""  # why the engine refused it, whole
    health_log: str = ""  # what the last failing health check printed
    log_tail: str = ""  # the last lines of a service that failed
    waits_for: tuple[str, ...] = ()  # the services that kept it from starting
    containers: int = 1  # replicas
    single: str = ""  # why two of its containers cannot run at once: "publishes port 80"
    trend: Trend | Missing = NO_TREND
    breakdown: Breakdown | Missing = NO_BREAKDOWN

    @property
    def full_kills(self) -> int:
        """Return the OOM kills that its own limit does not explain: the machine was full."""
        own = self.own_limit_kills
        return self.oom_kills if isinstance(own, Missing) else max(0, self.oom_kills - own)
