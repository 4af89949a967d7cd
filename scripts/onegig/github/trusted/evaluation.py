"""Evaluate a commit's status from what GitHub has recorded, and from nothing else.

Which pull requests count: those into protected branches, as a success for another branch would be
carried along when the base is changed. Among them one's own come before those of forks, so that a
stranger's pull request of somebody's commit changes nothing; a fork's that a maintainer confirmed
comes before one that nobody did. Of those that count the worst decides.

The run whose numbers decide about a pull request: the newest that measured what it would merge.

One head branch may have several pull requests, and one may change its base branch. A run belongs to
those whose base branch contains the commit that the head was merged into to be measured. What was
merged into a commit of both bases is the same content for both.

For which base branch a run of the gate was started, as far as GitHub tells.

The workflow that runs is that of the merge into the base branch, and GitHub does not record which
one that was. So the numbers of a run are vouched for only where no other base was possible.

The status of a merge group: the commit that a merge queue is about to make the branch's next.

A group's numbers are vouched for. Each pull request in it has passed its own status on its way into
the queue, so whatever of it measures differently was confirmed; and GitHub itself starts the
group's run, on a branch that only the queue can write.
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
from onegig.github.trusted.review import Measured, make_report, measured_on, read_budgets
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
from onegig.model.measured import Unknown
from onegig.model.report import Report
from onegig.pipeline import Options


@dataclass(frozen=True, kw_only=True, slots=True)
class Decisive:
    """A finished run; `base_sha` as `measured_on` gives it, "" where it is not known."""

    run: GateRun
    numbers: Numbers | Unknown
    base_sha: str
    doubt: str = ""  # why it may have been started for another base branch


@dataclass(frozen=True, kw_only=True, slots=True)
class Waiting:
    """Nothing decides yet; `reason` says what is waited for."""

    reason: str


MOST_COUNTING = 20
MOST_TOLD = 5  # pull requests of one commit that get a comment


@dataclass(frozen=True, kw_only=True, slots=True)
class Answer:
    """Hold the answer for one pull request; without a report there is nothing to comment."""

    pull: Pull
    opinion: Decision
    run: GateRun | None = None
    report: Report | None = None
    error: OnegigError | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class Evaluation:
    """The status of a commit, None with the reason where it gets none, and who is told what."""

    status: Status | None
    reason: str = ""
    answers: tuple[Answer, ...] = ()
    untold: int = 0  # pull requests that are one too many for a comment

    @property
    def decided(self) -> tuple[object, ...]:
        """Return what was decided, to compare it with a later look."""
        said = (self.status.state, self.status.description) if self.status else self.reason
        runs = [(one.pull.number, one.run.order) for one in self.answers if one.run]
        return (said, *runs)


@dataclass(frozen=True, kw_only=True, slots=True)
class Counting:
    """The open pull requests of a commit; `reason` says why none of them decides about it."""

    pulls: tuple[Pull, ...] = ()
    confirmers: Mapping[int, Confirmed] = field(default_factory=dict)  # logins by number
    counting: tuple[Pull, ...] = ()
    reason: str = ""


def evaluate(
    client: Client,
    home: Home,
    head_sha: str,
    settings: Settings,
    now: datetime,
    wants_comment: Callable[[Pull], bool],
) -> Evaluation:
    """Look at all open pull requests of a commit; `answers` are of those that want a comment.

    Raises GithubError. What goes wrong with a single pull request is an opinion on that one.
    """
    found = find_counting(client, home, head_sha, settings)
    if len(found.counting) > MOST_COUNTING:
        return Evaluation(status=too_many(len(found.counting)))
    others = [pull for pull in found.pulls if pull not in found.counting]
    wanting = [pull for pull in (*found.counting, *others) if wants_comment(pull)]
    told = wanting[:MOST_TOLD]
    judge = _Judge(client, home, settings, now, found.confirmers)
    answers = {
        pull: judge.answer(pull) for pull in found.pulls if pull in found.counting or pull in told
    }
    return Evaluation(
        status=None if found.reason else _status([answers[pull] for pull in found.counting]),
        reason=found.reason,
        answers=tuple(answer for pull, answer in answers.items() if pull in told),
        untold=len(wanting) - len(told),
    )


def find_counting(client: Client, home: Home, head_sha: str, settings: Settings) -> Counting:
    """Return the open pull requests of a commit, and which of them decide."""
    pulls = find_pulls(client, head_sha, home.default_branch)
    if not pulls:
        return Counting(reason=f"no open pull request has {head_sha[:12]} as its head now")
    confirmers = find_confirmers(client, home, settings.own_workflow, pulls, settings.own_run)
    counting, reason = _counting(client, home, head_sha, pulls, confirmers)
    return Counting(pulls=pulls, confirmers=confirmers, counting=counting, reason=reason)


def _counting(
    client: Client,
    home: Home,
    head_sha: str,
    pulls: Sequence[Pull],
    confirmers: Mapping[int, Confirmed],
) -> tuple[tuple[Pull, ...], str]:
    """Return the pull requests that decide about the commit, or why none does."""
    protected = tuple(pull for pull in pulls if pull.base.is_protected)
    if not protected:
        bases = ", ".join(dict.fromkeys(pull.base.name for pull in pulls))
        return (), f"only pull requests into protected branches get one, and {bases} is not"
    own = tuple(pull for pull in protected if pull.is_of(home.repository))
    if own:
        return own, ""
    if contains(client, branch_tip(client, home.default_branch), head_sha):
        return (
            (),
            f"{head_sha[:12]} is on {home.default_branch} already, and not the fork's to mark",
        )
    return tuple(pull for pull in protected if pull.number in confirmers) or protected, ""


def _status(answers: Sequence[Answer]) -> Status:
    """Return the status for the worst of the answers that count."""
    opinion = worst(answer.opinion for answer in answers)
    answer = next(answer for answer in answers if answer.opinion is opinion)
    pull = answer.pull
    return Status(
        state=opinion.state,
        description=describe(f"#{pull.number}", pull.base.name, opinion.text),
        url=answer.run.url if answer.run else "",
    )


def too_many(count: int) -> Status:
    """Return the status of a commit of too many pull requests to judge them all."""
    text = f"{count} pull requests of one commit: close some"
    return Status(state=StatusState.ERROR, description=text, url="")


@dataclass(frozen=True, slots=True)
class _Judge:
    """Judges pull requests of one commit."""

    client: Client
    home: Home
    settings: Settings
    now: datetime
    confirmers: Mapping[int, Confirmed]

    def answer(self, pull: Pull) -> Answer:
        """Return what is to be said about a pull request; an error is an opinion, too."""
        if pull.head_repository is None:
            gone = "the repository it came from has been deleted, and its runs cannot be found"
            return Answer(pull=pull, opinion=Decision(state=StatusState.FAILURE, text=gone))
        try:
            return self._answer(pull)
        except OnegigError as error:
            return Answer(pull=pull, opinion=refuse(error), error=error)

    def _answer(self, pull: Pull) -> Answer:
        settings = self.settings
        here = self.home.repository
        runs = list_runs(self.client, here, settings.workflow, pull.head_sha, PULL_REQUEST)
        found = find_decisive(self.client, pull, runs, settings.artifact)
        if not isinstance(found, Decisive):
            return Answer(pull=pull, opinion=wait(found.reason))
        budgets = read_budgets(self.client, settings.budgets, pull.base.tip)
        report = self._report(pull, found)
        confirmer = self._confirmer(pull, found)
        opinion = judge_run(report, found.run.conclusion, budgets, confirmer)
        report = self._with_confirmation(report, pull, opinion, confirmer)
        return Answer(pull=pull, opinion=opinion, run=found.run, report=report)

    def _confirmer(self, pull: Pull, found: Decisive) -> str:
        """Return who has confirmed these very numbers: after they were measured."""
        confirmed = self.confirmers.get(pull.number)
        return confirmed.by if confirmed and confirmed.at > found.run.started else ""

    def _report(self, pull: Pull, found: Decisive) -> Report:
        report = make_report(
            self.client,
            found.run,
            pull,
            found.numbers,
            found.base_sha,
            budgets_path=self.settings.budgets,
            workflow=self.settings.workflow,
            measuring=self.settings.measuring,
            now=self.now,
        )
        if not found.doubt or report.review is None:
            return report
        return replace(report, review=replace(report.review, unverified=found.doubt))

    def _with_confirmation(
        self, report: Report, pull: Pull, opinion: Decision, confirmer: str
    ) -> Report:
        """Return the report with how a maintainer confirms it, or with who did."""
        if report.review is None:
            return report
        review = replace(report.review, confirmed_by=confirmer)
        if opinion.to_confirm and pull.base.is_protected:
            own = self.settings.own_workflow
            review = replace(
                review, confirm_command=command(own, pull), confirm_url=page(own, self.home)
            )
        return replace(report, review=review)


MEASURING = "being measured"


def find_decisive(
    client: Client, pull: Pull, runs: Sequence[GateRun], artifact: str
) -> Decisive | Waiting:
    """Return the run that decides, of all runs for the head, newest first.

    A run that was skipped or cancelled measured nothing: one before it may still decide, but only
    if it measured the merge into the present base branch. ArtifactError where the numbers of the
    newest are refused.
    """
    own = [run for run in runs if pull.is_from(run)]
    changed = last_base_change(client, pull.number) if own else ""
    if own and own[0].created <= changed:
        return Waiting(reason=f"not measured on top of {pull.base.name} yet: run the gate again")
    for run in own:
        if run.created <= changed:
            break
        if why := why_waiting(run):
            return Waiting(reason=why)
        if run.conclusion not in ENDED:
            continue
        numbers = fetch_numbers(client, run, artifact)
        base_sha = ""
        if isinstance(numbers, Numbers):
            base_sha = measured_on(client, numbers.run, run.head_sha)
        # A run that does not show what it was measured on top of is never skipped for an older one
        # that may be better: it decides, and what it can't show is a doubt.
        if not base_sha or contains(client, pull.base.tip, base_sha):
            doubt = other_origin(client, pull)
            return Decisive(run=run, numbers=numbers, base_sha=base_sha, doubt=doubt)
    if own and own[0].conclusion not in ENDED:
        return Waiting(reason=f"not measured, its run ended as {own[0].conclusion}: run it again")
    return Waiting(reason=f"not measured on top of {pull.base.name} yet: run the gate again")


def why_waiting(run: GateRun) -> str:
    """Return what a run waits for; "" for one that has ended."""
    if run.conclusion == ACTION_REQUIRED:
        return "its run waits for an approval"
    return "" if run.conclusion else MEASURING


MOST_EVENTS, MOST_PULLS = 1000, 200
BASE_CHANGED = "base_ref_changed"


def last_base_change(client: Client, number: int) -> str:
    """Return when the base branch of a pull request was last changed, ISO 8601; "" if never."""
    events = client.pages(f"issues/{number}/events", most=MOST_EVENTS)
    times = (str(one["created_at"]) for one in events if one["event"] == BASE_CHANGED)
    return max(times, default="")


def other_origin(client: Client, pull: Pull) -> str:
    """Return why runs for the pull request's head may be another one's; "" if they can't be."""
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


_BRANCH = re.compile(r"gh-readonly-queue/(?P<base>.+)/pr-[0-9]+-[0-9a-f]{40}", re.ASCII)


def evaluate_group(client: Client, home: Home, head_sha: str, settings: Settings) -> Evaluation:
    """Return the status of a group's commit by its newest run that was not skipped or cancelled."""
    runs = list_runs(client, home.repository, settings.workflow, head_sha, MERGE_GROUP)
    standing = [run for run in runs if why_waiting(run) or run.conclusion in ENDED]
    if not standing:
        return Evaluation(status=None, reason=f"no run has measured the group {head_sha[:12]}")
    run = standing[0]
    match = _BRANCH.fullmatch(run.head_branch)
    if match is None or run.fork:
        return Evaluation(status=None, reason=f"{run.head_branch} is not a branch of a merge queue")
    try:
        opinion = _judge(client, run, match["base"], settings)
    except OnegigError as error:
        opinion = refuse(error)
    description = describe("merge group", match["base"], opinion.text)
    return Evaluation(status=Status(state=opinion.state, description=description, url=run.url))


def _judge(client: Client, run: GateRun, base: str, settings: Settings) -> Decision:
    if why := why_waiting(run):
        return wait(why)
    measured = Measured.of(fetch_numbers(client, run, settings.artifact, trigger=MERGE_GROUP))
    budgets = read_budgets(client, settings.budgets, branch_tip(client, base))
    # Only commits of the base branch have numbers on the data branch: the nearest is one of it.
    found = find_baseline(client, run.head_sha, base)
    main = found[0] if isinstance(found, tuple) else None
    options = Options(budgets=Path(settings.budgets))
    report = pipeline.judge_reports(options, budgets, measured.images, measured.memory, main)
    return judge_run(replace(report, commit=run.head_sha), run.conclusion, budgets)
