"""Whether a NO-GO keeps a pull request from being merged, and nothing else does for ever."""

from collections.abc import Iterator

from onegig.load.nearest import did_you_mean
from onegig.model.measured import Unknown
from onegig.publish.doctor.checkout import Checkout
from onegig.publish.doctor.findings import Finding, good, must, should, unknown
from onegig.publish.doctor.hosted import Hosted, Required
from onegig.publish.doctor.workflow import Workflow
from onegig.publish.doctor.workflows import gate_job
from onegig.publish.trusted.checks import NAME as COMMENTS_CHECK

ACTIONS_APP = 15368  # GitHub Actions itself
ANY_APP = (None, -1, ACTIONS_APP)


def required_check(checkout: Checkout, hosted: Hosted) -> Iterator[Finding]:
    """Findings about the checks that the default branch requires."""
    gate = checkout.workflows.get(checkout.gate)
    job = gate_job(gate) if gate else None
    if gate is None or job is None:
        yield unknown("the gate's check", "there is no job that runs the gate")
        return
    if job.has_matrix or "${{" in job.name:
        yield must(
            f"the job {job.id} sets no check of one constant name",
            f"jobs:\n  {job.id}:\n    name: gate\n\nand no matrix: put that into a job it needs",
        )
        return
    required, unread = _required(hosted)
    for reason in unread:
        yield unknown(f"what {hosted.default_branch} requires", reason)
    names = {one.name for one in required}
    if any(one.name == job.name and one.app in ANY_APP for one in required):
        yield good(f"{hosted.default_branch} requires the check {job.name}")
    elif job.name not in names and not unread:
        yield from _not_required(job.name, names, hosted)
    yield from _by_another_app(job.name, required)
    yield from _of_nobody(checkout, hosted, names - {job.name}, job.name)
    yield from _queue(gate, hosted, names)


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


def _not_required(name: str, names: set[str], hosted: Hosted) -> Iterator[Finding]:
    if COMMENTS_CHECK in names:
        yield good(
            f"{hosted.default_branch} requires the check {COMMENTS_CHECK}, which `onegig comment` "
            "sets by the base branch's own budgets"
        )
        return
    yield should(
        f"{hosted.default_branch} does not require the check {name}: a NO-GO can be merged",
        f"{hosted.page}/settings/rules, New branch ruleset: target the default branch, Require "
        f"status checks to pass, add {name} (from GitHub Actions)",
    )


def _by_another_app(name: str, required: list[Required]) -> Iterator[Finding]:
    for one in required:
        if one.name == name and one.app not in ANY_APP:
            yield must(
                f"the required check {name} is expected from another app (id {one.app}) than "
                "GitHub Actions: pull requests wait for ever",
                "choose GitHub Actions as its source",
            )


def _of_nobody(checkout: Checkout, hosted: Hosted, names: set[str], gate: str) -> Iterator[Finding]:
    jobs = {(flow.name, job.name): job for flow in checkout.workflows.values() for job in flow.jobs}
    known = {name for _, name in jobs} | {COMMENTS_CHECK}
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
                f"{hosted.default_branch}'s newest commit{did_you_mean(name, {*known, gate})}: if "
                "nobody sets it, pull requests wait for ever",
                f"take it out, or name it as its job is: {hosted.page}/settings/rules or /branches",
            )


def _queue(gate: Workflow, hosted: Hosted, names: set[str]) -> Iterator[Finding]:
    if isinstance(hosted.rules, Unknown) or "merge_queue" not in {one.type for one in hosted.rules}:
        return
    if "merge_group" not in gate.triggers:
        yield must(
            f"there is a merge queue, and {gate.path} does not run for it: nothing gets through",
            "on:\n  merge_group:",
        )
    else:
        yield good(f"there is a merge queue, and {gate.path} runs for it")
    if COMMENTS_CHECK in names:
        yield must(
            f"there is a merge queue, and it requires the check {COMMENTS_CHECK}, which only pull "
            "requests get: nothing gets through",
            f"require the check of {gate.path} instead",
        )
