"""Whole reports as a run of the reference stack gives them, one per outcome.

Every number is derived from a few round ones, so that a test can say by hand what must be printed.
"""

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace

from onegig.model.environment import Environment
from onegig.model.images import Dive, Image, ImagesReport, Layer, WastedFile
from onegig.model.measured import Missing, Unknown
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
from onegig.model.verdict import Check, Report, State, Step, Unit, Verdict, Waterfall

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
        rss_bytes=rss,
        pss_bytes=round(rss * 0.71),
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
            metric="rss",
            settle_seconds=5,
            seconds=15,
            hz=10,
            samples=150,
            boot_seconds=9.4,
            load="market-data: python -OO feed.py --rate 200",
        ),
        box=Box(
            mode="host engine",
            cap_bytes=LIMIT,
            charged_bytes=charged,
            usage_bytes=round(charged * 1.2),
            peak_bytes=min(LIMIT, round(charged * 1.4)),
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
    return ImagesReport(
        environment=make_environment(),
        images=images,
        total_bytes=sum(image.size_bytes for image in images),
        disk_bytes=shared + sum(image.own_bytes for image in images),
        stack="crypto-desk",
    )


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
            metric="rss",
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


def make_go() -> Report:
    memory = make_memory([make_service(name, rss) for name, rss in SERVICES.items()])
    sentence = "GO: 460 of 1,024 MB, 564 MB (55 %) to spare"
    return make_report(memory, make_images(SERVICES), state=State.GO, sentence=sentence)


def make_warn() -> Report:
    sizes = {**SERVICES, "market-data": 268.4, "correlation": 264.0}
    memory = make_memory([make_service(name, rss) for name, rss in sizes.items()])
    total = make_check(
        "memory.total",
        "stack",
        title="Memory of the stack",
        value=float(total_bytes(memory)),
        limit=float(LIMIT),
        state=State.WARN,
        message="956 of 1,024 MB: 68 MB (7 %) left, less than the headroom of 10 %",
        where="budgets.yml:6",
    )
    return make_report(
        memory,
        make_images(SERVICES),
        state=State.WARN,
        sentence="WARN: 956 of 1,024 MB, 68 MB (7 %) to spare, less than the 10 % asked for",
        failures=(total,),
    )


def make_no_go() -> Report:
    services = [make_service(name, rss) for name, rss in SERVICES.items() if name != "aggressor"]
    hog = make_service("aggressor", 712.3, state=ServiceState.OOM_KILLED, oom_kills=2, restarts=2)
    memory = make_memory([*services[:3], hog, *services[3:]])
    failures = (
        make_check(
            "memory.total",
            "stack",
            title="Memory of the stack",
            value=float(total_bytes(memory)),
            limit=float(LIMIT),
            state=State.NO_GO,
            message="1,159 of 1,024 MB: 135 MB over; aggressor takes 713 MB of it",
            where="budgets.yml:6",
        ),
        make_check(
            "service.state",
            "aggressor",
            title="State of aggressor",
            unit=Unit.COUNT,
            value=2.0,
            limit=0.0,
            state=State.NO_GO,
            message="aggressor was killed 2 times by the kernel for want of memory",
            where="services/compose.yml",
        ),
        make_check(
            "service.memory",
            "aggressor",
            title="Memory of aggressor",
            value=712.3 * MIB,
            limit=24.0 * MIB,
            state=State.NO_GO,
            message="aggressor takes 713 of 24 MB: 689 MB over",
            where="budgets.yml:31",
        ),
    )
    return make_report(
        memory,
        make_images(SERVICES),
        state=State.NO_GO,
        sentence="NO-GO: 1,159 of 1,024 MB, 135 MB (14 %) over; aggressor takes 713 MB",
        failures=failures,
    )


def make_incomplete() -> Report:
    reason = "the box did not come up: mount of /sys/fs/cgroup was refused"
    return make_report(
        Unknown(reason=reason),
        make_images(SERVICES),
        state=State.INCOMPLETE,
        sentence=f"INCOMPLETE: memory could not be measured: {reason}",
    )


def make_never_healthy() -> Report:
    ill = make_service("whale-watch", 9.8, state=ServiceState.UNHEALTHY, log_tail=LOG)
    services = [
        ill if name == "whale-watch" else make_service(name, rss) for name, rss in SERVICES.items()
    ]
    state = make_check(
        "service.state",
        "whale-watch",
        title="State of whale-watch",
        unit=Unit.COUNT,
        value=1.0,
        limit=0.0,
        state=State.NO_GO,
        message="whale-watch never turned healthy within 120 s",
        where="services/compose.yml",
    )
    return make_report(
        make_memory(services),
        make_images(SERVICES),
        state=State.NO_GO,
        sentence="NO-GO: whale-watch never turned healthy (120 s); memory 457 of 1,024 MB",
        failures=(state,),
    )


def make_one_service() -> Report:
    report = make_report(
        make_memory([make_service("web", 48.2)]),
        make_images(["web"]),
        state=State.GO,
        sentence="GO: 301 of 1,024 MB, 723 MB (70 %) to spare",
    )
    return replace(report, stack="web", commit="")


def make_many(count: int = 150) -> Report:
    """A large stack; every tenth service is over its own limit."""
    names = [f"worker-{i:03}" for i in range(count)]
    services = [make_service(name, 3.0 + (i * 7 % 40) / 10) for i, name in enumerate(names)]
    failures = tuple(
        make_check(
            "service.memory",
            service.name,
            title=f"Memory of {service.name}",
            value=float(service.rss_bytes),
            limit=2.0 * MIB,
            state=State.NO_GO,
            message=f"{service.name} is over its own limit of 2 MB",
            where=f"budgets.yml:{100 + i}",
        )
        for i, service in enumerate(services[::10])
    )
    return make_report(
        make_memory(services),
        make_images(names),
        state=State.NO_GO,
        sentence="NO-GO: worker-010 takes 6 of 2 MB; 15 more failures; memory 993 of 1,024 MB",
        failures=failures,
    )


HOSTILE = (
    "</td><script>alert(1)</script>",
    "[click](https://evil.example) ![x](https://evil.example/x.png)",
    "@everyone #1 GH-2 org/repo#3 :tada: www.evil.example",
    "`code` ``` <!-- --> </details>",
    "a|b|c\n\n# heading\n- item",
    "\x1b[31mred\x1b[0m \x1b]8;;https://evil.example\x07link\x1b]8;;\x07",
    "right\u202eleft zero\u200bwidth",
    "::error file=x::y %0A $math$ {{ 7 * 7 }} &#64;me",
)


def make_hostile() -> Report:
    """Names, messages, paths and logs as a stranger might choose them."""
    services = [make_service(name, 10.0, log_tail=f"{name}\n```\n{name}") for name in HOSTILE]
    failures = tuple(
        make_check(
            "service.memory",
            name,
            title=f"Memory of {name}",
            value=10.0 * MIB,
            limit=2.0 * MIB,
            state=State.NO_GO,
            message=f"{name} takes 10 of 2 MB",
            where=name,
        )
        for name in HOSTILE
    )
    report = make_report(
        make_memory(services, incomplete=HOSTILE),
        make_images(HOSTILE),
        state=State.NO_GO,
        sentence=f"NO-GO: {HOSTILE[2]} takes 10 of 2 MB",
        failures=failures,
    )
    return replace(report, stack=HOSTILE[0], reproduce=f"onegig check --budgets {HOSTILE[3]}")


REPORTS: Mapping[str, Callable[[], Report]] = {
    "go": make_go,
    "warn": make_warn,
    "no-go": make_no_go,
    "incomplete": make_incomplete,
    "never-healthy": make_never_healthy,
    "one-service": make_one_service,
    "150-services": make_many,
}


def _sample(index: int, services: Sequence[ServiceMemory], engine_pss: int, charged: int) -> Sample:
    """A pass at 10 Hz: a slow rise with a ripple that ends at the peak."""
    share = 1 - 0.02 * (1 - index / 149) - 0.01 * math.sin(index / 9) ** 2 * (index < 149)
    rss = tuple(round(service.rss_bytes * share) for service in services)
    return Sample(
        offset_seconds=index / 10,
        total_bytes=sum(rss) + engine_pss,
        charged_bytes=round(charged * share),
        engine_bytes=engine_pss,
        service_rss_bytes=rss,
    )


def _image(name: str, own_mb: float) -> Image:
    own = round((own_mb + len(name) / 50) * MB)
    sizes = [(round(size * MB), text) for size, text in BASE_LAYERS]
    sizes.append((own, f"COPY {name} /app"))
    layers = tuple(
        Layer(
            diff_id=f"sha256:{size:064x}",
            chain_id=f"sha256:{size + 1:064x}",
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
        compressed_bytes=round(size * 0.4),
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

    def fall(machine: str, *first: Step) -> Waterfall:
        steps = (
            *first,
            Step(name="engine", bytes=engine, note="PSS"),
            Step(name="stack", bytes=stack, note="RSS"),
        )
        return Waterfall(
            machine=machine,
            sold_bytes=LIMIT,
            steps=steps,
            headroom_bytes=LIMIT - sum(step.bytes for step in steps),
        )

    return (
        fall("the budget's 1,024 MB", Step(name="kernel and OS", bytes=OVERHEAD)),
        fall(
            "aws-t2-micro",
            Step(name="kernel", bytes=LIMIT - MEMTOTAL),
            Step(name="OS", bytes=OVERHEAD),
        ),
    )
