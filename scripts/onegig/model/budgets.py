"""budgets.yml: each key is declared once, as a field here, with its meaning in the docstring."""

from dataclasses import dataclass
from datetime import date
from enum import StrEnum

from onegig.model.engines import EngineKind
from onegig.model.keys import (
    COUNT,
    DAY,
    FLAG,
    MEMORY,
    MEMORY_GROWTH,
    POSITIVE,
    SHARE,
    STORAGE,
    STORAGE_GROWTH,
    TEXT,
    WHOLE,
    Kind,
    Section,
    Several,
    choice,
    either,
    enlarged,
    extended,
    grown,
    key,
    later,
    lowered,
    narrowed,
    never,
    raised,
)
from onegig.model.measuring import Load, Measure, TwinImage
from onegig.model.scan import Severity
from onegig.model.sizes import Growth
from onegig.model.twin import MachineKind
from onegig.model.verdict import CHECK_KINDS

GROWTHS = Several(item=MEMORY_GROWTH, or_single=True)
GROWTHS_EXAMPLE = ["10%", "1MB/h"]
FORMAT = 1  # the version of budgets.yml


class Metric(StrEnum):
    """Ways to add up the headline."""

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
    """Effects of remarks about Dockerfiles on the verdict."""

    ERROR = "error"  # NO-GO
    WARN = "warn"
    NOTE = "note"  # listed, without effect on the verdict
    IGNORE = "ignore"


class Forks(StrEnum):
    """Meaning of a GO or WARN measured by a fork's own job on a pull request."""

    CONFIRM = "confirm"  # a maintainer has to confirm it
    TRUST = "trust"  # a success


_STRICTER = {(Metric.PSS, Metric.COST), (Metric.PSS, Metric.RSS)}  # any other change may be looser
_WAIVABLE = tuple(name for name in CHECK_KINDS if name != "measure.complete")


def _metric_is_looser(old: Metric, new: Metric) -> bool:
    return (old, new) not in _STRICTER


def _format(text: str) -> int:
    if text != str(FORMAT):
        raise ValueError(f"should be {FORMAT}, the version this onegig reads, not {text}")
    return FORMAT


@dataclass(frozen=True, kw_only=True, slots=True)
class MemoryBudget:
    """The machine's memory, and how much of it must stay free.

    Attributes:
        limit_bytes: All of the machine's memory: kernel, operating system, engine and stack share
            it. More than this is a NO-GO.
        metric: How memory is added up: cost (what the machine really loses: every page once, with
            tmpfs and the kernel's own memory for engine and stack), rss (resident memory, shared
            pages counted for every process), pss (shared pages divided among their users) or
            charged (what the kernel counts against the machine).
        headroom_share: The share of the limit that should stay free. Less than this is a WARN.
        system_overhead_bytes: Memory of kernel and operating system. The engine is measured and
            does not belong here.
        max_growth: The most the total may grow by against main, as a share or an amount; over time
            while it is measured, as an amount in some time; or a list of both. More is a NO-GO; the
            difference between two runs of one commit is ignored.
        max_service_growth: The same for the memory of any single service, unless it has a limit of
            its own. Against main new services are ignored.
    """

    limit_bytes: int = key(MEMORY, raised, "1024MB", bounds=POSITIVE)
    metric: Metric = key(choice(tuple(Metric), Metric), _metric_is_looser, "cost")
    headroom_share: float = key(SHARE, lowered, "10%")
    system_overhead_bytes: int = key(MEMORY, lowered, "80MB")
    max_growth: tuple[Growth, ...] = key(GROWTHS, grown, example=GROWTHS_EXAMPLE)
    max_service_growth: tuple[Growth, ...] = key(GROWTHS, grown, example=GROWTHS_EXAMPLE)

    @property
    def room_bytes(self) -> int:
        """Return what the limit leaves to engine and stack: the cap of the box."""
        return self.limit_bytes - self.system_overhead_bytes


@dataclass(frozen=True, kw_only=True, slots=True)
class DiskBudget:
    """The machine's disk.

    Attributes:
        limit_bytes: The most that all images together may take on disk, shared layers counted once.
            More is a NO-GO.
    """

    limit_bytes: int = key(STORAGE, raised, "30GB", bounds=POSITIVE)


@dataclass(frozen=True, kw_only=True, slots=True)
class ImagesBudget:
    """Limits for images.

    Attributes:
        total_bytes: Sum of the services' image sizes, shared layers counted for every service. More
            is a NO-GO.
        each_bytes: The most any single image may take, unless its service has a limit of its own.
            More is a NO-GO.
        min_efficiency: dive's efficiency at least: the share of an image's bytes that is not
            written twice.
        max_wasted_bytes: dive's wasted bytes at most: files that later layers replace.
        max_user_wasted_share: dive's wasted bytes at most, as a share of what was added to the base
            image.
        ignore_user_wasted_below_bytes: Fewer wasted bytes than this never break max_user_wasted,
            however small the image is.
        max_dead_bytes: The most any single image may hold that no container can reach: overwritten,
            deleted, or copied for its metadata. Counted exactly, without what was dead in its base
            already. More is a NO-GO.
        max_base_dead_bytes: The same for what came with FROM and was dead there: another base is
            the only way out.
        max_growth: The most any single image may grow by against main, as a share or an amount.
            More is a NO-GO; new images are ignored.
        policy: The effect of remarks by hadolint and onegig about the Dockerfiles: error is a
            NO-GO, warn a WARN, note only lists them.
    """

    total_bytes: int = key(STORAGE, raised, "1.9GB", bounds=POSITIVE, warns_by_default=True)
    each_bytes: int | None = key(STORAGE, raised, bounds=POSITIVE)
    min_efficiency: float | None = key(SHARE, lowered, "90%", warns_by_default=True)
    max_wasted_bytes: int | None = key(STORAGE, raised)
    max_user_wasted_share: float | None = key(SHARE, raised)
    ignore_user_wasted_below_bytes: int = key(STORAGE, raised, "1MB")
    max_dead_bytes: int | None = key(STORAGE, raised)
    max_base_dead_bytes: int | None = key(STORAGE, raised)
    max_growth: Growth | None = key(STORAGE_GROWTH, grown)
    policy: Policy = key(choice(tuple(Policy), Policy), later, "note")


@dataclass(frozen=True, kw_only=True, slots=True)
class ScanBudget:
    """Numbers of trivy's findings that any single image may have; None: any number.

    Attributes:
        severity: Findings below this severity do not count.
        ignore_unfixed: Ignore vulnerabilities without a fixed version of the package.
        vulnerabilities: How many vulnerabilities there may be, or any. Looking for them needs
            trivy's database: without one nothing was scanned, which is a WARN where this is
            written.
        secrets: How many passwords, keys and tokens there may be in files, variables and the
            image's history, or any.
        misconfigurations: How many mistakes there may be in how the image is set up, such as
            running as root, or any.
    """

    severity: Severity = key(choice(tuple(Severity), Severity), later, "HIGH")
    ignore_unfixed: bool = key(FLAG, raised, default=True)
    vulnerabilities: int | None = key(COUNT, raised, 0, warns_by_default=True)
    secrets: int | None = key(COUNT, raised, 0, warns_by_default=True)
    misconfigurations: int | None = key(COUNT, raised, "any", warns_by_default=True)


@dataclass(frozen=True, kw_only=True, slots=True)
class ServiceBudget:
    """Limits of one service; None: no limit of its own.

    Attributes:
        memory_bytes: The most all containers of this service may take together, by the metric
            chosen. More is a NO-GO.
        image_bytes: The most this service's image may take; instead of images.each.
        max_growth: The most this service's memory may grow by, against main or over time; instead
            of memory.max_service_growth.
    """

    memory_bytes: int | None = key(MEMORY, raised, bounds=POSITIVE)
    image_bytes: int | None = key(STORAGE, raised, bounds=POSITIVE)
    max_growth: tuple[Growth, ...] = key(GROWTHS, grown, example=GROWTHS_EXAMPLE)


@dataclass(frozen=True, kw_only=True, slots=True)
class RedisBudget:
    """Audit of each Redis or Valkey of the stack, at the end of the window.

    Attributes:
        memory_bytes: The most that the data of any single server may take (its used_memory). More
            is a NO-GO.
        services: The services to audit. Default: every one that runs a Redis or Valkey.
        replay: Whether to prove each saving: a sample of the data is written again in a scratch
            server, in the layout that is recommended. Without it savings are predictions.
    """

    memory_bytes: int | None = key(MEMORY, raised, bounds=POSITIVE)
    services: tuple[str, ...] = key(
        Several(item=TEXT, empty="every one"), narrowed, example=["redis"]
    )
    replay: bool = key(FLAG, lowered, default=False)


@dataclass(frozen=True, kw_only=True, slots=True)
class Waiver:
    """A failing check that is waived for a while.

    Attributes:
        check: The check, by the name reports give it. What could not be measured can't be waived.
        subject: The service it is about, or the image where several services share one. Default:
            every service and image.
        id: A single finding of image.vulnerabilities, image.secrets or image.misconfigurations, as
            trivy names it. Default: all of them.
        reason: Why it is waived, and what will end that.
        owner: Who answers for it.
        expires: Its last day (UTC), at most a year ahead.
    """

    check: str = key(
        choice(_WAIVABLE, str), either, required=True, example="service.memory", old_name="metric"
    )
    subject: str | None = key(TEXT, either, example="redis")
    id: str | None = key(TEXT, either, example="CVE-2026-1234")
    reason: str = key(TEXT, either, required=True, example="#12")
    owner: str = key(TEXT, either, required=True, example="@ops")
    expires: date = key(DAY, either, required=True)


@dataclass(frozen=True, kw_only=True, slots=True)
class Shards:
    """When images are built and inspected by several machines of GitHub at once.

    Attributes:
        start: From how many images on.
        most: Machines at most.
    """

    start: int = key(WHOLE, never, 30, bounds={"minimum": 1})
    most: int = key(WHOLE, never, 10, bounds={"minimum": 1, "maximum": 256})


@dataclass(frozen=True, kw_only=True, slots=True)
class Budgets:
    """The whole of budgets.yml. `lines` maps a dotted key to the line it was written on.

    Attributes:
        version: Version of this format.
        compose_files: The compose file, or several, later ones overriding earlier ones; relative to
            this file. Default: those that `docker compose` takes in this file's folder, with
            COMPOSE_FILE and compose.override.yml.
        profiles: The compose profiles to activate. Default: those of COMPOSE_PROFILES.
        tier_names: Cloud machine from the tier catalogue to check in addition to the limit;
            none turns this off. Default: the smallest machine sold with memory.limit. Of several,
            the first one counts and the others are shown beside it.
        machine: Where the stack is booted. box: a Docker engine in a container with a memory cap,
            ready in seconds. twin: a virtual machine with its own kernel and operating system,
            which are then measured instead of assumed.
        engine: The engine of that machine. docker: as it is. docker-tuned: set up to take less
            memory. podman: Podman with crun, only on a twin. podman-runc: Podman with runc.
        swap_bytes: The twin's swap file. Default: none. What the stack needs of it is a WARN.
        zram_bytes: The twin's compressed swap in memory, instead of a swap file: its size before
            compression. Default: none.
        twin: A cloud image for the twin. Default: Debian, built and cached by onegig.
        memory: The machine's memory. 1 MB is 2**20 bytes here, as clouds sell it.
        disk: The machine's disk. 1 GB is 10**9 bytes here.
        images: Limits for images. 1 MB is 10**6 bytes here, as `docker image ls` counts. Efficiency
            and wasted bytes are what dive finds: a rule that is written here is a NO-GO when
            broken, a default only a WARN.
        scan: Findings of trivy that any single image may have. A limit that is written here is a
            NO-GO when passed, a default only a WARN. Of a pull request only findings that its base
            does not have count.
        measure: How the stack is measured.
        load: A load applied while measuring: a command run from one service's image, outside the
            measured machine but in its network. Default: none, the stack idles.
        services: Limits of single services, by the names the compose file gives them.
        redis: An audit of each Redis and Valkey of the stack. Default: none is audited.
        allow_host_access: Services that may ask for what can reach the machine: privileged,
            devices, host namespaces, the engine's socket. With any other the numbers of a pull
            request count as self-reported. The base branch's list counts.
        waivers: Temporary waivers: a waived NO-GO is shown as a WARN until the last day is over.
        forks: Meaning of a GO or WARN that the job of a fork measured on GitHub: confirm leaves the
            status pending until a maintainer confirms it, trust makes it a success.
        shards: On GitHub, when images are built and inspected by several machines at once.
    """

    path: str
    compose: str  # the compose file that messages name
    version: int = key(Kind(schema={"const": FORMAT}, parse=_format), never, FORMAT)
    compose_files: tuple[str, ...] = key(
        Several(item=TEXT, or_single=True, empty="docker compose's choice"),
        either,
        example="compose.yml",
    )
    profiles: tuple[str, ...] = key(
        Several(item=TEXT, empty="COMPOSE_PROFILES"), either, example=["debug"]
    )
    tier_names: tuple[str, ...] = key(
        Several(item=TEXT, or_single=True, empty="the smallest with memory.limit"),
        either,
        example="aws-t2-micro",
    )
    machine: MachineKind = key(choice(tuple(MachineKind), MachineKind), either, "box")
    engine: EngineKind = key(choice(tuple(EngineKind), EngineKind), either, "docker")
    swap_bytes: int | None = key(MEMORY, enlarged, bounds=POSITIVE, example="1GB")
    zram_bytes: int | None = key(MEMORY, enlarged, bounds=POSITIVE, example="512MB")
    twin: TwinImage | None = key(Section(TwinImage, optional=True), either)
    memory: MemoryBudget = key(Section(MemoryBudget), either)
    disk: DiskBudget = key(Section(DiskBudget), either)
    images: ImagesBudget = key(Section(ImagesBudget), either)
    scan: ScanBudget = key(Section(ScanBudget), either)
    measure: Measure = key(Section(Measure), either)
    load: Load | None = key(Section(Load, optional=True), either)
    services: tuple[tuple[str, ServiceBudget], ...] = key(
        Several(item=Section(ServiceBudget), named=True, least=0), either
    )
    redis: RedisBudget | None = key(Section(RedisBudget, optional=True), either)
    allow_host_access: tuple[str, ...] = key(Several(item=TEXT), extended, example=["traefik"])
    waivers: tuple[Waiver, ...] = key(Several(item=Section(Waiver), least=0), either)
    forks: Forks = key(choice(tuple(Forks), Forks), later, "confirm")
    shards: Shards = key(Section(Shards), either)
    lines: tuple[tuple[str, int], ...] = ()
    notes: tuple[str, ...] = ()  # about the file, for the report
    is_default: bool = False  # there is no such file

    @property
    def tier(self) -> str | None:
        """Return the tier that the verdict is about; None: the smallest with memory.limit."""
        return self.tier_names[0] if self.tier_names else None

    def service(self, name: str) -> ServiceBudget:
        """Return the service's own limits, or none."""
        return dict(self.services).get(name, ServiceBudget())

    def growth_of(self, name: str) -> tuple[tuple[Growth, ...], str]:
        """Return the limits of a service's growth, and the key they stand at."""
        if own := self.service(name).max_growth:
            return own, f"services.{name}.max_growth"
        return self.memory.max_service_growth, "memory.max_service_growth"

    def where(self, key: str) -> str:
        """Return where a key was written ("budgets.yml:12"), or "default" for one that was not."""
        line = dict(self.lines).get(key)
        return f"{self.path}:{line}" if line else "default"
