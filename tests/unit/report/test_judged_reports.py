"""Reports as the judge makes them, with all that can be missing, in every renderer."""

import re
from collections.abc import Callable
from dataclasses import replace

import pytest

from factories import MIB, SERVICES, make_images, make_memory, make_service
from judging import TODAY
from onegig.judge.verdict import judge
from onegig.model.budgets import Budgets, ImagesBudget, MemoryBudget, Metric, ServiceBudget
from onegig.model.images import ImagesReport
from onegig.model.measured import Missing, Skipped, Unknown
from onegig.model.memory import MemoryReport
from onegig.model.report import Report
from onegig.model.service import ServiceState
from onegig.model.state import State
from onegig.model.tiers import catalogue
from onegig.report import RENDERERS
from scenarios import HOSTILE

BUDGETS = Budgets(
    path="budgets.yml",
    compose="compose.yml",
    images=ImagesBudget(each_bytes=110 * 1000**2, max_wasted_bytes=1000**2),
    services=(("redis-coordinator", ServiceBudget(memory_bytes=90 * MIB)),),
)


def judged(
    memory: MemoryReport | Missing,
    images: ImagesReport | Missing,
    metric: Metric = Metric.RSS,
    tier: str = "aws-t2-micro",
) -> Report:
    budgets = replace(BUDGETS, memory=MemoryBudget(metric=metric))
    if isinstance(memory, MemoryReport):
        memory = replace(memory, window=replace(memory.window, metric=metric.value))
    return Report(
        stack="crypto-desk",
        created="2026-11-23T20:44:00+00:00",
        commit="",
        verdict=judge(budgets, images, memory, catalogue()[tier], today=TODAY),
        images=images,
        memory=memory,
        reproduce="onegig check",
    )


def measured(*names: str) -> MemoryReport:
    return make_memory([make_service(name, 13.0) for name in names or SERVICES])


def without_dive() -> ImagesReport:
    images = make_images(SERVICES)
    dive = Unknown(reason="dive took longer than 60 s")
    return replace(images, images=tuple(replace(image, dive=dive) for image in images.images))


def without_kernel_figures() -> MemoryReport:
    memory = measured()
    old = Unknown(reason="kernel older than 5.19")
    return replace(memory, box=replace(memory.box, peak_bytes=old, stall=old), samples=())


def crashed() -> MemoryReport:
    ill = make_service("risk", 0.0, state=ServiceState.CRASHED, restarts=7, log_tail="boom")
    return make_memory([make_service("redis-coordinator", 12.0), ill])


CASES: dict[str, tuple[State, Callable[[], Report]]] = {
    "all well": (State.GO, lambda: judged(measured(), make_images(SERVICES))),
    "by PSS": (State.GO, lambda: judged(measured(), make_images(SERVICES), Metric.PSS)),
    "by charge": (State.GO, lambda: judged(measured(), make_images(SERVICES), Metric.CHARGED)),
    "no dive": (State.WARN, lambda: judged(measured(), without_dive())),
    "no images": (State.INCOMPLETE, lambda: judged(measured(), Skipped(reason="not asked for"))),
    "no memory": (
        State.INCOMPLETE,
        lambda: judged(Unknown(reason="no engine"), make_images(SERVICES)),
    ),
    "nothing": (
        State.INCOMPLETE,
        lambda: judged(Unknown(reason="no engine"), Unknown(reason="no engine")),
    ),
    "old kernel": (State.GO, lambda: judged(without_kernel_figures(), make_images(SERVICES))),
    "crash loop": (State.NO_GO, lambda: judged(crashed(), make_images(["redis-coordinator"]))),
    "hostile": (State.GO, lambda: judged(measured(*HOSTILE), make_images(HOSTILE))),
}


@pytest.mark.parametrize("tier", ["aws-t2-micro", "gcp-e2-micro"])
@pytest.mark.parametrize("name", RENDERERS)
def test_every_tier_renders(name: str, tier: str) -> None:
    assert tier in RENDERERS[name](judged(measured(), make_images(SERVICES), tier=tier))


@pytest.mark.parametrize("case", CASES)
@pytest.mark.parametrize("name", ["terminal", "markdown", "html"])
def test_document_tells_verdict_and_reasons(name: str, case: str) -> None:
    state, make = CASES[case]
    report = make()
    assert report.verdict.state is state
    document = re.sub(r"[\s\u00a0]+", " ", RENDERERS[name](report))
    assert state.value in document
    for part in (report.memory, report.images):
        if isinstance(part, Missing):
            assert part.reason in document
    if case == "no dive":
        assert "dive took longer than 60 s" in document


@pytest.mark.parametrize("name", ["terminal", "markdown"])
def test_nothing_measured_has_no_calm_line(name: str) -> None:
    document = RENDERERS[name](CASES["nothing"][1]())
    assert "✓" not in document
    assert "✅" not in document
    assert document.count("no engine") <= 6


@pytest.mark.parametrize("name", ["terminal", "markdown", "html"])
def test_the_same_warning_of_every_image_is_told_a_few_times(name: str) -> None:
    document = re.sub(r"[\s\u00a0]+", " ", RENDERERS[name](CASES["no dive"][1]()))
    assert "… and 12 more like it" in document
