"""A run's numbers judged again, by limits the pull request has no hand in, and seen from it.

Of what the run says only the numbers are used, and the commit it was measured on top of once GitHub
confirms it. Budgets, changed files and how far the branch lags behind come from GitHub.

A merge ref is compared with its first parent, which is what the base branch was when it was
measured. That is the run's claim: GitHub must know the merge commit, with just these parents, and
the parent as a commit of the base branch, not older than where the pull request left it: an older
one could excuse what the base branch has fixed since. Otherwise there is no baseline.
"""

import re
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path

from onegig.config.budgets import parse_budgets
from onegig.config.document import MAX_BYTES
from onegig.errors import ConfigError, ExitCode, GithubError
from onegig.github.client import Client
from onegig.github.history import find_baseline
from onegig.github.trees import UNKNOWN_COMMIT, Trees, contains
from onegig.github.trusted.artifact import Numbers
from onegig.github.trusted.gate_files import Sides, find_measuring_changes, outdated_reason
from onegig.github.trusted.plan import adopt
from onegig.github.trusted.pulls import Pull
from onegig.github.trusted.runs import SUCCESS, GateRun, Settings
from onegig.judge.checks import Case
from onegig.judge.compare import compare
from onegig.judge.limits import MEASURING, SIZING, disallowed, has_change, limit_changes, unjudged
from onegig.judge.tier import choose_tier
from onegig.judge.verdict import judge
from onegig.model.budgets import Budgets
from onegig.model.measured import Missing, Skipped, Unknown
from onegig.model.options import Options
from onegig.model.plan import Plan
from onegig.model.report import Failure, LimitChange, Report, Review, RunReport
from onegig.model.verdict import Baseline, Verdict
from onegig.plan.options import make_plan
from onegig.planning import NO_STACK, read_case

TOO_LARGE = 200  # the status of an answer that was not read to its end
NO_FILE = b"version: 1\n"  # every key may be left out
NOT_VERIFIED = "no baseline: the commit it was measured on could not be verified"
_COMMAND = re.compile(r"onegig check( --[a-z-]+( [\w.,:@=][\w./,:@=-]*)?)*", re.ASCII)


@dataclass(frozen=True, kw_only=True, slots=True)
class Compared:
    """The commit compared with, "" when there is none; `doubt` says why if it was claimed."""

    base_sha: str
    merge_base: str
    branch_behind: int | Missing
    doubt: str = ""


@dataclass(frozen=True, kw_only=True, slots=True)
class Edit:
    """A pull request's change of budgets.yml; `budgets` is the reason if it is not usable."""

    changes: tuple[LimitChange, ...]
    budgets: Budgets | str


@dataclass(frozen=True, kw_only=True, slots=True)
class _Facts:
    """The facts that GitHub states, whatever the run claims."""

    budgets: Budgets  # of the base branch
    compared: Compared
    measuring: tuple[str, ...]  # paths that measure and differ from the base branch
    edit: Edit | None
    used: Budgets | str  # those of the merge that was measured; the reason if they are not known
    outdated: str  # why the run did not measure as the base branch does now


def make_report(
    client: Client,
    run: GateRun,
    pull: Pull,
    numbers: Numbers,
    base_sha: str,
    *,
    settings: Settings,
    now: datetime,
    doubt: str = "",
) -> Report:
    """Return the whole report of a pull request's run; `base_sha` as `measured_on` gives it.

    `doubt` says why the run may be another pull request's. Raises GithubError, and ConfigError when
    the base branch's own budgets have mistakes.
    """
    claim, branch = numbers.run, pull.base.name
    facts = _look_up(client, pull, base_sha, claim, settings)
    edit, compared = facts.edit, facts.compared
    is_verified = bool(base_sha) and compared.base_sha == base_sha
    baseline = _baseline(client, compared, branch)
    main = baseline[0] if isinstance(baseline, tuple) else None
    reports = (item for item in (numbers.images, numbers.memory) if not isinstance(item, Missing))
    stacks = (item.stack for item in reports)
    report = Report(
        stack=next(filter(None, stacks), run.repository.name.partition("/")[2]),
        created=now.astimezone(UTC).isoformat(timespec="seconds"),
        commit=(claim.measured_sha if claim and is_verified else "") or run.head_sha,
        verdict=_judge(facts.budgets, numbers, now, main),
        images=numbers.images,
        memory=numbers.memory,
        reproduce=_reproduce(claim, facts.budgets.path),
    )
    report = replace(report, plan=_plan(report, facts.budgets, numbers.plan, now))
    review = Review(
        head_sha=run.head_sha,
        base_sha=compared.base_sha,
        base_branch=branch,
        branch_behind=compared.branch_behind,
        comparison=baseline if isinstance(baseline, Missing) else compare(report, *baseline),
        limit_changes=edit.changes if edit else (),
        proposed=_proposed(settings.budgets, edit, numbers, now, main),
        self_reported=run.fork,
        measuring_changes=facts.measuring,
        host_access=disallowed(claim.host_access, facts.budgets) if claim else (),
        unverified=doubt
        or compared.doubt
        or facts.outdated
        or _unjudged(facts, numbers, now, main),
        run_url=run.url,
    )
    failure = _failure(run, numbers, report.verdict, review.proposed)
    return replace(report, failure=failure, review=review)


def _plan(report: Report, budgets: Budgets, claim: Plan | Missing, now: datetime) -> Plan | Missing:
    case = read_case(report, budgets, NO_STACK, now.astimezone(UTC).date())
    if isinstance(case, Missing):
        return case
    return make_plan(case) if isinstance(claim, Missing) else adopt(claim, case)


def _look_up(
    client: Client, pull: Pull, base_sha: str, claim: RunReport | None, settings: Settings
) -> _Facts:
    """Ask GitHub for it, always by SHA: a tag may have the name of a branch."""
    tip, path, workflow = pull.base.tip, settings.budgets, settings.workflow
    budgets = read_budgets(client, path, tip)
    compared = find_compared(client, tip, pull.head_sha, base_sha, is_claimed=claim is not None)
    old_ref = compared.merge_base or tip
    edit = read_edit(client, path, old_ref=old_ref, new_ref=pull.head_sha)
    sides = find_sides(client, pull.number, tip, pull.head_sha, compared)
    forest = Trees(client)
    changed = find_measuring_changes(forest, sides, workflow, settings.measuring)
    used: Budgets | str = budgets
    outdated = ""
    if claim and base_sha:
        merge = claim.measured_sha
        used = _read_used(client, path, merge)
        outdated = outdated_reason(forest, merge, tip, workflow, settings.measuring)
        outdated = outdated or _changed_settings(budgets, used)
    if edit and isinstance(edit.budgets, str):  # what the gate read instead is not known
        changed = (*changed, path)
    return _Facts(
        budgets=budgets,
        compared=compared,
        measuring=changed,
        edit=edit,
        used=used,
        outdated=outdated,
    )


def _read_used(client: Client, path: str, merge: str) -> Budgets | str:
    try:
        return read_budgets(client, path, merge)
    except (ConfigError, GithubError) as error:
        if isinstance(error, GithubError) and error.status != TOO_LARGE:
            raise
        return f"measured by a {path} that can't be read"


def _changed_settings(budgets: Budgets, used: Budgets | str) -> str:
    """Return why a merge was not measured as the base branch says now, or "" if it was."""
    if isinstance(used, str):
        return used
    if not has_change(limit_changes(used, budgets), MEASURING):
        return ""
    return f"measured with settings of {budgets.path} that differ from the base branch's"


def _unjudged(facts: _Facts, numbers: Numbers, now: datetime, main: Baseline | None) -> str:
    """Return what the base branch's limits judge and the run left out by its own, or ""."""
    used, budgets = facts.used, facts.budgets
    if isinstance(used, str) or not has_change(limit_changes(used, budgets), SIZING):
        return ""
    return next(unjudged(_case(budgets, numbers, now, main)), "")


def _judge(budgets: Budgets, numbers: Numbers, now: datetime, main: Baseline | None) -> Verdict:
    case = _case(budgets, numbers, now, main)
    return judge(budgets, case.images, case.memory, case.tier, today=case.today, main=main)


def _case(budgets: Budgets, numbers: Numbers, now: datetime, main: Baseline | None) -> Case:
    return Case(
        budgets=budgets,
        images=numbers.images,
        memory=numbers.memory,
        tier=choose_tier(budgets, numbers.memory, numbers.images),
        today=now.astimezone(UTC).date(),
        main=main,
    )


def _proposed(
    path: str, edit: Edit | None, numbers: Numbers, now: datetime, main: Baseline | None
) -> str:
    """Return the verdict by the pull request's own budgets."""
    if edit is None:
        return ""
    if isinstance(edit.budgets, str):
        return f"none: {path} of this pull request can't be read: {edit.budgets}"
    return _judge(edit.budgets, numbers, now, main).sentence if edit.changes else ""


def _baseline(client: Client, compared: Compared, branch: str) -> tuple[Baseline, int] | Missing:
    if not compared.merge_base:
        return Skipped(reason=f"nothing to compare with: no commit in common with {branch}")
    if compared.doubt:
        return Skipped(reason=compared.doubt)
    return find_baseline(client, compared.base_sha, branch)


def _failure(run: GateRun, numbers: Numbers, verdict: Verdict, proposed: str) -> Failure | None:
    """Return the failure of the run, from its own report or else from GitHub."""
    if numbers.run and numbers.run.failure:
        return numbers.run.failure
    if numbers.run is None:
        reason = numbers.memory.reason if isinstance(numbers.memory, Missing) else ""
    elif run.conclusion != SUCCESS and verdict.state.passes and not proposed:
        reason = f"the gate's job ended as {run.conclusion}, although its numbers are within limits"
    else:
        return None
    return Failure(message=reason, advice="read its log", exit_code=int(ExitCode.INCOMPLETE))


def _reproduce(claim: RunReport | None, budgets_path: str) -> str:
    """Return the run's command if it is one of ours: a reader will paste it into a shell."""
    if claim and _COMMAND.fullmatch(claim.reproduce):
        return claim.reproduce
    return Options(budgets=Path(budgets_path)).reproduce


def read_budgets(client: Client, path: str, ref: str) -> Budgets:
    """Return the budgets at a commit; the defaults if there is no such file.

    ConfigError when the file has mistakes.
    """
    return parse_budgets(path, _read(client, path, ref))


def read_edit(client: Client, path: str, *, old_ref: str, new_ref: str) -> Edit | None:
    """Return the changes between two commits, if any. The new text is not trusted.

    GitHub follows a link to the file that it leads to. A pull request's own mistakes are counted,
    not shown.
    """
    old = _read(client, path, old_ref)
    try:
        new = _read(client, path, new_ref)
        budgets = parse_budgets(path, new)
    except (ConfigError, GithubError) as error:
        if isinstance(error, GithubError) and error.status != TOO_LARGE:
            raise
        return Edit(changes=(), budgets=error.message)
    if old == new:
        return None
    try:
        was = parse_budgets(path, old)
    except ConfigError:  # fixed by this very change, maybe
        was = parse_budgets(path, NO_FILE)
    return Edit(changes=limit_changes(was, budgets), budgets=budgets)


def _read(client: Client, path: str, ref: str) -> bytes:
    text = client.read_file(path, ref, MAX_BYTES)
    return NO_FILE if text is None else text


def measured_on(client: Client, claim: RunReport, head_sha: str) -> str:
    """Return the base commit of the merge that was measured, or "" if GitHub does not know it."""
    if not claim.measured_sha or not claim.base_sha or claim.head_sha != head_sha:
        return ""
    parents = _parents(client, claim.measured_sha)
    return claim.base_sha if parents == (claim.base_sha, head_sha) else ""


def find_compared(
    client: Client, tip: str, head_sha: str, base_sha: str, *, is_claimed: bool
) -> Compared:
    """Return the commit to compare a head with, for a base branch whose tip is `tip`.

    `base_sha` is as `measured_on` gives it, of a run that claims one.
    """
    facts = client.find(f"compare/{tip}...{head_sha}", absent=UNKNOWN_COMMIT, per_page=1)
    if facts is None:
        behind = Unknown(reason="GitHub could not compare it with the base branch")
        doubt = NOT_VERIFIED if is_claimed else ""
        return Compared(base_sha="", merge_base="", branch_behind=behind, doubt=doubt)
    merge_base = str(facts["merge_base_commit"]["sha"])
    is_verified = (
        bool(base_sha)
        and contains(client, tip, base_sha)
        and contains(client, base_sha, merge_base)
    )
    unclaimed = "" if is_claimed else merge_base
    return Compared(
        base_sha=base_sha if is_verified else unclaimed,
        merge_base=merge_base,
        branch_behind=int(facts["behind_by"]),
        doubt=NOT_VERIFIED if is_claimed and not is_verified else "",
    )


def find_sides(client: Client, number: int, tip: str, head_sha: str, compared: Compared) -> Sides:
    """Return the commits that decide whether a pull request changes how it is measured."""
    sides = Sides(base=tip, head=head_sha, merge_base=compared.merge_base)
    if compared.branch_behind == 0:
        return sides
    merge = str(client.get(f"pulls/{number}").get("merge_commit_sha") or "")
    parents = _parents(client, merge) if merge else ()
    if len(parents) != 2 or parents[1] != head_sha or not contains(client, tip, parents[0]):
        return sides
    return replace(sides, merge=merge, merge_onto=parents[0])


def _parents(client: Client, commit: str) -> tuple[str, ...]:
    """Return a commit's parents, or () if GitHub does not know it."""
    known = client.find(f"commits/{commit}", absent=UNKNOWN_COMMIT, per_page=1)
    return tuple(str(parent["sha"]) for parent in known["parents"]) if known else ()
