"""What onegig vouches for: the worst of numbers, job and trust."""

from dataclasses import replace

import pytest

from onegig.config.budgets import parse_budgets
from onegig.errors import ArtifactError, ConfigError
from onegig.github.trusted.decision import Decision, StatusState, judge_run, refuse, wait, worst
from onegig.judge.limits import limit_changes
from onegig.model.budgets import Budgets, Forks
from onegig.model.measured import Skipped
from onegig.model.report import LimitChange, Report, Review
from onegig.model.stack import HostAccess
from scenarios import REPORTS

CONFIRM = Budgets(path="budgets.yml", compose="compose.yml")
TRUST = replace(CONFIRM, forks=Forks.TRUST)
REVIEW = Review(
    head_sha="a" * 40,
    base_sha="b" * 40,
    base_branch="main",
    branch_behind=0,
    comparison=Skipped(reason="no baseline yet"),
)
FORK = replace(REVIEW, self_reported="mallory/stack")
REWIRED = replace(REVIEW, measuring_changes=(".github/workflows/gate.yml",))
UNVERIFIED = replace(REVIEW, unverified="no baseline: what it was measured on top of is not known")
REACHING = replace(REVIEW, host_access=(HostAccess(service="x", reason="privileged: true"),))
LIMIT = LimitChange(key="memory.limit", old="1,024 MB", new="2,048 MB", looser=True)
SHORTER = LimitChange(key="measure.window", old="15 s", new="1 s", looser=True)


def judge(
    name: str, run: str, review: Review, budgets: Budgets = CONFIRM, confirmed_by: str = ""
) -> Decision:
    return judge_run(replace(REPORTS[name](), review=review), run, budgets, confirmed_by)


@pytest.mark.parametrize(
    ("report", "run", "review", "state"),
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
        ("go", "success", FORK, "pending"),
        ("warn", "success", FORK, "pending"),
        ("go", "success", REWIRED, "pending"),
        ("go", "success", UNVERIFIED, "pending"),
        ("go", "success", REACHING, "pending"),
        ("go", "success", replace(REVIEW, limit_changes=(SHORTER,)), "pending"),
        # a changed limit is not what judged
        ("go", "success", replace(REVIEW, limit_changes=(LIMIT,)), "success"),
        ("no-go", "success", FORK, "failure"),
    ],
)
def test_the_worst_of_numbers_job_and_trust(
    report: str, run: str, review: Review, state: str
) -> None:
    opinion = judge(report, run, review)
    assert (opinion.state, opinion.to_confirm) == (state, state == "pending")


@pytest.mark.security
@pytest.mark.parametrize(
    ("report", "run"), [("no-go", "success"), ("incomplete", "success"), ("go", "failure")]
)
@pytest.mark.parametrize("review", [FORK, REWIRED, UNVERIFIED])
def test_neither_trust_nor_a_maintainer_makes_a_failure_pass(
    report: str, run: str, review: Review
) -> None:
    assert judge(report, run, review, TRUST, confirmed_by="octocat").state == "failure"


@pytest.mark.parametrize("review", [FORK, REWIRED, UNVERIFIED])
def test_a_maintainer_confirms_what_onegig_cannot(review: Review) -> None:
    opinion = judge("go", "success", review, confirmed_by="octocat")
    assert opinion.state == "success"
    assert opinion.text.endswith("to spare; confirmed by @octocat")


@pytest.mark.security
@pytest.mark.parametrize(
    "line",
    [
        "machine: twin",
        "engine: docker-tuned",
        "swap: 1GB",
        "zram: 512MB",
        f"twin: {{image: a.qcow2, sha256: {'a' * 64}}}",
        "redis: {services: [small]}",
    ],
)
def test_a_branch_chooses_no_machine_on_which_the_stack_fits(line: str) -> None:
    old, new = (
        parse_budgets("budgets.yml", f"version: 1\n{text}\n".encode()) for text in ("", line)
    )
    decision = judge("go", "success", replace(REVIEW, limit_changes=limit_changes(old, new)))
    assert decision.state == "pending"
    assert "changes how it is measured" in decision.text


def test_forks_are_trusted_where_the_budgets_say_so() -> None:
    assert judge("go", "success", FORK, TRUST).state == "success"
    rewired = replace(FORK, measuring_changes=("scripts/check",))
    assert judge("go", "success", rewired, TRUST).state == "pending"


@pytest.mark.parametrize(
    ("run", "review", "text"),
    [
        ("success", REVIEW, "GO: 460 of 1,024 MB, 564 MB (55 %) to spare"),
        ("success", FORK, "self-reported: a maintainer confirms it; by its numbers GO: 460 of"),
        ("failure", REVIEW, "the gate's own job ended as failure; by its numbers GO: "),
    ],
)
def test_the_text_is_the_sentence_and_what_it_waits_for(
    run: str, review: Review, text: str
) -> None:
    assert judge("go", run, review).text.startswith(text)
    assert "octocat" not in judge("go", "success", REVIEW, confirmed_by="octocat").text


def test_what_is_refused_is_a_failure_and_what_went_wrong_an_error() -> None:
    assert refuse(ArtifactError("no zip")).state == "failure"
    assert refuse(ConfigError("budgets.yml has 1 mistake")).state == "error"
    assert refuse(ArtifactError("no zip")).text == "INCOMPLETE: no zip"


def test_the_worst_counts() -> None:
    opinions = [Decision(state=item, text=item) for item in reversed(StatusState)]
    assert worst(opinions).state == "error"
    assert worst(opinions[:3]).state == "failure"
    assert worst([opinions[0], wait("being measured")]).state == "pending"


def test_reports_of_every_kind_have_an_opinion(report: Report) -> None:
    opinion = judge_run(report, "failure", CONFIRM)
    assert opinion.state == "failure"
    assert opinion.text
