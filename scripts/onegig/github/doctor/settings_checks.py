"""Checks of a repository's settings: what is required, who may run what, and the data branch."""

from collections.abc import Iterator, Mapping
from fnmatch import fnmatchcase
from typing import Any

from onegig.errors import OnegigError
from onegig.github.doctor.checkout import COMMENT, Checkout, inside_builder
from onegig.github.doctor.findings import Finding, good, must, should, unknown
from onegig.github.doctor.hosted import DataBranch, Hosted, Required
from onegig.github.doctor.workflow_checks import EXAMPLES, gate_job
from onegig.github.history import HISTORY, read_files
from onegig.github.job import STATUS
from onegig.model.measured import Missing, Skipped, Unknown
from onegig.text import did_you_mean

ACTIONS_APP = 15368  # GitHub Actions itself
ANY_APP = (None, -1, ACTIONS_APP)
APPROVALS = {
    "first_time_contributors_new_to_github": "of people new to GitHub",
    "first_time_contributors": "of people new to this repository",
    "all_external_contributors": "of people without write access",
}
FORBIDDING = {  # types of rules, and what publishing does that they forbid
    "creation": "creating branches",
    "update": "pushing",
    "non_fast_forward": "replacing the branch's commit",
    "pull_request": "pushing without a pull request",
    "required_status_checks": "pushing without checks",
    "required_signatures": "commits without a signature",
    "merge_queue": "pushing past the queue",
    "required_deployments": "pushing without a deployment",
}


def check_required(checkout: Checkout, hosted: Hosted) -> Iterator[Finding]:
    """Check the checks and statuses that the default branch requires."""
    gate = checkout.workflows.get(checkout.gate)
    job = gate_job(gate) if gate else None
    if gate is None or job is None:
        yield unknown("the gate's check", "no job runs the gate")
        return
    sources = (hosted.protection, _required_by_rules(hosted))
    required = [check for each in sources if not isinstance(each, Unknown) for check in each]
    unread = [each.reason for each in sources if isinstance(each, Unknown)]
    for reason in unread:
        yield unknown(f"required checks of {hosted.default_branch}", reason)
    names = {item.name for item in required}
    gates = set(job.check_names)
    if any(check.name == STATUS and check.app in ANY_APP for check in required):
        yield good(
            f"{hosted.default_branch} requires the status {STATUS}, which `onegig comment` "
            "sets according to the base branch's budgets"
        )
    elif STATUS not in names and not unread:
        yield _not_required(sorted(gates & names), hosted)
    for check in required:
        if check.name in (STATUS, *gates) and check.app not in ANY_APP:
            yield must(
                f"the required check {check.name} is expected from an app (id {check.app}) "
                "that is not GitHub Actions: pull requests wait forever",
                "choose GitHub Actions as its source",
            )
    yield from _check_job_names(checkout)
    yield from _check_unset(checkout, hosted, names - gates)
    yield from _check_merge_queue(checkout, hosted)


def check_forks(checkout: Checkout, hosted: Hosted) -> Iterator[Finding]:
    """Check whether the gate runs for forks, and who tells them the verdict."""
    approval, private = hosted.fork_approval, hosted.private_forks
    page = f"{hosted.page}/settings/actions"
    if isinstance(approval, Unknown):
        yield unknown("runs that need approval", approval.reason)
    elif isinstance(approval, str):
        yield good(
            f"first runs {APPROVALS.get(approval, approval)} wait until somebody with "
            "write access approves them (Approve and run)"
        )
    if isinstance(private, Unknown):
        yield unknown("workflows for forks of this private repository", private.reason)
    elif isinstance(private, Mapping) and not private.get("run_workflows_from_fork_pull_requests"):
        yield should(
            "workflows do not run for forks of this private repository: their pull requests get no "
            "verdict and can't be merged if it is required",
            f"{page}, Run workflows from fork pull requests",
        )
    elif isinstance(private, Mapping) and private.get("send_write_tokens_to_workflows"):
        yield must(
            "runs of forks get a token that may write: untrusted code gets your token",
            f"{page}, disable Send write tokens to workflows from fork pull requests",
        )
    elif isinstance(private, Mapping):
        yield good("workflows run for forks of this private repository, with a read-only token")
    if checkout.comment in checkout.workflows:
        yield good(
            f"a fork's run has a read-only token: {checkout.comment} picks up its results, and a "
            f"GO waits until a maintainer confirms it (`forks` in {checkout.budgets})"
        )


def check_data_branch(hosted: Hosted) -> Iterator[Finding]:
    """Check the branch that the comparison, the badge and the trend come from."""
    data = hosted.data
    if isinstance(data.exists, Unknown):
        yield unknown(f"the branch {data.name}", data.exists.reason)
    elif not data.exists:
        yield should(
            f"there is no branch {data.name} yet: there is nothing to compare with, and a "
            "badge linked now would be cached as broken",
            f"onegig publish --seed\n(needs a token with contents: write; the first push to "
            f"{hosted.default_branch} adds the first numbers)",
        )
    else:
        yield _check_data_files(data)
    if isinstance(data.rules, Unknown):
        yield unknown(f"permission to push to {data.name}", data.rules.reason)
        return
    for rule in data.rules:
        if rule.type in FORBIDDING and not (rule.type == "creation" and data.exists is True):
            yield must(
                f"a ruleset forbids {FORBIDDING[rule.type]} on {data.name}, which "
                "publishing the numbers needs",
                f"exclude {data.name} from its targets: {hosted.page}/settings/rules/"
                f"{rule.ruleset}",
            )


def check_actions_policy(checkout: Checkout, hosted: Hosted) -> Iterator[Finding]:
    """Check that the repository lets the actions run that gate and comment use."""
    policy, page = hosted.policy, f"{hosted.page}/settings/actions"
    if isinstance(policy, Unknown):
        yield unknown("permission to run Actions", policy.reason)
    elif not policy.enabled:
        yield must(
            "Actions are disabled in this repository",
            f"gh api --method PUT repos/{hosted.repository}/actions/permissions "
            f"--field enabled=true --field allowed_actions=all\n(or {page})",
        )
    elif policy.allowed == "all":
        yield good("Actions are enabled, and all of them may run")
    elif isinstance(policy.selected, Unknown):
        yield unknown("allowed actions", policy.selected.reason)
    else:
        used = dict(checkout.remote_actions())
        inner = {action: outer for outer in used for action in inside_builder(outer)}
        used = dict(sorted((inner | used).items()))
        owner = hosted.repository.partition("/")[0]
        refused = [action for action in used if not _is_allowed(action, owner, policy.selected)]
        if not refused:
            yield good("Actions are enabled, and the actions used here are allowed")
            return
        names = [
            f"{action} (inside of {used[action]})" if used[action] else action for action in refused
        ]
        patterns = ",\n".join(dict.fromkeys(f"{item.partition('@')[0]}@*" for item in refused))
        yield must(
            f"the repository does not allow these actions: {', '.join(names)}",
            f"allow them at {page} (Allow select actions):\n{patterns}",
        )


def _required_by_rules(hosted: Hosted) -> tuple[Required, ...] | Unknown:
    if isinstance(hosted.rules, Unknown):
        return hosted.rules
    return tuple(
        Required(name=str(check["context"]), app=check.get("integration_id"))
        for rule in hosted.rules
        if rule.type == "required_status_checks"
        for check in rule.parameters.get("required_status_checks", [])
    )


def _not_required(gates: list[str], hosted: Hosted) -> Finding:
    text = f"{hosted.default_branch} does not require the status {STATUS}: a NO-GO can be merged"
    if gates:
        text = (
            f"{hosted.default_branch} requires {gates[0]}, but not the status {STATUS}: a "
            f"pull request can change its own workflow so that {gates[0]} does nothing and passes"
        )
    return should(
        text,
        f"{hosted.page}/settings/rules, New branch ruleset: target the default branch, Require "
        f"status checks to pass, add {STATUS} (from GitHub Actions)",
    )


def _check_job_names(checkout: Checkout) -> Iterator[Finding]:
    """Find jobs of the status's name: they set a check, and GitHub then wants both to pass."""
    for workflow in checkout.workflows.values():
        for job in workflow.jobs:
            if STATUS in job.check_names:
                yield should(
                    f"the job {job.id} of {workflow.path} has the name of the status, "
                    f"{STATUS}: its check looks like the verdict, and both have to pass",
                    f"jobs:\n  {job.id}:\n    name: another name",
                )


def _check_unset(checkout: Checkout, hosted: Hosted, names: set[str]) -> Iterator[Finding]:
    """Find required checks that nothing here sets."""
    jobs = {
        (flow.name, name): job
        for flow in checkout.workflows.values()
        for job in flow.jobs
        for name in (job.name, *job.check_names)
    }
    known = {name for _, name in jobs} | {STATUS}
    seen = set() if isinstance(hosted.checks, Unknown) else set(hosted.checks)
    as_shown = {f"{flow} / {name}": name for flow, name in jobs}
    prefixes = [name.partition("${{")[0] for _, name in jobs if "${{" in name]
    prefixes += [f"{job.name} (" for job in jobs.values() if job.has_matrix]
    page = f"{hosted.page}/settings/rules or /branches"
    for name in sorted(names - known - seen):
        if name in as_shown:
            yield must(
                f"the required check is {name}, as GitHub's pages show it, but no check "
                "has that name: pull requests wait forever",
                f"require {as_shown[name]} instead: {page}",
            )
        elif not name.startswith(tuple(filter(None, prefixes))):
            yield should(
                f"the required check {name} is set by no workflow here, and was not on "
                f"{hosted.default_branch}'s newest commit{did_you_mean(name, known)}; if "
                "nothing sets it, pull requests wait forever",
                f"remove it, or use the name of its job: {page}",
            )


def _check_merge_queue(checkout: Checkout, hosted: Hosted) -> Iterator[Finding]:
    gate = checkout.workflows[checkout.gate]
    if isinstance(hosted.rules, Unknown) or "merge_queue" not in {
        rule.type for rule in hosted.rules
    }:
        return
    if "merge_group" not in gate.triggers:
        yield must(
            f"there is a merge queue, and {gate.path} does not run for it: nothing can be merged",
            "on:\n  merge_group:",
        )
    else:
        yield good(f"there is a merge queue, and {gate.path} runs for it")
    comment = checkout.workflows.get(checkout.comment)
    job = comment.job_running(COMMENT) if comment else None
    if comment and job and "pull_request" in job.condition and "merge_group" not in job.condition:
        yield must(
            f"there is a merge queue, and the job {job.id} of {comment.path} leaves its groups "
            f"without the status {STATUS}: nothing can be merged",
            f"copy its `if:` from {EXAMPLES.format('comment.yml')}",
        )


def _check_data_files(data: DataBranch) -> Finding:
    unread = [text for text in data.files.values() if isinstance(text, Unknown)]
    if unread:
        return unknown(f"the files on {data.name}", unread[0].reason)
    texts = {name: text for name, text in data.files.items() if isinstance(text, str)}
    try:
        record = read_files(texts, data.name)
    except OnegigError as error:
        return must(
            f"{data.name} cannot be used: {error.message}", error.advice or "fix it by hand"
        )
    if isinstance(data.files.get(HISTORY), Skipped) or not record.history:
        return good(f"{data.name} is there and waits for its first numbers")
    return good(f"{data.name} has the numbers of {len(record.history)} commits")


def _is_allowed(action: str, owner: str, selected: Mapping[str, Any] | Missing) -> bool:
    """Return whether a policy allows an action; those of verified creators need a pattern, too."""
    if action.startswith(f"{owner}/"):
        return True
    if not isinstance(selected, Mapping):
        return False
    if selected.get("github_owned_allowed") and action.startswith(("actions/", "github/")):
        return True
    listed = selected.get("patterns_allowed")
    patterns = [str(pattern) for pattern in listed] if isinstance(listed, list) else []
    if "@" not in action:  # its commit is not known
        patterns = [pattern.partition("@")[0] for pattern in patterns]
    return any(fnmatchcase(action, pattern) for pattern in patterns)
