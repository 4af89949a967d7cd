"""Whole reports, one per outcome: what the goldens are written from."""

from collections.abc import Callable, Mapping
from dataclasses import replace

import remarks
from factories import (
    LIMIT,
    LOG,
    MIB,
    SERVICES,
    make_check,
    make_images,
    make_memory,
    make_report,
    make_service,
    total_bytes,
)
from onegig.model.images import ImagesReport
from onegig.model.measured import Unknown
from onegig.model.memory import ServiceState
from onegig.model.report import Report
from onegig.model.state import State
from onegig.model.verdict import Unit
from remarks import NOT_LINTED, policy, remark, with_dockerfiles


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
        sentence="WARN: 956 of 1,024 MB, 68 MB (7 %) to spare, less than the required 10 %",
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


def make_remarked() -> Report:
    """Dockerfiles with remarks, and one that hadolint did not look at."""
    report = make_go()
    assert isinstance(report.images, ImagesReport)
    unlinted = policy("examples/Dockerfile", hadolint=NOT_LINTED)
    files = (*remarks.make_remarked(), unlinted)
    return replace(report, images=with_dockerfiles(report.images, *files))


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
    files = [policy(name, remark(name, 7, name)) for name in HOSTILE]
    report = make_report(
        make_memory(services, incomplete=HOSTILE),
        with_dockerfiles(make_images(HOSTILE), *files),
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
    "dockerfiles": make_remarked,
    "150-services": make_many,
}
