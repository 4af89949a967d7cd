"""Which remarks about Dockerfiles a change brings, and which were there before."""

from collections.abc import Sequence
from dataclasses import replace

import pytest

from factories import make_images
from onegig.judge.baseline import MOST_REMARKS, make_baseline, remarks_of
from onegig.judge.compare import OTHER_RULES, compare
from onegig.model.images import DockerfilePolicy
from onegig.model.measured import Missing, Unknown
from onegig.model.report import NOT_COMPARED, Report
from onegig.model.verdict import NO_REMARKS, Baseline
from remarks import HADOLINT, NOT_LINTED, ROOT, UNPINNED, policy, remark, with_dockerfiles
from reviews import MAIN

PIN, USER = remark("DL3018", 19, UNPINNED), remark("non-root", 30, ROOT)


def a_report(*files: DockerfilePolicy) -> Report:
    return replace(MAIN, images=with_dockerfiles(make_images(["web"]), *files))


def before(now: Report, then: Report | Baseline) -> dict[tuple[str, str], int | Missing] | Missing:
    """How often the baseline had each remark, by file and rule."""
    baseline = make_baseline(then, {}) if isinstance(then, Report) else then
    deltas = compare(now, baseline, 0).remarks
    if isinstance(deltas, Missing):
        return deltas
    return {(delta.path, delta.summary.partition(":")[0]): delta.before for delta in deltas}


def test_a_remark_is_known_by_file_rule_and_text_wherever_it_stands() -> None:
    now = a_report(policy("a", replace(PIN, line=99), USER), policy("b", PIN))
    then = a_report(policy("a", PIN, replace(USER, text="another")), policy("b"))
    assert before(now, then) == {("a", "DL3018"): 1, ("a", "non-root"): 0, ("b", "DL3018"): 0}


def test_remarks_that_are_alike_are_counted() -> None:
    now = a_report(policy("a", PIN, replace(PIN, line=20), replace(PIN, line=21)))
    assert before(now, a_report(policy("a", PIN, replace(PIN, line=20)))) == {("a", "DL3018"): 2}


def test_a_file_that_is_new_had_no_remarks() -> None:
    now = a_report(policy("a", PIN, USER))
    assert before(now, a_report()) == {("a", "DL3018"): 0, ("a", "non-root"): 0}


@pytest.mark.parametrize("hadolint", ["2.12.0", NOT_LINTED])
def test_another_hadolint_remarks_other_things(hadolint: str | Missing) -> None:
    now, then = policy("a", PIN, USER), policy("a", USER, hadolint=hadolint)
    for delta, other in ((now, then), (replace(then, remarks=now.remarks), now)):
        expected = {("a", "DL3018"): OTHER_RULES, ("a", "non-root"): 1}
        assert before(a_report(delta), a_report(other)) == expected


def test_another_onegig_has_other_rules_of_its_own() -> None:
    now = a_report(policy("a", PIN, USER))
    baseline = make_baseline(a_report(policy("a", PIN, hadolint=HADOLINT)), {})
    assert not isinstance(baseline.environment, Missing)
    other = replace(baseline.environment, onegig_version="0.0.9")
    for environment in (other, Unknown(reason="nothing was measured")):
        expected = {("a", "DL3018"): 1, ("a", "non-root"): OTHER_RULES}
        assert before(now, replace(baseline, environment=environment)) == expected


def test_where_one_side_is_unknown_nothing_is_compared() -> None:
    now = a_report(policy("a", PIN))
    gap = Unknown(reason="the engine is gone")
    assert before(replace(now, images=gap), now) == NOT_COMPARED
    assert before(now, replace(now, images=gap)) == NO_REMARKS


@pytest.mark.parametrize(("count", "is_kept"), [(MOST_REMARKS, True), (MOST_REMARKS + 1, False)])
def test_only_so_many_are_kept(count: int, is_kept: bool) -> None:
    images = with_dockerfiles(make_images(["web"]), policy("a", *[PIN] * count))
    assert isinstance(remarks_of(images), Missing) is not is_kept


def test_what_is_kept_of_a_remark_is_bounded() -> None:
    images = with_dockerfiles(make_images(["web"]), policy("a", replace(PIN, text="x\n" * 5_000)))
    is_kept = remarks_of(images)
    assert isinstance(is_kept, Sequence)
    assert [len(text) for text in is_kept[0].remarks] == [200]
