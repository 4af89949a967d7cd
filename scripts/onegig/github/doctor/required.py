"""Whether a NO-GO keeps a pull request from being merged, and nothing else does for ever."""

from collections.abc import Iterator

from onegig.config.document import did_you_mean
from onegig.github.doctor.action import COMMENT, EXAMPLES, job_of
from onegig.github.doctor.checkout import Checkout
from onegig.github.doctor.findings import Finding, good, must, should, unknown
from onegig.github.doctor.hosted import Hosted, Required
from onegig.github.doctor.workflow import Workflow, names_of
from onegig.github.doctor.workflows import gate_job
from onegig.github.trusted.statuses import NAME as STATUS
from onegig.model.measured import Unknown

ACTIONS_APP = 15368  # GitHub Actions itself
ANY_APP = (None, -1, ACTIONS_APP)


def required_check(checkout: Checkout, hosted: Hosted) -> Iterator[Finding]:
    """Findings about the checks and statuses that the default branch requires."""
    gate = checkout.workflows.get(checkout.gate)
    job = gate_job(gate) if gate else None
    if gate is None or job is None:
        yield unknown("the gate's check", "there is no job that runs the gate")
        return
    required, unread = _required(hosted)
    for reason in unread:
        yield unknown(f"what {hosted.default_branch} requires", reason)
    names = {one.name for one in required}
    gates = set(names_of(job))
    if any(one.name == STATUS and one.app in ANY_APP for one in required):
        yield good(
            f"{hosted.default_branch} requires the status {STATUS}, which `onegig comment` sets by "
            "the base branch's own budgets"
        )
    elif STATUS not in names and not unread:
        yield _not_required(sorted(gates & names), hosted)
    for name in (STATUS, *sorted(gates)):
        yield from _by_another_app(name, required)
    yield from _jobs_of_its_name(checkout)
    yield from _of_nobody(checkout, hosted, names - gates)
    yield from _queue(checkout, gate, hosted)


def _required(hosted: Hosted) -> tuple[list[Required], list[str]]:
    """What is required, and the reasons for which there may be more."""
    sources = (hosted.protection, _by_rules(hosted))
    found = [one for source in sources if not isinstance(source, Unknown) for one in source]
    return found, [source.reason for source in sources if isinstance(source, Unknown)]


def _by_rules(hosted: Hosted) -> tuple[Required, ...] | Unknown:
    if isinstance(hosted.rules, Unknown):
        return hosted.rules
    return tuple(
        Required(name=str(check["context"]), app=check.get("integration_id"))
        for rule in hosted.rules
        if rule.type == "required_status_checks"
        for check in rule.parameters.get("required_status_checks", [])
    )


def _not_required(gates: list[str], hosted: Hosted) -> Finding:
    what = f"{hosted.default_branch} does not require the status {STATUS}: a NO-GO can be merged"
    if gates:
        what = (
            f"{hosted.default_branch} requires {gates[0]}, but not the status {STATUS}: a pull "
            f"request brings its own workflow, in which {gates[0]} may do nothing and be green"
        )
    return should(
        what,
        f"{hosted.page}/settings/rules, New branch ruleset: target the default branch, Require "
        f"status checks to pass, add {STATUS} (from GitHub Actions)",
    )


def _by_another_app(name: str, required: list[Required]) -> Iterator[Finding]:
    for one in required:
        if one.name == name and one.app not in ANY_APP:
            yield must(
                f"the required check {name} is expected from another app (id {one.app}) than "
                "GitHub Actions: pull requests wait for ever",
                "choose GitHub Actions as its source",
            )


def _jobs_of_its_name(checkout: Checkout) -> Iterator[Finding]:
    """A job of the status's name sets a check: GitHub then wants both to pass."""
    for workflow in checkout.workflows.values():
        for job in workflow.jobs:
            if STATUS in names_of(job):
                yield should(
                    f"the job {job.id} of {workflow.path} is called {STATUS}, as the status is: "
                    "readers can't tell its check from the verdict, and both have to pass",
                    f"jobs:\n  {job.id}:\n    name: another name",
                )


def _of_nobody(checkout: Checkout, hosted: Hosted, names: set[str]) -> Iterator[Finding]:
    jobs = {
        (flow.name, name): job
        for flow in checkout.workflows.values()
        for job in flow.jobs
        for name in (job.name, *names_of(job))
    }
    known = {name for _, name in jobs} | {STATUS}
    seen = set() if isinstance(hosted.checks, Unknown) else set(hosted.checks)
    as_shown = {f"{flow} / {name}": name for flow, name in jobs}
    prefixes = tuple(name.partition("${{")[0] for _, name in jobs if "${{" in name)
    matrix = tuple(f"{job.name} (" for job in jobs.values() if job.has_matrix)
    for name in sorted(names - known - seen):
        if name in as_shown:
            yield must(
                f"the required check is written as pages show it: {name}. No check has that name, "
                "so pull requests wait for ever",
                f"require {as_shown[name]} instead: {hosted.page}/settings/rules or /branches",
            )
        elif not name.startswith(tuple(filter(None, (*prefixes, *matrix)))):
            yield should(
                f"the required check {name} is set by no workflow here, and was not on "
                f"{hosted.default_branch}'s newest commit{did_you_mean(name, known)}: if "
                "nobody sets it, pull requests wait for ever",
                f"take it out, or name it as its job is: {hosted.page}/settings/rules or /branches",
            )


def _queue(checkout: Checkout, gate: Workflow, hosted: Hosted) -> Iterator[Finding]:
    if isinstance(hosted.rules, Unknown) or "merge_queue" not in {one.type for one in hosted.rules}:
        return
    if "merge_group" not in gate.triggers:
        yield must(
            f"there is a merge queue, and {gate.path} does not run for it: nothing gets through",
            "on:\n  merge_group:",
        )
    else:
        yield good(f"there is a merge queue, and {gate.path} runs for it")
    comment = checkout.workflows.get(checkout.comment)
    job = job_of(comment, COMMENT) if comment else None
    if comment and job and "pull_request" in job.condition and "merge_group" not in job.condition:
        yield must(
            f"there is a merge queue, and the job {job.id} of {comment.path} leaves its groups "
            f"without the status {STATUS}: nothing gets through",
            f"take over its `if:` from {EXAMPLES.format('comment.yml')}",
        )
