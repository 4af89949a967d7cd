"""Growth against main: limited only where both sides have a number of the same kind."""

from collections.abc import Mapping
from dataclasses import replace

import pytest

from factories import MB, make_images
from judging import BUDGETS, GO, INCOMPLETE, MIB, NO_GO, TODAY, WARN, checks, measured, service
from onegig.config.budgets import parse_budgets
from onegig.judge.baseline import make_baseline
from onegig.judge.compare import IS_COMPARISON, compare
from onegig.judge.verdict import judge
from onegig.model.budgets import Budgets
from onegig.model.images import ImagesReport
from onegig.model.measured import Missing, Skipped, Unknown
from onegig.model.memory import MemoryReport
from onegig.model.report import Change, Report
from onegig.model.state import State
from onegig.model.verdict import Baseline, Check, Verdict

HEAD = "version: 1\ntier: none\n"
TOTAL, SERVICES = "memory: {max_growth: 10%}", "memory: {max_service_growth: 10%}"
BEFORE = {"redis": 124, "web": 300}
GROWTH = ("memory.max_growth", "service.max_growth", "image.max_growth")


def limits(text: str) -> Budgets:
    return parse_budgets("budgets.yml", f"{HEAD}{text}\n".encode())


def stack(sizes: Mapping[str, float]) -> MemoryReport:
    """Services of these MiB, measured in the box of a limit of 1,024 MB."""
    memory = measured([service(name, round(mib * MIB)) for name, mib in sizes.items()])
    return replace(memory, box=replace(memory.box, cap_bytes=944 * MIB))


def images(sizes: Mapping[str, float]) -> ImagesReport:
    """Images of these MB."""
    report = make_images(sizes)
    pairs = zip(report.images, sizes.values(), strict=True)
    sized = tuple(replace(item, size_bytes=round(size * MB)) for item, size in pairs)
    return replace(report, images=sized)


def run(
    memory: MemoryReport | Missing,
    built: ImagesReport | Missing,
    budgets: Budgets,
    main: Baseline | None = None,
) -> Report:
    return Report(
        stack="desk",
        created="2026-11-23T20:44:00+00:00",
        commit="1f0c3e5a",
        verdict=judge(budgets, built, memory, None, today=TODAY, main=main),
        images=built,
        memory=memory,
        reproduce="onegig check",
    )


def baseline(
    sizes: Mapping[str, float] = BEFORE, image_sizes: Mapping[str, float] | None = None
) -> Baseline:
    built = images(image_sizes or dict.fromkeys(sizes, 50))
    return make_baseline(run(stack(sizes), built, BUDGETS), {})


def verdict(
    text: str,
    sizes: Mapping[str, float] = BEFORE,
    image_sizes: Mapping[str, float] | None = None,
    main: Baseline | None = None,
) -> Verdict:
    built = images(image_sizes or dict.fromkeys(sizes, 50))
    return run(stack(sizes), built, limits(text), main or baseline()).verdict


def grown(judged: Verdict) -> list[Check]:
    return [check for check in judged.checks if check.id in GROWTH]


def test_a_service_that_grew_too_much() -> None:
    judged = verdict(SERVICES, {"redis": 155, "web": 300})
    redis, web = checks(judged, "service.max_growth")
    assert (redis.state, web.state, judged.state) == (NO_GO, GO, NO_GO)
    grew = "redis grew by 31 MB (25 %) against main"
    assert redis.message == f"{grew}: 124 to 155 MB, at most 10 % allowed"
    assert (redis.value, redis.limit) == (31 * MIB, int(12.4 * MIB))
    assert redis.where == "budgets.yml:3"
    assert web.message == "web did not grow compared with main: 300 to 300 MB"
    assert judged.sentence.startswith(f"NO-GO: {grew}")


def test_the_total() -> None:
    judged = verdict(TOTAL, {"redis": 155, "web": 340})
    (check,) = grown(judged)
    assert (check.id, check.subject, check.state) == ("memory.max_growth", "stack", NO_GO)
    grew = "memory grew by 71 MB (15 %) against main"
    assert check.message == f"{grew}: 504 to 575 MB, at most 10 % allowed"


def test_an_image() -> None:
    main = baseline(image_sizes={"redis": 50, "web": 80})
    judged = verdict("images: {max_growth: 2MB}", image_sizes={"redis": 53, "web": 81}, main=main)
    redis, web = checks(judged, "image.max_growth")
    assert (redis.state, web.state) == (NO_GO, GO)
    grew = "the image of redis grew by 3 MB (6 %) against main"
    assert redis.message == f"{grew}: 50 to 53 MB, at most 2.0 MB allowed"


def test_an_image_that_several_services_share_is_compared_with_their_largest() -> None:
    main = baseline(image_sizes={"redis": 50, "web": 80})
    built = images({"redis": 84})
    shared = replace(built.images[0], services=("redis", "web", "new"), reference="desk/all")
    memory, budgets = stack({**BEFORE, "new": 1}), limits("images: {max_growth: 4%}")
    judged = run(memory, replace(built, images=(shared,)), budgets, main).verdict
    (check,) = checks(judged, "image.max_growth")
    assert (check.subject, check.value, check.state) == ("desk/all", 4 * MB, NO_GO)


def test_a_services_own_limit_goes_before_the_common_one() -> None:
    text = "memory: {max_service_growth: 10%}\nservices:\n  redis: {max_growth: 40MB}"
    judged = verdict(text, {"redis": 155, "web": 340})
    redis, web = checks(judged, "service.max_growth")
    assert (redis.state, redis.where) == (GO, "budgets.yml:5")
    assert redis.message.endswith("at most 40 MB allowed")
    assert (web.state, web.where) == (NO_GO, "budgets.yml:3")


def test_one_service_alone_can_be_limited() -> None:
    judged = verdict("services: {redis: {max_growth: 10%}}", {"redis": 155, "web": 900})
    assert [check.subject for check in grown(judged)] == ["redis"]


@pytest.mark.parametrize(
    ("now", "state", "end"),
    [
        (124, GO, "did not grow compared with main: 124 to 124 MB"),
        (110, GO, "did not grow compared with main: 124 to 110 MB"),
        (127, GO, "124 to 127 MB, at most 0 % allowed, within noise"),
        (129, NO_GO, "124 to 129 MB, at most 0 % allowed"),
    ],
)
def test_noise_never_fails(now: int, state: State, end: str) -> None:
    judged = verdict("memory: {max_service_growth: 0%}", {"redis": now, "web": 300})
    redis = checks(judged, "service.max_growth")[0]
    assert redis.state is state
    assert redis.message.endswith(end)
    assert redis.headroom is not None
    assert (redis.headroom < 0) is (state is NO_GO)


@pytest.mark.parametrize(("over", "state"), [(0.0, GO), (0.01, NO_GO)])
def test_the_boundary(over: float, state: State) -> None:
    judged = verdict("memory: {max_service_growth: 20MB}", {"redis": 144 + over, "web": 300})
    redis = checks(judged, "service.max_growth")[0]
    assert redis.state is state
    shown = "20 MB" if state is GO else "21 MB"
    assert redis.message.startswith(f"redis grew by {shown} (")


def test_an_image_over_its_limit_by_a_byte_does_not_read_as_within_it() -> None:
    before, now = 100_000_500, 110_000_501
    main = baseline(image_sizes={"redis": before / MB, "web": 50})
    judged = verdict(
        "images: {max_growth: 10MB}", image_sizes={"redis": now / MB, "web": 50}, main=main
    )
    check = next(check for check in grown(judged) if check.subject == "redis")
    assert check.state is NO_GO
    assert "grew by 10.000001 MB" in check.message


def test_what_is_new_and_what_is_gone_is_not_judged() -> None:
    text = f"{SERVICES}\nimages: {{max_growth: 1%}}"
    judged = verdict(text, {"redis": 124, "worker": 500})
    assert [f"{check.id} {check.subject}" for check in grown(judged)] == [
        "service.max_growth redis",
        "image.max_growth redis",
    ]


def test_what_main_did_not_measure_is_not_judged() -> None:
    main = baseline()
    gap = Unknown(reason="no engine")
    services = tuple(replace(item, memory_bytes=gap, image_bytes=gap) for item in main.services)
    text = f"{SERVICES}\nimages: {{max_growth: 1%}}"
    assert grown(verdict(text, main=replace(main, services=services))) == []


def test_without_a_baseline_there_is_no_check_and_no_note() -> None:
    judged = run(stack({"redis": 900}), images({"redis": 50}), limits(TOTAL)).verdict
    assert grown(judged) == []
    assert judged.notes == ()


ALL = "memory: {max_growth: 1%, max_service_growth: 1%}\nimages: {max_growth: 1%}"


@pytest.mark.parametrize(
    ("changes", "note"),
    [
        ({"metric": "other"}, "adds up other, not real cost"),
        ({"limit_bytes": 2048 * MIB}, "was measured against a limit of 2,048 MB, not 1,024 MB"),
        ({"state": INCOMPLETE}, "was not measured in full"),
    ],
)
def test_memory_measured_otherwise_is_not_compared(changes: dict[str, object], note: str) -> None:
    main = replace(baseline(), **changes)  # type: ignore[arg-type]
    judged = verdict(ALL, {"redis": 155, "web": 340}, main=main)
    assert {check.id for check in grown(judged)} == {"image.max_growth"}
    assert judged.notes == (f"growth of memory could not be judged: the baseline {note}",)
    assert judged.state is not NO_GO


def test_another_box_is_not_compared() -> None:
    memory = stack({"redis": 155, "web": 340})
    memory = replace(memory, box=replace(memory.box, cap_bytes=2048 * MIB))
    judged = run(memory, images(dict.fromkeys(BEFORE, 50)), limits(TOTAL), baseline()).verdict
    assert grown(judged) == []
    assert judged.notes == (
        (
            "growth of memory could not be judged: this run was measured in a box of 2,048 MB, "
            "not 944 MB"
        ),
    )


def test_another_architecture_is_not_compared() -> None:
    main = baseline()
    assert not isinstance(main.environment, Missing)
    main = replace(main, environment=replace(main.environment, architecture="aarch64"))
    judged = verdict(ALL, {"redis": 155, "web": 340}, main=main)
    assert grown(judged) == []
    reason = "could not be judged: the baseline was measured on aarch64, not x86_64"
    assert judged.notes == (f"growth of memory {reason}", f"growth of images {reason}")


def test_nothing_is_noted_of_what_nobody_limits() -> None:
    main = replace(baseline(), metric="other")
    assert verdict("disk: {limit: 30GB}", main=main).notes == ()


def test_the_other_half_of_a_run_is_judged_alone() -> None:
    gap = Skipped(reason="not asked for")
    by_images = run(gap, images({"redis": 99, "web": 50}), limits(ALL), baseline()).verdict
    assert [check.id for check in grown(by_images)] == ["image.max_growth"] * 2
    by_memory = run(stack(BEFORE), gap, limits(ALL), baseline()).verdict
    assert [check.id.split(".")[0] for check in grown(by_memory)] == [
        "memory",
        "service",
        "service",
    ]


WAIVER = """
waivers:
  - {check: service.max_growth, subject: redis, reason: keys, owner: "@ops", expires: 2026-12-31}
"""


def test_it_can_be_waived_and_its_waiver_is_not_unused_where_nothing_is_compared() -> None:
    judged = verdict(f"{SERVICES}{WAIVER}", {"redis": 155, "web": 300})
    redis = checks(judged, "service.max_growth")[0]
    assert (redis.state, judged.state, bool(redis.waived)) == (WARN, WARN, True)
    budgets, built = limits(f"{SERVICES}{WAIVER}"), images(dict.fromkeys(BEFORE, 50))
    assert run(stack(BEFORE), built, budgets).verdict.notes == ()
    unused = run(stack(BEFORE), built, budgets, baseline())
    assert unused.verdict.notes == (
        (
            "the waiver of service.max_growth of redis by @ops is unused: no check that it "
            "covers fails"
        ),
    )


def test_beside_the_baseline_growth_is_no_news() -> None:
    report = run(stack(BEFORE), images(dict.fromkeys(BEFORE, 50)), limits(TOTAL), baseline())
    deltas = compare(report, baseline(), 0).deltas
    (delta,) = (item for item in deltas if item.id == "memory.max_growth")
    assert (delta.change, delta.before, delta.inherited) == (Change.SAME, IS_COMPARISON, False)
