"""Evaluate a commit's status from what GitHub has recorded, and from nothing else.

Which pull requests count: those into protected branches, as a success for another branch would be
carried along when the base is changed. Among them one's own come before those of forks, so that a
stranger's pull request of somebody's commit changes nothing; a fork's that a maintainer confirmed
comes before one that nobody did. Of those that count the worst decides.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime

from onegig.errors import OnegigError
from onegig.github.client import Client
from onegig.github.trees import branch_tip, contains
from onegig.github.trusted.confirmations import Confirmed, command, find_confirmers, page
from onegig.github.trusted.decisive import Decisive, find_decisive
from onegig.github.trusted.limits import read_budgets
from onegig.github.trusted.opinions import Opinion, Standing, judge_run, refuse, wait, worst
from onegig.github.trusted.pulls import Pull, find_pulls
from onegig.github.trusted.review import make_report
from onegig.github.trusted.runs import PULL_REQUEST, GateRun, list_runs
from onegig.github.trusted.settings import Settings
from onegig.github.trusted.statuses import Status, describe
from onegig.github.trusted.trigger import Home
from onegig.model.report import Report

MOST_COUNTING = 20
MOST_TOLD = 5  # pull requests of one commit that get a comment


@dataclass(frozen=True, kw_only=True, slots=True)
class Answer:
    """Hold the answer for one pull request; without a report there is nothing to comment."""

    pull: Pull
    opinion: Opinion
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
    return Status(state=Standing.ERROR, description=text, url="")


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
            return Answer(pull=pull, opinion=Opinion(state=Standing.FAILURE, text=gone))
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
        self, report: Report, pull: Pull, opinion: Opinion, confirmer: str
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
