"""Checks of the workflows: they exist, run when they should, and may do what they must."""

from collections.abc import Iterator, Mapping
from fnmatch import fnmatchcase

from onegig.github.doctor.checkout import (
    ALL,
    CHECK,
    COMMENT,
    LEVELS,
    OWN,
    PUBLISH,
    WORKFLOWS,
    Checkout,
    Job,
    Workflow,
    inputs,
    runs_anyway,
    texts,
)
from onegig.github.doctor.findings import Finding, good, must, should, unknown
from onegig.github.doctor.hosted import Hosted
from onegig.github.job import ARTIFACT
from onegig.model.measured import Skipped, Unknown

GATE_JOB = "gate"
UPLOAD, CHECKOUT = "actions/upload-artifact", "actions/checkout"
EXAMPLES = "examples/workflows/{} of onegig's own repository"
GATE_TYPES = "[opened, synchronize, reopened, ready_for_review, edited]"
COMMENT_TYPES = ("requested", "completed")
RUN_NAME = "confirm #{0} at {1}"
NEEDED = {  # by command: what its job's token must be able to do
    COMMENT: {
        "actions": "read",
        "contents": "read",
        "pull-requests": "write",
        "statuses": "write",
    },
    PUBLISH: {"actions": "read", "contents": "write"},
}
_ON_PULL_REQUEST = "on:\n  pull_request:"


def check_workflows(checkout: Checkout, hosted: Hosted | None) -> Iterator[Finding]:
    """Check gate.yml and comment.yml, each alone and together."""
    for path, example in ((checkout.gate, "gate.yml"), (checkout.comment, "comment.yml")):
        if path in checkout.problems:
            yield must(f"{path} is not a valid workflow: {checkout.problems[path]}", "fix it")
        elif path not in checkout.workflows:
            copying = f"copy {EXAMPLES.format(example)} to {path}"
            written = path == f"{WORKFLOWS}/{example}"
            yield must(
                f"{path} is missing",
                f"`onegig init --workflows` writes it; or {copying}" if written else copying,
            )
        else:
            yield from _check_actions(checkout, path)
    gate = checkout.workflows.get(checkout.gate)
    comment = checkout.workflows.get(checkout.comment)
    if gate:
        yield from _check_gate_triggers(gate, hosted.default_branch if hosted else "main")
        yield from _check_gate_job(gate)
    if comment:
        yield from _check_comment_triggers(comment, gate.name if gate else "gate")
        yield from _check_comment_jobs(comment)
    if hosted:
        yield from _check_default_branch(checkout, hosted)


def check_permissions(checkout: Checkout, hosted: Hosted | None) -> Iterator[Finding]:
    """Check that each job's token has the permissions it needs, and the gate's is read-only."""
    gate = checkout.workflows.get(checkout.gate)
    comment = checkout.workflows.get(checkout.comment)
    if gate:
        yield from _check_read_only(gate)
    default = "write" if hosted and hosted.workflow_default == "write" else "none"
    for command, needed in NEEDED.items():
        job = comment.job_running(command) if comment else None
        if comment and job:
            yield _check_granted(comment, job, needed, default)
        elif comment and command == PUBLISH:
            yield should(
                f"no job of {comment.path} runs `onegig publish`: there are no numbers to "
                "compare with, and no badge",
                f"copy the job `data` from {EXAMPLES.format('comment.yml')}",
            )


def gate_job(gate: Workflow) -> Job | None:
    """Return the job whose result is the verdict."""
    return gate.job_running(CHECK, GATE_JOB)


def _check_actions(checkout: Checkout, path: str) -> Iterator[Finding]:
    if left := checkout.workflows[path].placeholders:
        yield must(
            f"{path} does not say which onegig it uses: {', '.join(left)}",
            "replace OWNER with the account that has onegig, the zeros with the commit of a tag, "
            "and name the tag after #:\ngh api repos/OWNER/onegig/commits/TAG --jq .sha",
        )
    for action in checkout.actions[path]:
        text = f"{path} uses {action.uses}: {action.problem}"
        if action.problem and action.uses.startswith(OWN):
            yield must(text, "add it, or remove the step")
        elif action.problem:
            yield should(text, "add it, or let an earlier step add it")


def _check_gate_triggers(gate: Workflow, branch: str) -> Iterator[Finding]:
    filters = gate.triggers.get("pull_request")
    if filters is None:
        yield must(f"{gate.path} does not run on pull requests", _ON_PULL_REQUEST)
    else:
        events = ", ".join(gate.triggers)
        yield good(f'{gate.path} is the workflow "{gate.name}" and runs on {events}')
    if filters is not None and "edited" not in texts(filters.get("types")):
        yield should(
            f"{gate.path} does not run when the base branch of a pull request changes: the "
            "status stays pending until the gate runs again",
            f"{_ON_PULL_REQUEST}\n    types: {GATE_TYPES}\n\nand the `if:` of its job from "
            f"{EXAMPLES.format('gate.yml')}",
        )
    for name in ("paths", "paths-ignore"):
        if filters and name in filters:
            yield must(
                f"{gate.path} runs for some files only (`{name}:`); a required check never "
                "reports for other files, so their pull requests can't be merged",
                f"remove `{name}:` from\n\n{_ON_PULL_REQUEST}",
            )
            break
    pushed = texts(gate.triggers.get("push", {}).get("branches")) or ("*",)
    if "push" not in gate.triggers or not any(fnmatchcase(branch, each) for each in pushed):
        yield should(
            f"{gate.path} does not run on pushes to {branch}: pull requests can't be "
            "compared with it, and the badge stays unknown",
            f"on:\n  push:\n    branches: [{branch}]",
        )
    if "pull_request_target" in gate.triggers:
        yield must(
            f"{gate.path} runs on pull_request_target: untrusted code gets your token",
            f"remove pull_request_target from `on:` and use\n\n{_ON_PULL_REQUEST}",
        )


def _check_gate_job(gate: Workflow) -> Iterator[Finding]:
    job = gate_job(gate)
    if job is None:
        yield must(
            f"{gate.path} has no job that runs the gate",
            f"copy the job `{GATE_JOB}` from {EXAMPLES.format('gate.yml')}",
        )
        return
    if not job.runs_after_failures:
        yield must(
            f"the job {job.id} needs {', '.join(job.needs)} and is skipped when one of them fails, "
            "which GitHub counts as passed",
            f"jobs:\n  {job.id}:\n    if: ${{{{ !cancelled() }}}}",
        )
    steps = [item for item in job.steps_using(UPLOAD) if inputs(item).get("name") == ARTIFACT]
    fix = f"- if: ${{{{ !cancelled() }}}}\n  uses: {UPLOAD}@...\n  with:\n    name: {ARTIFACT}"
    if not steps:
        yield must(
            f"the job {job.id} does not upload {ARTIFACT}, which the comment needs",
            f"{fix}\n    path: numbers",
        )
    elif not runs_anyway(str(steps[0].get("if", ""))):
        yield must(
            f"the job {job.id} only uploads {ARTIFACT} after a success: a NO-GO gets no comment",
            fix,
        )
    else:
        yield good(f"the job {job.id} uploads {ARTIFACT}, also after a NO-GO")


def _check_comment_triggers(comment: Workflow, gate: str) -> Iterator[Finding]:
    trigger = comment.triggers.get("workflow_run")
    followed = texts(trigger.get("workflows")) if trigger else ()
    types = texts(trigger.get("types")) if trigger else ()
    missing = [item for item in COMMENT_TYPES if types and item not in types]
    fix = f"on:\n  workflow_run:\n    workflows: [{gate}]\n    types: [requested, completed]"
    if trigger is not None and gate not in followed:
        yield must(
            f'{comment.path} waits for the workflow "{", ".join(followed) or "none"}", but the '
            f'gate is named "{gate}"',
            fix,
        )
    elif trigger is not None:
        yield good(f'{comment.path} follows the workflow "{gate}"')
    if trigger is None or (gate in followed and "completed" in missing):
        yield must(f"{comment.path} does not run when the gate has ended", fix)
    elif gate in followed and missing:
        yield should(
            f"{comment.path} does not run when the gate begins: until it ends, the status still "
            "shows the result of before",
            fix,
        )
    names = comment.triggers.get("workflow_dispatch", {}).get("inputs")
    has_inputs = isinstance(names, Mapping) and {"pull", "head"} <= set(names)
    if not has_inputs or RUN_NAME not in comment.run_name:
        yield should(
            f"{comment.path} cannot be started by hand, so nobody can confirm a fork's numbers",
            f"copy `run-name:` and `workflow_dispatch:` from {EXAMPLES.format('comment.yml')}",
        )


def _check_comment_jobs(comment: Workflow) -> Iterator[Finding]:
    job = comment.job_running(COMMENT)
    if job is None:
        yield must(
            f"no job of {comment.path} runs `onegig comment`",
            f"copy the job `comment` from {EXAMPLES.format('comment.yml')}",
        )
    elif "conclusion == 'success'" in job.condition:
        yield must(
            f"the job {job.id} of {comment.path} only runs after a GO: a NO-GO gets no comment",
            'if: contains(fromJSON(\'["success", "failure"]\'), '
            "github.event.workflow_run.conclusion)",
        )
    for each in comment.jobs:
        if any("head" in str(inputs(step).get("ref", "")) for step in each.steps_using(CHECKOUT)):
            yield must(
                f"the job {each.id} of {comment.path} checks out the pull request: "
                "untrusted code gets your token",
                f"remove `ref:` from the step that uses {CHECKOUT}; the default branch is right",
            )


def _check_default_branch(checkout: Checkout, hosted: Hosted) -> Iterator[Finding]:
    branch = hosted.default_branch
    for path in (checkout.gate, checkout.comment):
        text = hosted.files[path]
        if isinstance(text, Unknown):
            yield unknown(f"{path} on {branch}", text.reason)
        elif isinstance(text, Skipped) and path == checkout.comment:
            yield must(
                f"{path} is not on {branch} yet; GitHub only starts it from there",
                f"merge it into {branch}; pull requests then get comments",
            )
        elif isinstance(text, Skipped):
            yield should(f"{path} is not on {branch} yet", f"merge it into {branch}")
        elif text != checkout.texts.get(path):
            yield should(
                f"{path} differs from the one on {branch}; this checkout's was checked",
                f"to check the other: git switch {branch} && git pull && onegig doctor",
            )
        else:
            yield good(f"{path} on {branch} equals this checkout's")
    if isinstance(hosted.disabled, Unknown):
        yield unknown("state of the workflows", hosted.disabled.reason)
        return
    for path in (checkout.gate, checkout.comment):
        if path in hosted.disabled:
            file = path.rpartition("/")[2]
            yield must(
                f"{path} is disabled", f"gh workflow enable {file} --repo {hosted.repository}"
            )


def _check_read_only(gate: Workflow) -> Iterator[Finding]:
    """Check the token of the jobs that run strangers' code; its style is zizmor's business."""
    writing = {
        job.id: [name for name, level in (job.permissions or {}).items() if level == "write"]
        for job in gate.jobs
    }
    for name, granted in writing.items():
        if granted:
            yield must(
                f"the job {name} of {gate.path} runs untrusted code and can write "
                f"{', '.join('everything' if item == ALL else item for item in granted)}",
                f"jobs:\n  {name}:\n    permissions:\n      contents: read",
            )
    if not any(writing.values()) and all(job.permissions is not None for job in gate.jobs):
        yield good(f"{gate.path}, which runs untrusted code, can only read")


def _check_granted(
    workflow: Workflow, job: Job, needed: Mapping[str, str], default: str
) -> Finding:
    missing = [
        f"{name}: {level}"
        for name, level in needed.items()
        if LEVELS.index(job.level(name, default)) < LEVELS.index(level)
    ]
    granted = [f"{name}: {level}" for name, level in needed.items()]
    if not missing:
        return good(f"the job {job.id} of {workflow.path} has {', '.join(granted)}")
    lines = "".join(f"\n      {item}" for item in granted)
    return must(
        f"the job {job.id} of {workflow.path} lacks {', '.join(missing)}",
        f"jobs:\n  {job.id}:\n    permissions:{lines}",
    )
