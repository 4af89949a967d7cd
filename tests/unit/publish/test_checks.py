"""The check of the head commit: what it vouches for, and which run it belongs to."""

from dataclasses import replace

import pytest

from github.stand_in import StandIn
from github.state import CheckRun, State
from onegig.errors import GithubPermissionError
from onegig.model.measured import Skipped
from onegig.model.report import Report
from onegig.model.review import LimitChange, Review
from onegig.publish.github.client import Client
from onegig.publish.trusted.checks import MOST_TITLE, Opinion, judge_run, refuse, set_check
from scenarios import HOSTILE, REPORTS, make_go, make_hostile, make_many

REVIEW = Review(
    head_sha="a" * 40,
    base_sha="b" * 40,
    base_branch="main",
    branch_behind=0,
    comparison=Skipped(reason="no baseline yet"),
)
FORK = replace(REVIEW, self_reported="mallory/stack")
REWIRED = replace(REVIEW, measuring_changes=(".github/workflows/gate.yml",))
LIMIT = LimitChange(key="memory.limit", old="1,024 MB", new="2,048 MB", looser=True)
SHORTER = LimitChange(key="measure.window", old="15 s", new="1 s", looser=True)
OPINION = Opinion(conclusion="success", title="GO", summary="GO")


def conclude(name: str, run: str, review: Review) -> str:
    return judge_run(replace(REPORTS[name](), review=review), run).conclusion


@pytest.mark.parametrize(
    ("report", "run", "review", "conclusion"),
    [
        ("go", "success", REVIEW, "success"),
        ("warn", "success", REVIEW, "success"),
        ("no-go", "failure", REVIEW, "failure"),
        ("incomplete", "failure", REVIEW, "failure"),
        # a green gate saves no red numbers: the base branch's limits judge
        ("no-go", "success", REVIEW, "failure"),
        ("incomplete", "success", REVIEW, "failure"),
        # nor do green numbers save a red gate
        ("go", "failure", REVIEW, "failure"),
        ("go", "timed_out", REVIEW, "failure"),
        ("go", "failure", FORK, "failure"),
        # green numbers that nobody can vouch for
        ("go", "success", FORK, "neutral"),
        ("warn", "success", FORK, "neutral"),
        ("go", "success", REWIRED, "neutral"),
        ("go", "success", replace(REVIEW, limit_changes=(SHORTER,)), "neutral"),
        # a changed limit is not what judged
        ("go", "success", replace(REVIEW, limit_changes=(LIMIT,)), "success"),
        ("no-go", "success", FORK, "failure"),
    ],
)
def test_the_worst_of_numbers_job_and_trust(
    report: str, run: str, review: Review, conclusion: str
) -> None:
    assert conclude(report, run, review) == conclusion


def test_the_title_is_the_sentence() -> None:
    opinion = judge_run(replace(make_go(), review=REVIEW), "success")
    assert opinion.title == "GO: 460 of 1,024 MB, 564 MB (55 %) to spare"


def test_a_forks_title_says_whose_word_it_is() -> None:
    opinion = judge_run(replace(make_go(), review=FORK), "success")
    assert opinion.title.endswith("to spare (self-reported by mallory/stack)")


def test_a_failing_check_is_never_called_go() -> None:
    opinion = judge_run(replace(make_go(), review=REVIEW), "failure")
    assert opinion.title.startswith("the gate's own job ended as failure; by its numbers GO: ")


def test_problems_are_listed_and_the_rest_counted() -> None:
    opinion = judge_run(replace(make_many(1000), review=REVIEW), "failure")
    assert "- worker-010 is over its own limit of 2 MB\n" in opinion.summary
    assert opinion.summary.endswith("- 71 more")


def test_words_of_strangers_are_harmless() -> None:
    review = replace(REVIEW, self_reported=HOSTILE[0])
    opinion = judge_run(replace(make_hostile(), review=review), "failure")
    for text in (opinion.title, opinion.summary):
        assert "\x1b" not in text
        assert "\u202e" not in text
    assert "<script" not in opinion.summary.replace("\\<", "")
    assert "@everyone" not in opinion.summary


def test_what_is_refused_is_a_failure() -> None:
    opinion = refuse("run.json is not UTF-8 text" + "x" * 9000)
    assert opinion.conclusion == "failure"
    assert opinion.title.startswith("INCOMPLETE: run.json is not UTF-8 text")
    assert len(opinion.title) == MOST_TITLE
    assert len(opinion.summary) < 5000


@pytest.fixture
def state(stand_in: StandIn) -> State:
    return stand_in.state


@pytest.fixture
def head(state: State) -> str:
    return state.commit(message="The change")


def put(
    client: Client, head: str, order: tuple[int, int], opinion: Opinion = OPINION, **more: str
) -> str:
    return set_check(
        client, head, opinion, order=order, links={"the run": "https://example.org/1"}, **more
    )


def made_elsewhere(head: str, **fields: str) -> CheckRun:
    done = {"status": "completed", "conclusion": "failure", **fields}
    return CheckRun(id=1, head_sha=head, name="onegig", **done)


def only(state: State) -> CheckRun:
    (check,) = state.check_runs.values()
    return check


def test_it_is_on_the_head_and_done(client: Client, state: State, head: str) -> None:
    assert put(client, head, (7, 1)).endswith(f"/runs/{only(state).id}")
    check = only(state)
    assert (check.name, check.head_sha, check.status) == ("onegig", head, "completed")
    assert (check.conclusion, check.external_id) == ("success", "7.1")
    assert check.output["summary"] == "GO\n\n[the run](https://example.org/1)"


def test_another_attempt_updates_it(client: Client, state: State, head: str) -> None:
    put(client, head, (7, 1))
    put(client, head, (7, 2), refuse("no numbers"))
    check = only(state)
    assert (check.conclusion, check.external_id) == ("failure", "7.2")


@pytest.mark.parametrize("late", [(7, 1), (6, 9)])
def test_an_older_run_changes_nothing(
    client: Client, state: State, head: str, late: tuple[int, int]
) -> None:
    put(client, head, (7, 2), refuse("no numbers"))
    assert put(client, head, late) == ""
    assert only(state).conclusion == "failure"


def test_a_check_of_another_app_is_not_ours(client: Client, state: State, head: str) -> None:
    state.check_runs[1] = made_elsewhere(head, external_id="999.1", app="mallory")
    put(client, head, (7, 1))
    assert [one.conclusion for one in state.check_runs.values()] == ["failure", "success"]


@pytest.mark.parametrize("external", ["", "abc", "7", "9" * 5000 + ".1"])
def test_a_check_without_our_order_is_older_than_any(
    client: Client, state: State, head: str, external: str
) -> None:
    state.check_runs[1] = made_elsewhere(head, external_id=external)
    put(client, head, (1, 1))
    assert only(state).external_id == "1.1"


def test_each_name_is_a_check_of_its_own(client: Client, state: State, head: str) -> None:
    put(client, head, (7, 1))
    put(client, head, (7, 1), name="onegig (other)")
    assert {one.name for one in state.check_runs.values()} == {"onegig", "onegig (other)"}


def test_a_long_summary_is_cut(client: Client, state: State, head: str) -> None:
    put(client, head, (7, 1), Opinion(conclusion="failure", title="t", summary="x" * 200_000))
    assert len(only(state).output["summary"]) < 65_535


def test_a_missing_permission_comes_with_the_yaml(client: Client, state: State, head: str) -> None:
    state.permissions = {"checks": "read"}
    with pytest.raises(GithubPermissionError) as caught:
        put(client, head, (7, 1))
    assert "permissions:\n      checks: write" in caught.value.advice


def test_reports_of_every_kind_have_an_opinion(report: Report) -> None:
    opinion = judge_run(report, "failure")
    assert opinion.conclusion == "failure"
    assert opinion.title
    assert len(opinion.title) <= MOST_TITLE
