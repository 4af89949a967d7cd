"""Whole reports, one per outcome: what the goldens are written from."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace

import remarks
from factories import (
    BUDGETS,
    LOG,
    MIB,
    SERVICES,
    TODAY,
    make_check,
    make_images,
    make_memory,
    make_report,
    make_service,
    make_squeeze,
    make_throttled,
    stack,
    with_failures,
)
from onegig.config.budgets import parse_budgets
from onegig.judge.confidence import predict
from onegig.model.images import ImagesReport
from onegig.model.measured import Skipped, Unknown
from onegig.model.memory import MemoryReport, Reboot
from onegig.model.plan import Plan, Verified
from onegig.model.redis import ServiceRedis
from onegig.model.report import Report
from onegig.model.service import ServiceMemory, ServiceState
from onegig.model.settings import HugePages, Settings
from onegig.model.state import State
from onegig.plan.case import Case
from onegig.plan.options import make_plan, with_verified
from redis_audits import make_audit, rename_audit
from remarks import NOT_LINTED, policy, remark, with_dockerfiles
from twins import make_twin, make_twin_memory, reading

SETTINGS = Settings(
    vcpus=1,
    cpus=1,
    thp=HugePages.MADVISE,
    overcommit=0,
    swappiness=60,
    swap_bytes=0,
    zram_bytes=0,
    kernel="6.14.0-1017-azure",
    cgroup_version=2,
)


def run(services: Sequence[ServiceMemory], **changes: object) -> Report:
    """A judged run of these services."""
    return make_report(make_memory(services, **changes), make_images(s.name for s in services))


def make_go() -> Report:
    return run(stack(), settings=SETTINGS)


def make_warn() -> Report:
    """Little is left on the tier, and the kernel had to read pages again there."""
    services = stack({"telegram-bot": 260.9, "correlation": 264.0})
    names = [service.name for service in services]
    return run(services, squeeze=make_squeeze(names), throttled=make_throttled(names))


def make_too_large() -> Report:
    """Within the limit, but the kernel kills in what the tier leaves."""
    services = stack({"telegram-bot": 260.9, "correlation": 264.0})
    squeeze = make_squeeze(service.name for service in services)
    first = replace(squeeze.services[0], oom_kills=2, state=ServiceState.OOM_KILLED)
    killed = replace(squeeze, services=(first, *squeeze.services[1:]))
    return run(services, squeeze=killed)


def make_no_go() -> Report:
    hog = make_service("aggressor", 712.3, state=ServiceState.OOM_KILLED, oom_kills=2, restarts=2)
    return run([hog if entry.name == hog.name else entry for entry in stack()])


def make_incomplete() -> Report:
    reason = "the box did not come up: mount of /sys/fs/cgroup was refused"
    return make_report(Unknown(reason=reason), make_images(SERVICES))


def make_never_healthy() -> Report:
    ill = make_service("whale-watch", 9.8, state=ServiceState.UNHEALTHY, log_tail=LOG)
    return run([ill if entry.name == ill.name else entry for entry in stack()])


def make_remarked() -> Report:
    """Dockerfiles with remarks, and one that hadolint did not look at."""
    report = make_go()
    assert isinstance(report.images, ImagesReport)
    unlinted = policy("examples/Dockerfile", hadolint=NOT_LINTED)
    files = (*remarks.make_remarked(), unlinted)
    return replace(report, images=with_dockerfiles(report.images, *files))


def make_one_service() -> Report:
    return replace(run([make_service("web", 48.2)]), stack="web", commit="")


def make_redis() -> Report:
    """A Redis that was audited, and one that could not be."""
    denied = Unknown(reason="the server asks for a client's certificate")
    audits = (
        ServiceRedis(service="redis-coordinator", audit=make_audit()),
        ServiceRedis(service="sessions", audit=denied),
    )
    services = [make_service("redis-coordinator", 262.4), make_service("sessions", 3.1)]
    report = replace(run(services), stack="redis", commit="")
    assert isinstance(report.memory, MemoryReport)
    return replace(report, memory=replace(report.memory, redis=audits))


def make_many(count: int = 150) -> Report:
    """A large stack; every tenth service is over its own limit."""
    names = [f"worker-{i:03}" for i in range(count)]
    services = [make_service(name, 3.0 + (i * 7 % 40) / 10) for i, name in enumerate(names)]
    limits = "".join(f"  {name}: {{memory: 2MB}}\n" for name in names[::10])
    budgets = parse_budgets("budgets.yml", f"version: 1\nservices:\n{limits}".encode())
    return make_report(make_memory(services), make_images(names), budgets)


def with_plan(report: Report, **verified: Verified) -> Report:
    """The report with its plan, some of whose options were booted."""
    assert isinstance(report.memory, MemoryReport)
    case = Case(
        report=report,
        memory=report.memory,
        stack=Skipped(reason="the compose project was not read"),
        budgets=BUDGETS,
        today=TODAY,
    )
    plan = make_plan(case)
    assert isinstance(plan, Plan)
    for name, found in verified.items():
        plan = with_verified(plan, name, found)
    return replace(report, plan=plan)


def make_planned() -> Report:
    """46 MB over, with a plan: A was booted and holds, pages of shims could be saved, too."""
    ranks = ["critical", "critical", "medium", "high", "high", "medium", "high", "medium", "high"]
    sizes = dict.fromkeys(list(SERVICES), 54.47)
    services = [
        make_service(name, size, criticality=rank)
        for (name, size), rank in zip(sizes.items(), [*ranks, *["low"] * 6], strict=True)
    ]
    trial = Verified(
        total_bytes=838 * MIB,
        start_bytes=842 * MIB,
        state=State.GO,
        fit=predict([842 * MIB], 1024 * MIB, noise=0.03),
        left_bytes=100 * MIB,
    )
    return with_plan(run(services, settings=SETTINGS), A=trial)


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
    squeeze = make_squeeze(HOSTILE, machine=HOSTILE[1], problem=HOSTILE[4])
    files = [policy(name, remark(name, 7, name)) for name in HOSTILE]
    images = with_dockerfiles(make_images(HOSTILE), *files)
    audits = tuple(ServiceRedis(service=name, audit=rename_audit(name)) for name in HOSTILE)
    memory = make_memory(services, incomplete=HOSTILE, squeeze=squeeze, redis=audits)
    report = make_report(memory, images)
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
    report = with_failures(report, failures, f"NO-GO: {HOSTILE[2]} takes 10 of 2 MB")
    reproduce = f"onegig check --budgets {HOSTILE[3]}"
    over = make_check("memory.total", "stack", value=1070.0 * MIB, limit=1024.0 * MIB)
    planned = with_plan(with_failures(report, (over,), ""))
    return replace(report, stack=HOSTILE[0], reproduce=reproduce, plan=planned.plan)


def make_twin_report() -> Report:
    """On a virtual machine that fits the stack with its swap only."""
    lowest = reading(9, engine=236, services=640)
    twin = make_twin(
        837,
        830,
        peak=lowest,
        lowest=lowest,
        swap_bytes=1024 * MIB,
        swap_kind="swap",
        swap_peak_bytes=212 * MIB,
        held_bytes=1062 * MIB,
        swapped_in_bytes=31 * MIB,
    )
    reboot = Reboot(
        down_seconds=31.0,
        ready_seconds=42.4,
        timed_out=False,
        services=(),
        absent=("funding",),
        peak_bytes=812 * MIB,
        available_bytes=34 * MIB,
        oom_kills=0,
    )
    return make_report(make_twin_memory(twin, reboot=reboot), make_images(SERVICES))


REPORTS: Mapping[str, Callable[[], Report]] = {
    "go": make_go,
    "warn": make_warn,
    "no-go": make_no_go,
    "too-large": make_too_large,
    "incomplete": make_incomplete,
    "never-healthy": make_never_healthy,
    "one-service": make_one_service,
    "redis": make_redis,
    "dockerfiles": make_remarked,
    "150-services": make_many,
    "twin": make_twin_report,
    "planned": make_planned,
}
