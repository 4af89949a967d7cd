"""Parts of reports as a run of the reference stack gives them.

Every number is derived from a few round ones, so that a test can say by hand what must be printed.
"""

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from hashlib import sha256

from accounts import with_accounts
from onegig.model.images import Dive, Image, ImagesReport, Layer, WastedFile
from onegig.model.measured import Environment, Missing
from onegig.model.memory import (
    Box,
    EnginePart,
    MemoryReport,
    Sample,
    ServiceMemory,
    ServiceState,
    Stall,
    Window,
)
from onegig.model.report import Report
from onegig.model.state import State
from onegig.model.verdict import Bar, Check, Unit, Verdict, Waterfall

MIB = 1024**2
MB = 1000**2
LIMIT = 1024 * MIB
OVERHEAD = 80 * MIB
MEMTOTAL = 949 * MIB
SERVICES: Mapping[str, float] = {  # RSS in MiB at the peak
    "redis-coordinator": 12.4,
    "market-data": 21.7,
    "telegram-bot": 14.2,
    "aggressor": 13.1,
    "momentum": 12.9,
    "mean-reversion": 13.0,
    "volatility": 12.8,
    "liquidity": 13.4,
    "order-flow": 13.3,
    "whale-watch": 12.7,
    "correlation": 14.6,
    "regime": 12.8,
    "funding": 12.2,
    "risk": 13.9,
    "signal-fusion": 13.8,
}
ENGINE = (("dockerd", 1, 68.2, 71.9), ("containerd", 1, 29.4, 33.0), ("shim", 15, 74.8, 298.1))
BASE_LAYERS = ((8.4, "alpine 3.23"), (14.6, "COPY runtime /usr/local"), (0.9, "COPY packages"))
LOG = """\
Traceback (most recent call last):
  File "/app/whale_watch.py", line 88, in main
    raise ConnectionError("redis-coordinator:6379 refused the connection")
ConnectionError: redis-coordinator:6379 refused the connection"""


def make_environment() -> Environment:
    return Environment(
        onegig_version="0.1.0",
        os="Ubuntu 24.04.3 LTS",
        kernel="6.17.0-1010-azure",
        architecture="x86_64",
        cpus=4,
        memory_bytes=15_990 * MIB,
        engine_version="28.0.4",
        cgroup_version=2,
        cgroup_driver="systemd",
        storage_driver="overlay2",
        runner="ubuntu24 20261115.1",
        bases="official",
    )


def make_service(name: str, rss_mib: float, **changes: object) -> ServiceMemory:
    rss = round(rss_mib * MIB)
    service = ServiceMemory(
        name=name,
        state=ServiceState.HEALTHY,
        cost_bytes=rss,
        rss_bytes=rss,
        pss_bytes=round(rss * 0.71),
        shmem_bytes=0,
        kernel_bytes=round(rss * 0.03),
        working_set_bytes=round(rss * 0.74),
        anon_bytes=round(rss * 0.55),
        file_bytes=round(rss * 0.2),
        peak_bytes=round(rss * 1.1),
        rss_min_bytes=round(rss * 0.96),
        rss_max_bytes=rss,
        processes=1,
        restarts=0,
        oom_kills=0,
        optional=name not in ("redis-coordinator", "market-data"),
        criticality="high",
    )
    return replace(service, **changes)  # type: ignore[arg-type]  # any field of the dataclass


def make_memory(services: Sequence[ServiceMemory], **changes: object) -> MemoryReport:
    engine = tuple(
        EnginePart(name=n, processes=p, pss_bytes=round(pss * MIB), rss_bytes=round(rss * MIB))
        for n, p, pss, rss in ENGINE
    )
    rss = sum(service.rss_bytes for service in services)
    engine_pss = sum(part.pss_bytes for part in engine)
    charged = round(rss * 0.74) + engine_pss
    report = MemoryReport(
        environment=make_environment(),
        window=Window(
            metric="cost",
            settle_seconds=5,
            seconds=15,
            hz=10,
            samples=150,
            boot_seconds=9.4,
            load="market-data: python -OO feed.py --rate 200",
        ),
        box=Box(
            mode="host engine",
            cap_bytes=LIMIT - OVERHEAD,
            cost_bytes=sum(service.cost_bytes for service in services) + engine_pss,
            shmem_bytes=0,
            kernel_bytes=sum(service.kernel_bytes for service in services),
            charged_bytes=charged,
            usage_bytes=round(charged * 1.2),
            peak_bytes=min(LIMIT - OVERHEAD, round(charged * 1.4)),
            peak_anon_bytes=round(charged * 1.05),
            total_rss_bytes=rss,
            total_pss_bytes=sum(service.pss_bytes for service in services),
            oom_kills=sum(service.oom_kills for service in services),
            stall=Stall(some_seconds=0.0, full_seconds=0.0),
        ),
        engine=engine,
        services=tuple(services),
        samples=tuple(_sample(i, services, engine_pss, charged) for i in range(150)),
        stack="crypto-desk",
    )
    return replace(report, **changes)  # type: ignore[arg-type]  # any field of the dataclass


def make_images(names: Iterable[str], own_mb: float = 0.4) -> ImagesReport:
    images = tuple(_image(name, own_mb) for name in names)
    shared = round(sum(size for size, _ in BASE_LAYERS) * MB)
    report = ImagesReport(
        environment=make_environment(),
        images=images,
        total_bytes=sum(image.size_bytes for image in images),
        disk_bytes=shared + sum(image.own_bytes for image in images),
        stack="crypto-desk",
    )
    return with_accounts(report)


def make_check(identity: str, subject: str, **changes: object) -> Check:
    check = Check(
        id=identity,
        subject=subject,
        title=identity,
        unit=Unit.MEMORY,
        value=0.0,
        limit=None,
        state=State.GO,
        message="",
        where="default",
    )
    return replace(check, **changes)  # type: ignore[arg-type]  # any field of the dataclass


def make_report(
    memory: MemoryReport | Missing,
    images: ImagesReport | Missing,
    *,
    state: State,
    sentence: str,
    failures: Sequence[Check] = (),
) -> Report:
    """A report whose passing checks follow from the figures and whose failing ones are given."""
    given = {(check.id, check.subject) for check in failures}
    passing = [c for c in _checks(memory, images) if (c.id, c.subject) not in given]
    total = memory if isinstance(memory, Missing) else total_bytes(memory)
    return Report(
        stack="crypto-desk",
        created="2026-11-23T20:44:00+00:00",
        commit="1f0c3e5a9b7d2468ace013579bdf02468ace1357",
        verdict=Verdict(
            state=state,
            sentence=sentence,
            total_bytes=total,
            limit_bytes=LIMIT,
            metric="cost",
            spread_bytes=(total - 9 * MIB, total) if isinstance(total, int) else total,
            checks=(*failures, *passing),
            waterfalls=() if isinstance(memory, Missing) else _waterfalls(memory),
            incomplete=(memory.reason,) if isinstance(memory, Missing) else memory.incomplete,
        ),
        images=images,
        memory=memory,
        reproduce="onegig check --tier aws-t2-micro",
    )


def total_bytes(memory: MemoryReport) -> int:
    """The headline by RSS: services, engine, overhead."""
    return memory.box.total_rss_bytes + memory.engine_pss_bytes + OVERHEAD


def _sample(index: int, services: Sequence[ServiceMemory], engine_pss: int, charged: int) -> Sample:
    """A pass at 10 Hz: a slow rise with a ripple that ends at the peak."""
    share = 1 - 0.02 * (1 - index / 149) - 0.01 * math.sin(index / 9) ** 2 * (index < 149)
    rss = tuple(round(service.rss_bytes * share) for service in services)
    return Sample(
        offset_seconds=index / 10,
        total_bytes=sum(rss) + engine_pss,
        cost_bytes=sum(rss) + engine_pss,
        charged_bytes=round(charged * share),
        rss_bytes=sum(rss) + engine_pss,
        engine_bytes=engine_pss,
        service_bytes=rss,
    )


def _image(name: str, own_mb: float) -> Image:
    own = round((own_mb + len(name) / 50) * MB)
    sizes = [(round(size * MB), text) for size, text in BASE_LAYERS]
    sizes.append((own, f"COPY {name} /app"))
    layers = tuple(
        Layer(
            diff_id=f"sha256:{size:064x}",
            chain_id=f"sha256:{sha256(text.encode()).hexdigest()}",
            size_bytes=size,
            compressed_bytes=round(size * 0.4),
            instruction=text,
        )
        for size, text in sizes
    )
    size = sum(layer.size_bytes for layer in layers)
    return Image(
        reference=f"crypto-desk/{name}:latest",
        image_id=f"sha256:{own:064x}",
        services=(name,),
        architecture="amd64",
        size_bytes=size,
        compressed_bytes=sum(layer.compressed_bytes for layer in layers),
        own_bytes=own,
        shared_bytes=size - own,
        base="official",
        layers=layers,
        dive=Dive(
            version="0.13.1",
            efficiency=0.9862,
            wasted_bytes=round(0.31 * MB),
            user_wasted_share=0.021,
            worst=(WastedFile(path="/etc/apk/world", copies=2, bytes=round(0.2 * MB)),),
        ),
    )


def _checks(memory: MemoryReport | Missing, images: ImagesReport | Missing) -> list[Check]:
    checks = [] if isinstance(memory, Missing) else _memory_checks(memory)
    return checks if isinstance(images, Missing) else [*checks, *_image_checks(images)]


def _memory_checks(memory: MemoryReport) -> list[Check]:
    total = total_bytes(memory)
    checks = [
        make_check(
            "memory.total",
            "stack",
            title="Memory of the stack",
            value=float(total),
            limit=float(LIMIT),
            where="budgets.yml:6",
        ),
        make_check(
            "memory.tier",
            "stack",
            title="Memory on aws-t2-micro",
            value=float(total),
            limit=float(MEMTOTAL),
            state=State.GO if total <= MEMTOTAL else State.WARN,
            message=f"{-(-total // MIB):,} MB do not fit the 949 MB that aws-t2-micro really has",
            blocking=False,
            where="tiers.toml",
        ),
    ]
    checks += [
        make_check(
            "service.memory",
            service.name,
            title=f"Memory of {service.name}",
            value=float(service.rss_bytes),
            limit=24.0 * MIB,
            where="budgets.yml:31",
        )
        for service in memory.services
        if service.rss_bytes < 24 * MIB
    ]
    return checks


def _image_checks(images: ImagesReport) -> list[Check]:
    def storage(identity: str, subject: str, title: str, value: int, limit: float) -> Check:
        over = value > limit
        return make_check(
            identity,
            subject,
            title=title,
            unit=Unit.STORAGE,
            value=float(value),
            limit=limit,
            state=State.NO_GO if over else State.GO,
            message=f"{title}: {-(-value // MB):,} of {limit / MB:,.0f} MB" if over else "",
            where="budgets.yml:12",
        )

    total, disk = images.total_bytes, images.disk_bytes
    checks = [
        storage("images.total", "stack", "Images added up", total, 1900.0 * MB),
        storage("disk.total", "stack", "Disk", disk, 30_000.0 * MB),
    ]
    for image in images.images:
        name = image.services[0]
        checks.append(
            storage("service.image", name, f"Image of {name}", image.size_bytes, 110.0 * MB)
        )
        if isinstance(image.dive, Dive):
            checks.append(
                make_check(
                    "image.efficiency",
                    name,
                    title=f"Efficiency of {name}",
                    unit=Unit.SHARE,
                    value=image.dive.efficiency,
                    limit=0.9,
                    at_most=False,
                )
            )
    return checks


def _waterfalls(memory: MemoryReport) -> tuple[Waterfall, ...]:
    engine, stack = memory.engine_pss_bytes, memory.box.total_rss_bytes

    def fall(machine: str, *first: Bar) -> Waterfall:
        steps = (
            *first,
            Bar(name="engine", bytes=engine, note="PSS"),
            Bar(name="stack", bytes=stack, note="RSS"),
        )
        return Waterfall(
            machine=machine,
            sold_bytes=LIMIT,
            steps=steps,
            headroom_bytes=LIMIT - sum(step.bytes for step in steps),
        )

    return (
        fall("the budget's 1,024 MB", Bar(name="kernel and OS", bytes=OVERHEAD)),
        fall(
            "aws-t2-micro",
            Bar(name="kernel", bytes=LIMIT - MEMTOTAL),
            Bar(name="OS", bytes=OVERHEAD),
        ),
    )
