"""Whether the jobs' tokens may do what they have to, and no more where strangers' code runs."""

from collections.abc import Iterator, Mapping

from onegig.github.doctor.action import COMMENT, EXAMPLES, PUBLISH, job_of
from onegig.github.doctor.checkout import Checkout
from onegig.github.doctor.findings import Finding, good, must, should, unknown
from onegig.github.doctor.hosted import Hosted
from onegig.github.doctor.policy import actions_policy
from onegig.github.doctor.workflow import ALL, LEVELS, JobSteps, Workflow
from onegig.model.measured import Unknown

NEEDED = (
    (
        COMMENT,
        {"actions": "read", "contents": "read", "pull-requests": "write", "statuses": "write"},
    ),
    (PUBLISH, {"actions": "read", "contents": "write"}),
)


def permissions(checkout: Checkout, hosted: Hosted | None) -> Iterator[Finding]:
    """Findings about `permissions:` in the YAML, then about the repository's settings."""
    gate = checkout.workflows.get(checkout.gate)
    comment = checkout.workflows.get(checkout.comment)
    if gate:
        yield from _read_only(gate, hosted)
    for command, needed in NEEDED:
        job = job_of(comment, command) if comment else None
        if comment and job:
            yield _granted(comment, job, needed, _default_level(hosted))
        elif comment and command == PUBLISH:
            yield should(
                f"no job of {comment.path} runs `onegig publish`: nothing to compare with, and no "
                "badge",
                f"take over the job `data` from {EXAMPLES.format('comment.yml')}",
            )
    if hosted:
        yield _default(hosted)
        yield from actions_policy(checkout, hosted)


def _read_only(gate: Workflow, hosted: Hosted | None) -> Iterator[Finding]:
    writing = {job.id: job.writes() for job in gate.jobs if job.writes()}
    unsaid = [job.id for job in gate.jobs if job.permissions is None]
    cure = "permissions:\n  contents: read"
    for name, granted in writing.items():
        yield must(
            f"the job {name} of {gate.path} runs strangers' code and may write "
            f"{', '.join('everything' if one == ALL else one for one in granted)}",
            f"jobs:\n  {name}:\n    permissions:\n      contents: read",
        )
    if unsaid and hosted and hosted.workflow_default == "write":
        yield must(
            f"{gate.path} does not say what its token may do, and by default that is to write", cure
        )
    elif unsaid:
        yield should(f"{gate.path} does not say what its token may do", cure)
    elif not writing:
        yield good(f"{gate.path}, which runs strangers' code, may only read")


def _default_level(hosted: Hosted | None) -> str:
    """What a job may do that does not say it; the restricted default lets nothing be written."""
    return "write" if hosted and hosted.workflow_default == "write" else "none"


def _granted(workflow: Workflow, job: JobSteps, needed: Mapping[str, str], default: str) -> Finding:
    missing = {
        name: level
        for name, level in needed.items()
        if LEVELS.index(_known(job.level(name, default))) < LEVELS.index(level)
    }
    if not missing:
        granted = ", ".join(f"{name}: {level}" for name, level in needed.items())
        return good(f"the job {job.id} of {workflow.path} has {granted}")
    lines = "".join(f"\n      {name}: {level}" for name, level in needed.items())
    return must(
        f"the job {job.id} of {workflow.path} lacks "
        f"{', '.join(f'{name}: {level}' for name, level in missing.items())}",
        f"jobs:\n  {job.id}:\n    permissions:{lines}",
    )


def _known(level: str) -> str:
    return level if level in LEVELS else LEVELS[0]


def _default(hosted: Hosted) -> Finding:
    what = "what tokens may do by default"
    if isinstance(hosted.workflow_default, Unknown):
        return unknown(what, hosted.workflow_default.reason)
    if hosted.workflow_default == "read":
        return good("by default, tokens of workflows may only read")
    return should(
        "by default, tokens of workflows may write, also in workflows that do not say so",
        f"gh api --method PUT repos/{hosted.repository}/actions/permissions/workflow "
        f"--field default_workflow_permissions=read\n(or {hosted.page}/settings/actions, "
        "Workflow permissions)",
    )
