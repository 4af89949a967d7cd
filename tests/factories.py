"""Parts of reports as a run of the reference stack gives them.

Every number is derived from a few round ones, so that a test can say by hand what must be printed.
"""

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import date
from hashlib import sha256

from accounts import with_accounts
from onegig.config.budgets import parse_budgets
from onegig.judge.tier import choose_tier
from onegig.judge.verdict import judge
from onegig.model.budgets import Budgets
from onegig.model.images import Dive, Image, ImagesReport, Layer, WastedFile
from onegig.model.measured import Environment, Missing
from onegig.model.memory import (
    Box,
    EnginePart,
    Faults,
    MemoryReport,
    Sample,
    Squeeze,
    SqueezedService,
    Stall,
    Start,
    Throttled,
    Window,
)
from onegig.model.report import Report
from onegig.model.service import ServiceMemory, ServiceState
from onegig.model.state import State
from onegig.model.verdict import Baseline, Check, Unit

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
TODAY = date(2026, 11, 23)
COMMIT = "9e8d7c6b5a4f3e2d1c0b9a8f7e6d5c4b3a2f1e0d"
LIMITS = b"""\
version: 1
compose: services/compose.yml
tier: aws-t2-micro
memory:
  limit: 1024MB
  headroom: 10%
images:
  total: 1.9GB
  each: 110MB
  min_efficiency: 90%
services:
  redis-coordinator: {memory: 90MB, image: 99MB}
  aggressor: {memory: 24MB}
  momentum: {memory: 24MB}
  market-data: {memory: 40MB}
"""
BUDGETS = parse_budgets("budgets.yml", LIMITS)
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


def stack(
    changes: Mapping[str, float] | None = None, without: Iterable[str] = ()
) -> list[ServiceMemory]:
    """The reference stack's services, some with another RSS in MiB."""
    sizes = {**SERVICES, **(changes or {})}
    return [make_service(name, rss) for name, rss in sizes.items() if name not in {*without}]


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


def make_throttled(names: Iterable[str], **changes: object) -> Throttled:
    """The stack at the baseline of aws-t2-micro: its health checks overlap, and hold."""
    throttled = Throttled(
        cpus=0.1,
        machine="aws-t2-micro",
        seconds=124.2,
        start=Start(seconds=83.0),
        services=tuple(
            SqueezedService(name=name, state=ServiceState.HEALTHY, oom_kills=0) for name in names
        ),
        window_bytes=round(915.4 * MIB),
        total_bytes=round(928.9 * MIB),
        health_checks=26,
        health_check_bytes=134 * MIB,
        samples=150,
    )
    return replace(throttled, **changes)  # type: ignore[arg-type]  # any field of the dataclass


def make_squeeze(names: Iterable[str], **changes: object) -> Squeeze:
    """The stack in the 786 MB that aws-t2-micro leaves it, under pressure."""
    squeeze = Squeeze(
        room_bytes=786 * MIB,
        machine="aws-t2-micro",
        seconds=41.6,
        window_seconds=15,
        services=tuple(
            SqueezedService(name=name, state=ServiceState.HEALTHY, oom_kills=0) for name in names
        ),
        engine_kills=0,
        stall=Stall(some_seconds=0.54, full_seconds=0.21),
        faults=Faults(major_per_second=31.4, refaults_per_second=912.7),
        cost_bytes=round(758.2 * MIB),
    )
    return replace(squeeze, **changes)  # type: ignore[arg-type]  # any field of the dataclass


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
    budgets: Budgets = BUDGETS,
    main: Baseline | None = None,
) -> Report:
    """The report of a run, as the judge sees it."""
    tier = choose_tier(budgets, memory, images)
    return Report(
        stack="crypto-desk",
        created="2026-11-23T20:44:00+00:00",
        commit=COMMIT,
        verdict=judge(budgets, images, memory, tier, today=TODAY, main=main),
        images=images,
        memory=memory,
        reproduce="onegig check",
    )


def with_failures(report: Report, failures: Iterable[Check], sentence: str = "NO-GO") -> Report:
    """The report with these failures beside its passing checks."""
    passing = (check for check in report.verdict.checks if check.state is State.GO)
    checks = (*failures, *passing)
    verdict = replace(report.verdict, state=State.NO_GO, sentence=sentence, checks=checks)
    return replace(report, verdict=verdict)


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
