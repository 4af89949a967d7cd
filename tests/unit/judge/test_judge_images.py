"""Images: sizes, the sum, the disk and dive's rules, each at its boundary."""

from dataclasses import replace

import pytest

from factories import MB, SERVICES, make_images, make_memory, make_service
from judging import BUDGETS, GO, INCOMPLETE, NO_GO, WARN, Judge, checks, is_missing
from onegig.model.budgets import Budgets, ImagesBudget, ServiceBudget
from onegig.model.images import Accounting, Dive, ImagesReport
from onegig.model.measured import Missing, Skipped, Unknown
from onegig.model.state import State

NAMES = ("redis", "web")


def report(size: int, **changes: object) -> ImagesReport:
    """Two images of `size` bytes."""
    report = make_images(NAMES)
    images = tuple(replace(image, size_bytes=size) for image in report.images)
    return replace(report, images=images, **changes)  # type: ignore[arg-type]


def budgets(**limits: object) -> Budgets:
    """Limits for images, each written on line 7."""
    images = replace(ImagesBudget(min_efficiency=None), **limits)  # type: ignore[arg-type]
    return replace(BUDGETS, images=images, lines=tuple((f"images.{key}", 7) for key in RULES))


RULES = [
    "total",
    "each",
    "min_efficiency",
    "max_wasted",
    "max_user_wasted",
    "max_dead",
    "max_base_dead",
]
OWN_DEAD, BASE_DEAD = 210_000, 90_000  # of the factories' images


@pytest.mark.parametrize(("over", "state"), [(0, GO), (1, NO_GO)])
def test_each_image_against_the_limit_for_all(judged: Judge, over: int, state: State) -> None:
    verdict = judged(budgets=budgets(each_bytes=110 * MB), images=report(110 * MB + over))
    assert verdict.state is state
    where = [f"{check.subject} {check.where}" for check in checks(verdict, "service.image")]
    assert where == ["redis budgets.yml:7", "web budgets.yml:7"]


def test_a_services_own_limit_goes_before_the_common_one(judged: Judge) -> None:
    own = (("redis", ServiceBudget(image_bytes=99 * MB)),)
    lines = (("services.redis.image", 45),)
    limits = replace(budgets(each_bytes=110 * MB), services=own, lines=lines)
    verdict = judged(budgets=limits, images=report(100 * MB))
    takes = "the image of redis takes 100 of 99 MB, 1 MB (2 %) over"
    assert verdict.sentence == f"NO-GO: {takes}; memory 273 of 1,024 MB"
    redis, web = checks(verdict, "service.image")
    assert (redis.state, redis.where, web.state) == (NO_GO, "budgets.yml:45", GO)


def test_the_largest_offender_is_named_first(judged: Judge) -> None:
    report = make_images(NAMES)
    redis, web = report.images
    sized = (replace(redis, size_bytes=120 * MB), replace(web, size_bytes=707 * MB))
    images = replace(report, images=sized)
    verdict = judged(budgets=budgets(each_bytes=110 * MB), images=images)
    assert verdict.sentence.startswith("NO-GO: the image of web takes 707 of 110 MB")
    assert "1 more failure" in verdict.sentence


def test_one_image_of_many_services_is_judged_for_each(judged: Judge) -> None:
    report = make_images(["web"])
    images = replace(report, images=(replace(report.images[0], services=NAMES),))
    own = (("redis", ServiceBudget(image_bytes=1)), ("web", ServiceBudget(image_bytes=99 * MB)))
    verdict = judged(budgets=replace(BUDGETS, services=own), images=images)
    results = [f"{check.subject} {check.state}" for check in checks(verdict, "service.image")]
    assert results == ["redis NO-GO", "web GO"]


@pytest.mark.parametrize(
    ("line", "over", "state"),
    [
        (None, 0, GO),
        (None, 1, WARN),  # a limit that nobody wrote does not block
        (7, 0, GO),
        (7, 1, NO_GO),
    ],
)
def test_all_images_added_up(judged: Judge, line: int | None, over: int, state: State) -> None:
    budgets = replace(BUDGETS, lines=(("images.total", line),) if line else ())
    images = report(MB, total_bytes=1900 * MB + over)
    verdict = judged(budgets=budgets, images=images)
    (check,) = checks(verdict, "images.total")
    assert (verdict.state, check.state) == (state, state)
    assert check.where == ("budgets.yml:7" if line else "default")


@pytest.mark.parametrize(("over", "state"), [(0, GO), (1, NO_GO)])
def test_the_disk(judged: Judge, over: int, state: State) -> None:
    verdict = judged(images=report(MB, disk_bytes=30_000 * MB + over))
    (check,) = checks(verdict, "disk.total")
    assert (verdict.state, check.state) == (state, state)
    assert "logs, volumes" in check.message


def dived(dive: Dive | Missing) -> ImagesReport:
    """One image, of which dive says this."""
    report = make_images(["web"])
    return replace(report, images=(replace(report.images[0], dive=dive),))


def dive(**changes: object) -> Dive:
    original = make_images(["web"]).images[0].dive
    assert isinstance(original, Dive)
    return replace(original, **changes)  # type: ignore[arg-type]


def shares(share: float, wasted_bytes: int) -> Dive:
    return dive(user_wasted_share=share, wasted_bytes=wasted_bytes)


EFFICIENCY, WASTED = "image.efficiency min_efficiency", "image.wasted max_wasted_bytes"
SHARE = "image.user_wasted max_user_wasted_share"
LEAST = "at least 90 % required"
WORST = "; most of it in /etc/apk/world"
CASES = [
    (EFFICIENCY, 0.9, dive(efficiency=0.9), GO, f"is 90 % efficient, {LEAST}"),
    (EFFICIENCY, 0.9, dive(efficiency=0.8999), NO_GO, f"is 89 % efficient, {LEAST}{WORST}"),
    (EFFICIENCY, 0.905, dive(efficiency=0.907), GO, "is 90.7 % efficient, at least 90.5 %"),
    (EFFICIENCY, 0.9, dive(efficiency=0.8, wasted_bytes=3), NO_GO, "is 80 % efficient"),
    (WASTED, 20 * MB, dive(wasted_bytes=20 * MB), GO, "wastes 20 of 20 MB"),
    (WASTED, 20 * MB, dive(wasted_bytes=20 * MB + 1), NO_GO, "wastes 21 of 20 MB, 1 MB (5 %) over"),
    (SHARE, 0.1, shares(0.1, 0), GO, "wastes 10 % of what it adds, at most 10 % allowed"),
    (SHARE, 0.1, shares(0.1001, MB), NO_GO, "wastes 11 % of what"),
    (SHARE, 0.1, shares(0.15, MB - 1), GO, "wastes 15 % of what it adds, ignored below 1.0 MB"),
]


@pytest.mark.parametrize(("rule", "limit", "results", "state", "message"), CASES)
def test_dives_rules(
    judged: Judge, rule: str, limit: float, results: Dive, state: State, message: str
) -> None:
    identity, key = rule.split()
    verdict = judged(budgets=budgets(**{key: limit}), images=dived(results))
    (check,) = checks(verdict, identity)
    assert (verdict.state, check.state) == (state, state)
    assert f"the image of web {message}" in check.message


def test_little_waste_is_not_ignored_on_request(judged: Judge) -> None:
    limits = budgets(max_user_wasted_share=0.1, ignore_user_wasted_below_bytes=0)
    little = dived(dive(user_wasted_share=0.15, wasted_bytes=300_000))
    assert judged(budgets=limits, images=little).state is NO_GO


def test_a_rule_nobody_wrote_only_warns(judged: Judge) -> None:
    verdict = judged(budgets=BUDGETS, images=dived(dive(efficiency=0.5)))
    assert verdict.state is WARN
    lead = "WARN: 263 of 1,024 MB, 761 MB (74 %) to spare; the image of web is 50 % efficient"
    assert verdict.sentence == f"{lead}, {LEAST}{WORST}"


@pytest.mark.parametrize("missing", [Unknown(reason="dive crashed"), Skipped(reason="--no-dive")])
def test_an_image_dive_could_not_read(judged: Judge, missing: Unknown | Skipped) -> None:
    written = budgets(min_efficiency=0.9)
    assert judged(budgets=BUDGETS, images=dived(missing)).state is WARN
    verdict = judged(budgets=written, images=dived(missing))
    assert verdict.state is INCOMPLETE
    assert missing.reason in verdict.sentence
    (check,) = checks(verdict, "image.efficiency")
    assert is_missing(check.value)


def test_no_rule_no_check(judged: Judge) -> None:
    verdict = judged(budgets=budgets(), images=dived(Unknown(reason="no dive")))
    assert verdict.state is GO


@pytest.mark.parametrize(
    ("missing", "message"),
    [
        (Unknown(reason="no layer"), "images could not be inspected: no layer"),
        (Skipped(reason="no --images"), "images were not inspected: no --images"),
    ],
)
def test_images_nobody_inspected(judged: Judge, missing: Unknown | Skipped, message: str) -> None:
    verdict = judged(images=missing)
    assert verdict.state is INCOMPLETE
    assert verdict.sentence == f"INCOMPLETE: {message}; memory 460 of 1,024 MB"
    assert verdict.incomplete == (message,)


def test_reports_that_are_not_of_one_stack(judged: Judge) -> None:
    names = [name for name in SERVICES if name != "risk"]
    memory = make_memory([make_service(name, rss) for name, rss in SERVICES.items()])
    verdict = judged(images=make_images([*names, "extra"]), memory=memory)
    assert verdict.state is INCOMPLETE
    assert verdict.incomplete == (
        "the image of risk was not inspected",
        "the memory of extra was not measured",
    )


def test_an_image_without_services_is_judged_by_its_own_name(judged: Judge) -> None:
    report = make_images(["web"])
    single = replace(report.images[0], services=())
    images = replace(report, images=(single,))
    verdict = judged(budgets=budgets(each_bytes=1), images=images, memory=Skipped(reason="x"))
    assert verdict.sentence.startswith("NO-GO: the image of crypto-desk/web:latest takes ")
    assert verdict.sentence.endswith("memory was not measured")


@pytest.mark.parametrize(("limit", "state"), [(OWN_DEAD, GO), (OWN_DEAD - 1, NO_GO)])
def test_dead_bytes_against_their_limit(judged: Judge, limit: int, state: State) -> None:
    verdict = judged(budgets=budgets(max_dead_bytes=limit), images=make_images(NAMES))
    results = checks(verdict, "image.dead")
    assert [check.subject for check in results] == ["redis", "web"]
    assert {(c.value, c.state, c.where) for c in results} == {(OWN_DEAD, state, "budgets.yml:7")}


def test_dead_bytes_over_their_limit_name_the_instruction_that_killed_most(judged: Judge) -> None:
    verdict = judged(budgets=budgets(max_dead_bytes=200_000), images=make_images(NAMES))
    assert checks(verdict, "image.dead")[0].message == (
        "the image of redis has dead bytes of its own: 0.3 of 0.2 MB, 0.1 MB (50 %) over; most "
        "was in layer 2, deleted with a directory by layer 3 (COPY packages)"
    )


@pytest.mark.parametrize(("limit", "state"), [(BASE_DEAD, GO), (BASE_DEAD - 1, NO_GO)])
def test_dead_bytes_of_the_base_have_a_limit_of_their_own(
    judged: Judge, limit: int, state: State
) -> None:
    verdict = judged(budgets=budgets(max_base_dead_bytes=limit), images=make_images(NAMES))
    check = checks(verdict, "image.base_dead")[0]
    assert (check.value, check.state, check.where) == (BASE_DEAD, state, "budgets.yml:7")
    assert check.message.startswith("the image of redis has dead bytes of its base: 0.")
    most = "most was in layer 1, overwritten by layer 2 (COPY runtime /usr/local)"
    assert check.message.endswith(most) is (state is NO_GO)


def test_without_a_limit_dead_bytes_of_the_base_are_not_judged(judged: Judge) -> None:
    verdict = judged(budgets=budgets(max_dead_bytes=0), images=make_images(NAMES))
    assert checks(verdict, "image.base_dead") == []


def test_where_the_base_is_not_known_all_dead_bytes_are_the_images_own(judged: Judge) -> None:
    report = make_images(NAMES)
    unknown = tuple(
        replace(image, accounting=replace(image.accounting, base_layers=None, base_dead_bytes=0))
        for image in report.images
        if isinstance(image.accounting, Accounting)
    )
    limits = budgets(max_dead_bytes=250_000, max_base_dead_bytes=0)
    verdict = judged(budgets=limits, images=replace(report, images=unknown))
    own, base = (checks(verdict, kind)[0] for kind in ("image.dead", "image.base_dead"))
    assert (own.value, own.state) == (OWN_DEAD + BASE_DEAD, NO_GO)
    assert own.message.startswith("the image of redis has dead bytes: 0.3 of 0.2")
    assert own.message.endswith("; the base's layers are not known, so all bytes count")
    assert (base.value, base.state) == (0, GO)
    assert base.message.endswith("; which layers are the base's is not known")


def test_without_a_limit_dead_bytes_are_told_and_block_nothing(judged: Judge) -> None:
    verdict = judged(budgets=budgets(), images=make_images(NAMES))
    (check, _) = checks(verdict, "image.dead")
    assert (check.value, check.limit, check.state, check.blocking) == (OWN_DEAD, None, GO, False)


@pytest.mark.parametrize("limit", [None, 10 * MB])
def test_what_is_not_accounted_for_passes_no_limit(judged: Judge, limit: int | None) -> None:
    report = make_images(NAMES)
    gap = Skipped(reason="the engine's disk is not readable")
    images = replace(
        report, images=tuple(replace(image, accounting=gap) for image in report.images)
    )
    verdict = judged(budgets=budgets(max_dead_bytes=limit), images=images)
    results = checks(verdict, "image.dead")
    assert [check.state for check in results] == ([INCOMPLETE] * 2 if limit else [])
    assert all("engine's disk is not readable" in check.message for check in results)
