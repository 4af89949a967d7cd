"""Evaluate a commit's status from what GitHub has recorded, and from nothing else.

Which pull requests count: those into protected branches, as a success for another branch would be
carried along when the base is changed. Among them one's own come before those of forks, so that a
stranger's pull request of somebody's commit changes nothing; a fork's that a maintainer confirmed
comes before one that nobody did. Of those that count the worst decides.

Which run decides about a pull request: the newest that measured what it would merge. One head
branch may have several pull requests, and one may change its base branch. A run belongs to those
whose base branch contains the commit that the head was merged into to be measured. The workflow
that runs is that of the merge into the base branch, and GitHub does not record which one that was:
the numbers of a run are vouched for only if no other base was possible.

Merge groups, the commits that a merge queue is about to make the branch's next, are vouched for:
each pull request in one has passed its own status on its way into the queue, and GitHub itself
starts the group's run, on a branch that only the queue can write.
"""

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from pathlib import Path

from onegig import pipeline
from onegig.errors import OnegigError
from onegig.github.client import Client
from onegig.github.history import find_baseline
from onegig.github.trees import branch_tip, contains
from onegig.github.trusted.artifact import Numbers, fetch_numbers
from onegig.github.trusted.decision import (
    Decision,
    Status,
    StatusState,
    describe,
    judge_run,
    refuse,
    wait,
    worst,
)
from onegig.github.trusted.pulls import Confirmed, Pull, command, find_confirmers, find_pulls, page
from onegig.github.trusted.review import make_report, measured_on, read_budgets
from onegig.github.trusted.runs import (
    ACTION_REQUIRED,
    ENDED,
    MERGE_GROUP,
    PULL_REQUEST,
    GateRun,
    Home,
    Settings,
    list_runs,
)
from onegig.model.options import Options
from onegig.model.report import Report

MOST_COUNTING = 20
MOST_COMMENTS = 5  # pull requests of one commit that get a comment
MOST_EVENTS, MOST_PULLS = 1000, 200
BASE_CHANGED = "base_ref_changed"
_QUEUE = re.compile(r"gh-readonly-queue/(?P<base>.+)/pr-[0-9]+-[0-9a-f]{40}", re.ASCII)


@dataclass(frozen=True, kw_only=True, slots=True)
class Answer:
    """The answer for one pull request; without a report there is nothing to comment."""

    pull: Pull
    decision: Decision
    run: GateRun | None = None
    report: Report | None = None
    error: OnegigError | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class Evaluation:
    """The status of a commit, None with the reason if it gets none, and answers to comment."""

    status: Status | None
    reason: str = ""
    answers: tuple[Answer, ...] = ()
    uncommented: int = 0  # pull requests that are one too many for a comment

    @property
    def decided(self) -> tuple[object, ...]:
        """Return the decisions, to compare them with a later evaluation."""
        status = (self.status.state, self.status.description) if self.status else self.reason
        runs = [(answer.pull.number, answer.run.order) for answer in self.answers if answer.run]
        return (status, *runs)


@dataclass(frozen=True, kw_only=True, slots=True)
class Counting:
    """The open pull requests of a commit; `reason` says why none of them decides about it."""

    pulls: tuple[Pull, ...] = ()
    confirmers: Mapping[int, Confirmed] = field(default_factory=dict)  # by number
    counting: tuple[Pull, ...] = ()
    reason: str = ""


@dataclass(frozen=True, kw_only=True, slots=True)
class Decisive:
    """A finished run; `base_sha` as `measured_on` gives it, "" if it is not known."""

    run: GateRun
    numbers: Numbers
    base_sha: str
    doubt: str = ""  # why it may have been started for another base branch


def evaluate(
    client: Client,
    home: Home,
    head_sha: str,
    settings: Settings,
    now: datetime,
    wants_comment: Callable[[Pull], bool],
) -> Evaluation:
    """Evaluate all open pull requests of a commit; `answers` are for those that need a comment.

    Raises GithubError. What goes wrong with a single pull request is a decision about it.
    """
    commit = find_counting(client, home, head_sha, settings)
    if len(commit.counting) > MOST_COUNTING:
        return Evaluation(status=too_many(len(commit.counting)))
    others = [pull for pull in commit.pulls if pull not in commit.counting]
    interested = [pull for pull in (*commit.counting, *others) if wants_comment(pull)]
    commented = interested[:MOST_COMMENTS]
    answers = {
        pull: _answer(client, home, pull, settings, now, commit.confirmers.get(pull.number))
        for pull in commit.pulls
        if pull in commit.counting or pull in commented
    }
    return Evaluation(
        status=None if commit.reason else _status([answers[pull] for pull in commit.counting]),
        reason=commit.reason,
        answers=tuple(answer for pull, answer in answers.items() if pull in commented),
        uncommented=len(interested) - len(commented),
    )


def find_counting(client: Client, home: Home, head_sha: str, settings: Settings) -> Counting:
    """Return the open pull requests of a commit, and those of them that decide."""
    pulls = find_pulls(client, head_sha, home.default_branch)
    if not pulls:
        return Counting(reason=f"no open pull request has {head_sha[:12]} as its head now")
    confirmers = find_confirmers(client, home, settings.own_workflow, pulls, settings.own_run)
    protected = tuple(pull for pull in pulls if pull.base.is_protected)
    own = tuple(pull for pull in protected if pull.is_of(home.repository))
    reason = ""
    if not protected:
        bases = ", ".join(dict.fromkeys(pull.base.name for pull in pulls))
        reason = (
            f"only pull requests into protected branches get a status: {bases} is not protected"
        )
    elif not own and contains(client, branch_tip(client, home.default_branch), head_sha):
        branch = home.default_branch
        reason = f"{head_sha[:12]} is already on {branch}, so the fork can't set its status"
    confirmed = tuple(pull for pull in protected if pull.number in confirmers)
    counting = () if reason else own or confirmed or protected
    return Counting(pulls=pulls, confirmers=confirmers, counting=counting, reason=reason)


def _status(answers: Sequence[Answer]) -> Status:
    """Return the status for the worst of the answers that count."""
    decision = worst(answer.decision for answer in answers)
    answer = next(answer for answer in answers if answer.decision is decision)
    pull = answer.pull
    return Status(
        state=decision.state,
        description=describe(f"#{pull.number}", pull.base.name, decision.text),
        url=answer.run.url if answer.run else "",
    )


def too_many(count: int) -> Status:
    """Return the status of a commit of too many pull requests to judge them all."""
    text = f"{count} pull requests have the same commit; close some"
    return Status(state=StatusState.ERROR, description=text)


def _answer(
    client: Client,
    home: Home,
    pull: Pull,
    settings: Settings,
    now: datetime,
    confirmed: Confirmed | None,
) -> Answer:
    """Return the answer for a pull request; an error is a decision, too."""
    if pull.head_repository is None:
        gone = "the repository it came from has been deleted, and its runs cannot be found"
        return Answer(pull=pull, decision=Decision(state=StatusState.FAILURE, text=gone))
    try:
        runs = list_runs(client, home.repository, settings.workflow, pull.head_sha, PULL_REQUEST)
        decisive = find_decisive(client, pull, runs, settings.artifact)
        if isinstance(decisive, Decision):
            return Answer(pull=pull, decision=decisive)
        run = decisive.run
        budgets = read_budgets(client, settings.budgets, pull.base.tip)
        report = make_report(
            client,
            run,
            pull,
            decisive.numbers,
            decisive.base_sha,
            settings=settings,
            now=now,
            doubt=decisive.doubt,
        )
        # One from before this run confirms other numbers.
        confirmer = confirmed.by if confirmed and confirmed.at > run.started else ""
        decision = judge_run(report, run.conclusion, budgets, confirmer)
        if report.review:
            own, is_open = settings.own_workflow, decision.to_confirm and pull.base.is_protected
            review = replace(
                report.review,
                confirmed_by=confirmer,
                confirm_command=command(own, pull) if is_open else "",
                confirm_url=page(own, home) if is_open else "",
            )
            report = replace(report, review=review)
        return Answer(pull=pull, decision=decision, run=run, report=report)
    except OnegigError as error:
        return Answer(pull=pull, decision=refuse(error), error=error)


def find_decisive(
    client: Client, pull: Pull, runs: Sequence[GateRun], artifact: str
) -> Decisive | Decision:
    """Return the run that decides, of all runs for the head, newest first; else why to wait.

    A run that was skipped or cancelled measured nothing: one before it may still decide, but only
    if it measured the merge into the present base branch. ArtifactError where the numbers of the
    newest are refused.
    """
    unmeasured = wait(f"not measured on top of {pull.base.name} yet; run the gate again")
    own = [run for run in runs if pull.is_from(run)]
    changed = last_base_change(client, pull.number) if own else ""
    if own and own[0].created <= changed:
        return unmeasured
    for run in own:
        if run.created <= changed:
            break
        if why := waiting_reason(run):
            return wait(why)
        if run.conclusion not in ENDED:
            continue
        numbers = fetch_numbers(client, run, artifact)
        base_sha = measured_on(client, numbers.run, run.head_sha) if numbers.run else ""
        # A run that does not show what it was measured on top of is never skipped for an older one
        # that may be better: it decides, and what it can't show is a doubt.
        if not base_sha or contains(client, pull.base.tip, base_sha):
            doubt = foreign_origin(client, pull)
            return Decisive(run=run, numbers=numbers, base_sha=base_sha, doubt=doubt)
    if own and own[0].conclusion not in ENDED:
        return wait(f"not measured, its run ended as {own[0].conclusion}; run it again")
    return unmeasured


def waiting_reason(run: GateRun) -> str:
    """Return what a run is waiting for, or "" if it has ended."""
    if run.conclusion == ACTION_REQUIRED:
        return "its run waits for approval"
    return "" if run.conclusion else "being measured"


def last_base_change(client: Client, number: int) -> str:
    """Return when the base branch of a pull request was last changed, ISO 8601, or "" if never."""
    events = client.pages(f"issues/{number}/events", most=MOST_EVENTS)
    times = (str(event["created_at"]) for event in events if event["event"] == BASE_CHANGED)
    return max(times, default="")


def foreign_origin(client: Client, pull: Pull) -> str:
    """Return why runs for the pull request's head may be another one's, or "" if they can't be."""
    if pull.head_repository is None:
        return ""
    owner = pull.head_repository.name.partition("/")[0]
    listed = client.pages("pulls", most=MOST_PULLS, state="all", head=f"{owner}:{pull.head_branch}")
    for other in listed:
        number = int(other["number"])
        if number == pull.number or other["head"]["sha"] != pull.head_sha:
            continue
        if other["base"]["ref"] != pull.base.name or last_base_change(client, number):
            return f"#{number} has the same head, and the gate of its base may have measured"
    return ""


def evaluate_group(client: Client, home: Home, head_sha: str, settings: Settings) -> Evaluation:
    """Return the status of a group's commit by its newest run that was not skipped or cancelled."""
    runs = list_runs(client, home.repository, settings.workflow, head_sha, MERGE_GROUP)
    run = next((run for run in runs if waiting_reason(run) or run.conclusion in ENDED), None)
    if run is None:
        return Evaluation(status=None, reason=f"no run has measured the group {head_sha[:12]}")
    match = _QUEUE.fullmatch(run.head_branch)
    if match is None or run.fork:
        return Evaluation(status=None, reason=f"{run.head_branch} is not a branch of a merge queue")
    try:
        decision = _judge_group(client, run, match["base"], settings)
    except OnegigError as error:
        decision = refuse(error)
    description = describe("merge group", match["base"], decision.text)
    return Evaluation(status=Status(state=decision.state, description=description, url=run.url))


def _judge_group(client: Client, run: GateRun, base: str, settings: Settings) -> Decision:
    if why := waiting_reason(run):
        return wait(why)
    numbers = fetch_numbers(client, run, settings.artifact, trigger=MERGE_GROUP)
    budgets = read_budgets(client, settings.budgets, branch_tip(client, base))
    # Only commits of the base branch have numbers on the data branch: the nearest is one of it.
    baseline = find_baseline(client, run.head_sha, base)
    main = baseline[0] if isinstance(baseline, tuple) else None
    options = Options(budgets=Path(settings.budgets))
    report = pipeline.judge_reports(options, budgets, numbers.images, numbers.memory, main)
    return judge_run(replace(report, commit=run.head_sha), run.conclusion, budgets)
