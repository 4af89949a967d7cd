"""What to do: each kind of failure names its own cause, in a handful of steps."""

from collections.abc import Callable, Mapping
from dataclasses import replace

import pytest

from factories import (
    BUDGETS,
    LOG,
    MIB,
    SERVICES,
    make_images,
    make_memory,
    make_report,
    make_service,
    stack,
)
from onegig.config.budgets import parse_budgets
from onegig.judge.baseline import make_baseline
from onegig.model.images import NOT_ACCOUNTED, Accounting, ImagesReport
from onegig.model.measured import Unknown
from onegig.model.report import Report
from onegig.model.service import ServiceMemory, ServiceState, Trend
from onegig.model.state import State
from onegig.report.advice import MOST, Step, steps
from reviews import MAIN, make_many, review, with_layer
from scenarios import run

TORCH = "RUN pip install torch"
CACHE_LEFT = f"`{TORCH}` in layer 5 left 50 MB in /root/.cache/pip: add --no-cache-dir"


def with_service(service: ServiceMemory) -> Report:
    """A run in which one service fared badly."""
    memory = make_memory([service, *stack(without=[service.name])])
    return make_report(memory, make_images(SERVICES))


def killed(name: str, **changes: object) -> ServiceMemory:
    return make_service(name, 20.0, state=ServiceState.OOM_KILLED, oom_kills=1, **changes)


def large_images(limit: bytes, *, accounted: bool = True) -> Report:
    budgets = parse_budgets("budgets.yml", b"version: 1\nimages:\n  " + limit)
    images = with_layer(make_images(SERVICES), "risk", TORCH, 200.0)
    if not accounted:
        bare = tuple(replace(image, accounting=NOT_ACCOUNTED) for image in images.images)
        images = replace(images, images=bare)
    return make_report(make_memory(stack()), images, budgets)


def beside_main(limit: bytes, sizes: Mapping[str, float], grown: str = "") -> Report:
    """A run that is judged and compared with the branch's."""
    images = make_images(SERVICES)
    if grown:
        images = with_layer(images, grown, TORCH, 200.0)
    memory, main = make_memory(stack(sizes)), make_baseline(MAIN, {})
    report = make_report(memory, images, parse_budgets("budgets.yml", limit), main=main)
    return review(report)


def leaking() -> Report:
    """A run in which a service grows by 6 MB a minute, and may not."""
    rates = {f"{name}bytes_per_second": MIB / 10 for name in ("", "low_", "high_")}
    grown = make_service("risk", 14, trend=Trend(**rates, grows=True))
    budgets = parse_budgets("budgets.yml", b"services: {risk: {max_growth: 1MB/h}}")
    memory = make_memory([grown, *stack(without=["risk"])])
    return make_report(memory, make_images(SERVICES), budgets)


def without_fixes(images: ImagesReport) -> ImagesReport:
    bare = (
        replace(image, accounting=replace(image.accounting, fixes=()))
        for image in images.images
        if isinstance(image.accounting, Accounting)
    )
    return replace(images, images=tuple(bare))


CASES: Mapping[str, tuple[Callable[[], Report], Step]] = {
    "killed by its own limit": (
        lambda: with_service(killed("risk", limit_bytes=64 * MIB, own_limit_kills=1)),
        Step(
            text="Make risk smaller or raise its own limit, which it reached when it was killed",
            place="services/compose.yml",
        ),
    ),
    "killed for another's hunger": (
        lambda: with_service(killed("risk", peak_bytes=21 * MIB)),
        Step(
            text="Make market-data smaller: it took 22 MB when the machine was full (944 MB) "
            "and risk was killed"
        ),
    ),
    "crashed": (
        lambda: with_service(make_service("risk", 1.0, state=ServiceState.CRASHED, log_tail=LOG)),
        Step(text="Fix risk, which crashed: its last lines are below"),
    ),
    "ill without a word": (
        lambda: with_service(make_service("risk", 1.0, state=ServiceState.UNHEALTHY)),
        Step(text="Fix risk, which is unhealthy: it left no log"),
    ),
    "a service over its limit": (
        lambda: run(stack({"aggressor": 31.7})),
        Step(text="Reduce the memory of aggressor by 8 MB", place="budgets.yml:13"),
    ),
    "a new service over the machine": (
        lambda: review(run(stack({"giant": 700.0}))),
        Step(text="Free 136 MB: giant is new and takes 700 MB", place="budgets.yml:5"),
    ),
    "too much without a baseline": (
        lambda: run(stack({"risk": 600.0, "regime": 90.0})),
        Step(
            text="Free 99 MB: the largest are risk (600 MB), regime (90 MB), market-data (22 MB)",
            place="budgets.yml:5",
        ),
    ),
    "too much as before": (
        lambda: review(run(stack({"risk": 700.0})), run(stack({"risk": 700.0}))),
        Step(
            text="Free 122 MB: no service grew against main; the largest are risk (700 MB), "
            "market-data (22 MB), correlation (15 MB)",
            place="budgets.yml:5",
        ),
    ),
    "an image": (
        lambda: large_images(b"each: 110MB"),
        Step(
            text="Make the image of risk smaller by 115 MB; 50 MB can go:",
            fix=CACHE_LEFT,
            fix_place="services/Dockerfile:31",
            place="budgets.yml:3",
        ),
    ),
    "an image that is not accounted for": (
        lambda: large_images(b"each: 110MB", accounted=False),
        Step(
            text="Make the image of risk smaller by 115 MB; its largest layer takes 200 MB:",
            quoted=TORCH,
            place="budgets.yml:3",
        ),
    ),
    "all images": (
        lambda: large_images(b"total: 400MB"),
        Step(
            text="Make the images smaller by 168 MB: the largest is that of risk; 50 MB can go:",
            fix=CACHE_LEFT,
            fix_place="services/Dockerfile:31",
            place="budgets.yml:3",
        ),
    ),
    "all images against main": (
        lambda: review(large_images(b"total: 400MB")),
        Step(
            text="Make the images smaller by 168 MB: that of risk grew from 25 to 225 MB against "
            "main; 50 MB can go:",
            fix=CACHE_LEFT,
            fix_place="services/Dockerfile:31",
            place="budgets.yml:3",
        ),
    ),
    "dead bytes": (
        lambda: large_images(b"max_dead: 200kB"),
        Step(
            text="Remove 0.1 MB of dead bytes from the image of redis-coordinator:",
            fix="`COPY packages` in layer 3 removes 0.21 MB that layer 2 added: remove them where "
            "they are added",
            place="budgets.yml:3",
        ),
    ),
    "dead bytes of the base": (
        lambda: large_images(b"max_base_dead: 50kB"),
        Step(
            text="Choose a base with 0.1 MB fewer dead bytes for the image of redis-coordinator",
            place="budgets.yml:3",
        ),
    ),
    "memory that grew": (
        lambda: beside_main(b"memory: {max_growth: 10%}", {"risk": 90.0}),
        Step(text="Free 32 MB: risk grew from 14 to 90 MB against main", place="budgets.yml:1"),
    ),
    "a service that grew": (
        lambda: beside_main(b"memory: {max_service_growth: 5MB}", {"risk": 90.0}),
        Step(
            text="Reduce the memory of risk by 71.2 MB: it grew from 14 to 90 MB against main",
            place="budgets.yml:1",
        ),
    ),
    "a service that leaks": (
        leaking,
        Step(text="Find out what risk never frees, or limit its caches", place="budgets.yml:1"),
    ),
    "an image that grew": (
        lambda: beside_main(b"images: {max_growth: 5MB}", {}, grown="risk"),
        Step(
            text="Make the image of risk smaller by 195.0 MB: it grew from 25 to 225 MB against "
            "main; 50 MB can go:",
            fix=CACHE_LEFT,
            fix_place="services/Dockerfile:31",
            place="budgets.yml:1",
        ),
    ),
    "dead bytes without a fix": (
        lambda: make_report(
            make_memory(stack()),
            without_fixes(make_images(SERVICES)),
            parse_budgets("budgets.yml", b"version: 1\nimages: {max_dead: 200kB}"),
        ),
        Step(
            text="Remove 0.1 MB of dead bytes from the image of redis-coordinator: 0.3 MB of layer "
            "2 are deleted with a directory by",
            quoted="COPY packages",
            place="budgets.yml:2",
        ),
    ),
    "files written twice": (
        lambda: large_images(b"min_efficiency: 99%"),
        Step(
            text="Write each file in the image of redis-coordinator only once: 2 copies, 0.2 MB of",
            quoted="/etc/apk/world",
            place="budgets.yml:3",
        ),
    ),
}


@pytest.mark.parametrize("case", CASES)
def test_the_first_step_names_the_cause(case: str) -> None:
    make, step = CASES[case]
    report = make()
    assert report.verdict.state is State.NO_GO
    assert steps(report)[0] == step


def test_what_was_never_started_is_left_to_its_cause() -> None:
    waiting = make_service("risk", 0.0, state=ServiceState.WAITING)
    assert steps(with_service(waiting)) == ()


def test_a_lone_service_is_the_largest() -> None:
    (step,) = steps(run([make_service("web", 1300)]))
    assert step.text == "Free 529 MB: the largest is web (1,300 MB)"


@pytest.mark.parametrize("count", [150, 2000])
def test_steps_are_a_handful(count: int) -> None:
    result = steps(make_many(count))
    assert 1 <= len(result) <= MOST
    assert len({step.text for step in result}) == len(result)


def test_new_failures_come_first() -> None:
    sizes = {"momentum": 40.0}
    report = review(run(stack({**sizes, "aggressor": 25.1})), run(stack(sizes)))
    assert [step.text.split()[4] for step in steps(report)] == ["aggressor", "momentum"]


@pytest.mark.parametrize(("rss_mib", "state"), [(13.0, State.GO), (500.0, State.WARN)])
def test_what_is_no_no_go_needs_nothing_done(rss_mib: float, state: State) -> None:
    report = run(stack({"risk": rss_mib}))
    assert report.verdict.state is state
    assert steps(report) == ()


def test_a_run_without_numbers_gives_no_steps() -> None:
    gap = Unknown(reason="no engine")
    assert steps(make_report(gap, gap, BUDGETS)) == ()
