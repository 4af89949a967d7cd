"""Pull requests of the reference stack, one per outcome: judged and compared by the real judge.

The branch's own run gives the baseline. What a pull request does is said in figures; verdict,
deltas and what is inherited follow from them.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from datetime import date

from accounts import with_top_layer
from factories import (
    BUDGETS,
    LIMITS,
    LOG,
    MB,
    SERVICES,
    make_images,
    make_memory,
    make_report,
    make_service,
    stack,
)
from onegig.config.budgets import parse_budgets
from onegig.judge.baseline import make_baseline
from onegig.judge.compare import compare
from onegig.judge.limits import limit_changes
from onegig.model.budgets import Waiver
from onegig.model.images import Accounting, Image, ImagesReport, Layer
from onegig.model.measured import Missing, Skipped, Unknown
from onegig.model.report import Comparison, Failure, LimitChange, Report, Review
from onegig.model.service import ServiceState
from remarks import make_before, make_remarked, policy, remark, with_dockerfiles
from scenarios import HOSTILE, run

HEAD = "1f0c3e5a9b7d2468ace013579bdf02468ace1357"
BASE = "77aa55cc33ee11998877665544332211ffeeddcc"
OLDER = "abc1234567def890abc1234567def890abc12345"
RUN_URL = "https://github.com/crypto-desk/desk/actions/runs/19600000001"
EVIL_RUN = "https://evil.example/crypto-desk/desk/actions/runs/1"
NO_BASELINE = Skipped(reason="no baseline yet: the first run on main that succeeds writes it")


MAIN = run(stack())


def review(
    report: Report, main: Report | Missing = MAIN, behind: int = 0, **changes: object
) -> Report:
    """The report beside the branch's."""
    comparison: Comparison | Missing = NO_BASELINE
    if isinstance(main, Report):
        commit = OLDER if behind else BASE
        baseline = make_baseline(replace(main, commit=commit), {})
        comparison = compare(report, baseline, behind)
    result = Review(
        head_sha=HEAD,
        base_sha=BASE,
        base_branch="main",
        branch_behind=0,
        comparison=comparison,
        run_url=RUN_URL,
    )
    return replace(report, review=replace(result, **changes))  # type: ignore[arg-type]


def with_layer(
    images: ImagesReport, service: str, instruction: str, size_mb: float
) -> ImagesReport:
    """One more layer on a service's image."""
    size = round(size_mb * MB)
    layer = Layer(
        diff_id=f"sha256:{size:064x}",
        chain_id=f"sha256:{size + 7:064x}",
        size_bytes=size,
        compressed_bytes=size // 3,
        instruction=instruction,
    )

    def grown(image: Image) -> Image:
        account, at = image.accounting, len(image.layers)
        if isinstance(account, Accounting):
            account = with_top_layer(account, at, size, instruction)
        return replace(
            image,
            accounting=account,
            layers=(*image.layers, layer),
            size_bytes=image.size_bytes + size,
            own_bytes=image.own_bytes + size,
        )

    return replace(
        images,
        images=tuple(
            grown(entry) if service in entry.services else entry for entry in images.images
        ),
        total_bytes=images.total_bytes + size,
        disk_bytes=images.disk_bytes + size,
    )


def make_go() -> Report:
    """A service that grew a little."""
    return review(run(stack({"market-data": 33.9})))


def make_warn() -> Report:
    """Less headroom than asked for."""
    return review(run(stack({"telegram-bot": 311.0, "correlation": 247.5, "risk": 12.1})))


def make_no_go() -> Report:
    """A service that outgrew the machine, killed twice, in an image with one layer too many."""
    hog = make_service("aggressor", 712.3, state=ServiceState.OOM_KILLED, oom_kills=2, restarts=2)
    services = [*stack(without=["aggressor"]), hog]
    images = make_images(service.name for service in services)
    torch = "RUN pip install torch==2.9.1"
    return review(make_report(make_memory(services), with_layer(images, "aggressor", torch, 118.6)))


def make_build_failed() -> Report:
    """Nothing was measured."""
    failure = Failure(
        message="the image of market-data could not be built",
        command="docker buildx bake market-data",
        advice="mend the Dockerfile at the failing step and run again",
        detail="Dockerfile:12\n--------------------\n  12 | >>> RUN apk add ta-lib\n"
        "ERROR: unable to select packages:\n  ta-lib (no such package)",
        exit_code=3,
        place="services/Dockerfile:12",
    )
    gap = Unknown(reason=failure.message)
    return replace(review(make_report(gap, gap)), failure=failure)


def make_many(count: int) -> Report:
    """A large stack; one service in twelve grew, one in ten is over its own limit."""
    names = [f"worker-{i:04}" for i in range(count)]
    sizes = [3.0 + (i * 7 % 40) / 10 for i in range(count)]
    limits = "".join(f"  {name}: {{memory: 2MB}}\n" for name in names[::10])
    budgets = parse_budgets("budgets.yml", f"version: 1\nservices:\n{limits}".encode())

    def large_stack(grown: float) -> Report:
        services = [
            make_service(name, size + (grown if i % 12 == 8 else 0.0))
            for i, (name, size) in enumerate(zip(names, sizes, strict=True))
        ]
        return make_report(make_memory(services), make_images(names), budgets)

    return review(large_stack(2.5), large_stack(0.0))


def make_first_run() -> Report:
    """No baseline yet."""
    return review(run(stack()), NO_BASELINE)


def make_from_fork() -> Report:
    """Measured by a stranger's job, by files that the stranger changed."""
    return review(
        run(stack({"funding": 15.3})),
        self_reported="stranger/desk",
        measuring_changes=(".github/workflows/gate.yml", "services/market-data/feed.py"),
        confirm_command=f"gh workflow run comment.yml -f pull=12 -f head={'5' * 40}",
        confirm_url="https://github.com/crypto-desk/desk/actions/workflows/comment.yml",
    )


def make_new_and_removed() -> Report:
    """Two services came, one went."""
    names = {"ticker": 18.0, "order-book": 16.4}
    return review(run(stack(names, without=["funding"])))


def make_inherited() -> Report:
    """What fails, failed on the branch."""
    ill = make_service("whale-watch", 9.8, state=ServiceState.UNHEALTHY, log_tail=LOG)
    services = [ill, *stack({"momentum": 26.1, "risk": 16.2}, without=["whale-watch"])]
    main = [ill, *stack({"momentum": 26.1}, without=["whale-watch"])]
    return review(run(services), run(main))


def make_some_inherited() -> Report:
    """One failure is new, one is not."""
    new = run(stack({"momentum": 26.1, "aggressor": 31.7}))
    return review(new, run(stack({"momentum": 26.1})))


def make_limits_changed() -> Report:
    """The pull request raises a limit that it would break."""
    text = LIMITS.replace(b"1024MB", b"1536MB").replace(b"aggressor: {memory: 24MB}", b"")
    text = text.replace(b"each: 110MB", b"each: 90MB")
    proposed = parse_budgets("budgets.yml", text)
    report = run(stack({"aggressor": 31.7}))
    by_proposed = make_report(report.memory, report.images, proposed).verdict.sentence
    return review(report, limit_changes=limit_changes(BUDGETS, proposed), proposed=by_proposed)


def make_waived() -> Report:
    """One failure is waived, the waiver of another has expired, a third is not needed."""
    waived = BUDGETS.waivers
    for metric, subject, expires in (
        ("service.memory", "aggressor", date(2026, 11, 30)),
        ("service.memory", "momentum", date(2026, 11, 20)),
        ("disk.total", None, date(2027, 3, 1)),
    ):
        waiver = Waiver(
            check=metric,
            subject=subject,
            reason="the order book is kept twice until #123 is done",
            owner="@desk-ops",
            expires=expires,
        )
        waived = (*waived, waiver)
    sizes = {"aggressor": 31.7, "momentum": 26.1}
    memory, images = make_memory(stack(sizes)), make_images(SERVICES)
    return review(make_report(memory, images, replace(BUDGETS, waivers=waived)))


def make_behind() -> Report:
    """The baseline is older than it should be, and so is the branch."""
    memory = make_memory(stack({"market-data": 24.9}))
    env = replace(memory.environment, engine_version="29.1.2", kernel="6.18.0-1003-azure")
    report = make_report(replace(memory, environment=env), make_images(SERVICES))
    return review(report, behind=3, branch_behind=2)


def make_dockerfiles() -> Report:
    """Dockerfiles that main's were better than."""
    memory, images = make_memory(stack()), make_images(SERVICES)
    main = make_report(memory, with_dockerfiles(images, *make_before()))
    return review(make_report(memory, with_dockerfiles(images, *make_remarked())), main)


def make_hostile(names: Sequence[str] = HOSTILE, run_url: str = EVIL_RUN) -> Report:
    """Whatever a stranger can name, named as one might; at least six names, all different."""
    services = [make_service(name, 10.0, log_tail=f"{name}\n```\n{name}") for name in names]
    before = [make_service(name, 5.0) for name in (*names[:4], *(f"{n}!" for n in names))]
    images = make_images(names)
    for name in names:
        images = with_layer(images, name, name, 120.0)
    files = (policy(n, remark(n, at + 1, n.replace("`", "'"))) for at, n in enumerate(names))
    gap = policy("Dockerfile", hadolint=Unknown(reason=names[0]))
    images = with_dockerfiles(images, *files, gap)
    report = make_report(make_memory(services, incomplete=tuple(names)), images)
    failure = Failure(
        message=f"the run ended: {names[1]}",
        command=names[3],
        advice=names[2],
        detail="\n".join(names),
        exit_code=4,
        place=names[0],
    )
    report = review(
        replace(report, stack=names[0], failure=failure, reproduce=f"onegig check {names[3]}"),
        run(before),
        base_branch=names[4],
        branch_behind=Unknown(reason=names[2]),
        limit_changes=tuple(LimitChange(key=n, old=n, new=n, looser=True) for n in names),
        proposed=names[1],
        self_reported=names[2],
        measuring_changes=tuple(names),
        confirmed_by=names[3],
        run_url=run_url,
    )
    assert report.review is not None
    assert isinstance(report.review.comparison, Comparison)
    comparison = replace(report.review.comparison, behind=2, differences=tuple(names))
    checks = tuple(replace(check, waived=names[5]) for check in report.verdict.checks)
    return replace(
        report,
        review=replace(report.review, comparison=comparison),
        verdict=replace(report.verdict, checks=checks, notes=tuple(names)),
    )


REVIEWS: Mapping[str, Callable[[], Report]] = {
    "go": make_go,
    "warn": make_warn,
    "no-go": make_no_go,
    "build-failed": make_build_failed,
    "150-services": lambda: make_many(150),
    "2000-services": lambda: make_many(2000),
    "first-run": make_first_run,
    "from-a-fork": make_from_fork,
    "hostile": make_hostile,
    "new-and-removed": make_new_and_removed,
    "inherited": make_inherited,
    "some-inherited": make_some_inherited,
    "limits-changed": make_limits_changed,
    "waived": make_waived,
    "main-behind": make_behind,
    "dockerfiles": make_dockerfiles,
}
