"""Whether the workflows are there, run when they should, and hand each other the numbers."""

from collections.abc import Iterable, Iterator, Mapping
from fnmatch import fnmatchcase

from onegig.github.doctor.action import CHECK, COMMENT, EXAMPLES, job_of, placeholders
from onegig.github.doctor.checkout import Checkout
from onegig.github.doctor.findings import Finding, good, must, should, unknown
from onegig.github.doctor.hosted import Hosted
from onegig.github.doctor.local import OWN, LocalAction
from onegig.github.doctor.workflow import JobSteps, Workflow, inputs, runs_anyway, texts
from onegig.github.trusted.numbers import ARTIFACT
from onegig.model.measured import Skipped, Unknown

GATE_JOB = "gate"
UPLOAD = "actions/upload-artifact"
CHECKOUT = "actions/checkout"
FILTERS = ("paths", "paths-ignore")
GATE_TYPES = "[opened, synchronize, reopened, ready_for_review, edited]"
COMMENT_TYPES = ("requested", "completed")
INPUTS = ("pull", "head")
RUN_NAME = "confirm #{0} at {1}"


def workflows(checkout: Checkout, hosted: Hosted | None) -> Iterator[Finding]:
    """Findings about gate.yml and comment.yml, each alone and together."""
    for path, example in ((checkout.gate, "gate.yml"), (checkout.comment, "comment.yml")):
        if path in checkout.problems:
            yield must(f"{path} is no workflow: {checkout.problems[path]}", "correct it")
        elif path not in checkout.workflows:
            yield must(f"{path} is not there", _how_to_write(path, example))
        else:
            yield from _filled_in(checkout.workflows[path])
            yield from _brought(path, checkout.actions[path])
    gate = checkout.workflows.get(checkout.gate)
    comment = checkout.workflows.get(checkout.comment)
    if gate:
        yield from _gate(gate, hosted)
    if comment:
        yield from _comment(comment, gate)
    if hosted:
        yield from _on_default_branch(checkout, hosted)


def _how_to_write(path: str, example: str) -> str:
    copying = f"copy {EXAMPLES.format(example)} to {path}"
    written = path == f".github/workflows/{example}"
    return f"`onegig init --workflows` writes it; or {copying}" if written else copying


def gate_job(gate: Workflow) -> JobSteps | None:
    """The job whose result is the verdict."""
    return job_of(gate, CHECK, GATE_JOB)


def _filled_in(workflow: Workflow) -> Iterator[Finding]:
    if left := placeholders(workflow):
        yield must(
            f"{workflow.path} does not say which onegig it uses: {', '.join(left)}",
            "in place of OWNER write the account that has onegig, in place of the zeros the commit "
            "of a tag, and the tag after #:\ngh api repos/OWNER/onegig/commits/TAG --jq .sha",
        )


def _brought(path: str, actions: Iterable[LocalAction]) -> Iterator[Finding]:
    """Actions of the checkout that are not there: a step may bring those that begin with "./"."""
    for one in actions:
        if one.problem and one.uses.startswith(OWN):
            yield must(f"{path} uses {one.uses}: {one.problem}", "add it, or take the step out")
        elif one.problem:
            yield should(
                f"{path} uses {one.uses}: {one.problem}",
                "add it, or see to it that an earlier step does",
            )


def _gate(gate: Workflow, hosted: Hosted | None) -> Iterator[Finding]:
    yield from _gate_triggers(gate, hosted)
    if "pull_request_target" in gate.triggers:
        yield must(
            f"{gate.path} runs on pull_request_target: strangers' code with your token",
            "take pull_request_target out of `on:` and use\n\non:\n  pull_request:",
        )
    job = gate_job(gate)
    if job is None:
        yield must(
            f"{gate.path} has no job that runs the gate",
            f"take over the job `{GATE_JOB}` from {EXAMPLES.format('gate.yml')}",
        )
        return
    if not job.runs_after_failures:
        yield must(
            f"the job {job.id} needs {', '.join(job.needs)} and is skipped when one of them fails, "
            "which GitHub counts as passed",
            f"jobs:\n  {job.id}:\n    if: ${{{{ !cancelled() }}}}",
        )
    yield from _upload(job)


def _gate_triggers(gate: Workflow, hosted: Hosted | None) -> Iterator[Finding]:
    if "pull_request" not in gate.triggers:
        yield must(f"{gate.path} does not run on pull requests", "on:\n  pull_request:")
    else:
        events = ", ".join(gate.triggers)
        yield good(f'{gate.path} is the workflow "{gate.name}" and runs on {events}')
    pull_request = gate.triggers.get("pull_request", {})
    if "pull_request" in gate.triggers and "edited" not in texts(pull_request.get("types")):
        yield should(
            f"{gate.path} does not run when a pull request gets another base branch: it was not "
            "measured on top of that, and waits until somebody runs the gate again",
            f"on:\n  pull_request:\n    types: {GATE_TYPES}\n\nand the `if:` of its job from "
            f"{EXAMPLES.format('gate.yml')}",
        )
    filters = [one for one in FILTERS if one in pull_request]
    if filters:
        yield must(
            f"{gate.path} runs for some files only (`{filters[0]}:`): for others a required check "
            "stays away, and the pull request can never be merged",
            f"take `{filters[0]}:` out of\n\non:\n  pull_request:",
        )
    branch = hosted.default_branch if hosted else "main"
    branches = texts(gate.triggers.get("push", {}).get("branches")) or ("*",)
    pushed = not hosted or any(fnmatchcase(branch, pattern) for pattern in branches)
    if "push" not in gate.triggers or not pushed:
        yield should(
            f"{gate.path} does not run on pushes to {branch}: pull requests are compared with "
            "nothing, and the badge stays unknown",
            f"on:\n  push:\n    branches: [{branch}]",
        )


def _upload(job: JobSteps) -> Iterator[Finding]:
    steps = [one for one in job.used(UPLOAD) if inputs(one).get("name") == ARTIFACT]
    step = f"- if: ${{{{ !cancelled() }}}}\n  uses: {UPLOAD}@...\n  with:\n    name: {ARTIFACT}"
    if not steps:
        yield must(
            f"the job {job.id} does not upload {ARTIFACT}, which the comment is made of",
            f"{step}\n    path: numbers",
        )
    elif not runs_anyway(str(steps[0].get("if", ""))):
        yield must(
            f"the job {job.id} uploads {ARTIFACT} only when all went well: a NO-GO gets no comment",
            step,
        )
    else:
        yield good(f"the job {job.id} uploads {ARTIFACT}, also after a NO-GO")


def _comment(comment: Workflow, gate: Workflow | None) -> Iterator[Finding]:
    trigger = comment.triggers.get("workflow_run")
    name = gate.name if gate else "gate"
    wanted = f"on:\n  workflow_run:\n    workflows: [{name}]\n    types: [requested, completed]"
    if trigger is None:
        yield must(f"{comment.path} does not run when the gate has ended", wanted)
    elif name not in texts(trigger.get("workflows")):
        listed = ", ".join(texts(trigger.get("workflows"))) or "none"
        yield must(
            f'{comment.path} waits for the workflow "{listed}", but the gate is named "{name}"',
            wanted,
        )
    else:
        yield good(f'{comment.path} follows the workflow "{name}"')
        yield from _moments(comment, texts(trigger.get("types")), wanted)
    yield from _by_hand(comment)
    job = job_of(comment, COMMENT)
    if job is None:
        yield must(
            f"no job of {comment.path} runs `onegig comment`",
            f"take over the job `comment` from {EXAMPLES.format('comment.yml')}",
        )
    elif "conclusion == 'success'" in job.condition:
        yield must(
            f"the job {job.id} of {comment.path} only runs after a GO: a NO-GO gets no comment",
            'if: contains(fromJSON(\'["success", "failure"]\'), '
            "github.event.workflow_run.conclusion)",
        )
    for one in comment.jobs:
        if any("head" in str(inputs(step).get("ref", "")) for step in one.used(CHECKOUT)):
            yield must(
                f"the job {one.id} of {comment.path} checks out the pull request: strangers' code "
                "with your token",
                f"take `ref:` out of the step that uses {CHECKOUT}: it then is the default branch",
            )


def _moments(comment: Workflow, types: tuple[str, ...], wanted: str) -> Iterator[Finding]:
    """Findings about when it follows; without types it always does."""
    missing = [one for one in COMMENT_TYPES if types and one not in types]
    if "completed" in missing:
        yield must(f"{comment.path} does not run when the gate has ended", wanted)
    elif missing:
        yield should(
            f"{comment.path} does not run when the gate begins: until it has ended again, the "
            "status still says what was measured before",
            wanted,
        )


def _by_hand(comment: Workflow) -> Iterator[Finding]:
    """Findings about how a maintainer confirms what a fork measured."""
    given = comment.triggers.get("workflow_dispatch", {}).get("inputs")
    inputs_given = given if isinstance(given, Mapping) else {}
    if not all(name in inputs_given for name in INPUTS) or RUN_NAME not in comment.run_name:
        yield should(
            f"{comment.path} cannot be started by hand, so that nobody can confirm what a fork "
            "measured",
            f"take over `run-name:` and `workflow_dispatch:` from {EXAMPLES.format('comment.yml')}",
        )


def _on_default_branch(checkout: Checkout, hosted: Hosted) -> Iterator[Finding]:
    branch = hosted.default_branch
    for path in (checkout.gate, checkout.comment):
        text = hosted.files[path]
        what = f"{path} on {branch}"
        if isinstance(text, Unknown):
            yield unknown(what, text.reason)
        elif isinstance(text, Skipped) and path == checkout.comment:
            yield must(
                f"{path} is not on {branch} yet: GitHub starts it only from there",
                f"merge it into {branch}; pull requests get their comments from then on",
            )
        elif isinstance(text, Skipped):
            yield should(f"{path} is not on {branch} yet", f"merge it into {branch}")
        elif text != checkout.texts.get(path):
            yield should(
                f"{path} differs from the one on {branch}; this checkout's was judged",
                f"to judge the other: git switch {branch} && git pull && onegig doctor",
            )
        else:
            yield good(f"{what} is this checkout's")
    yield from _enabled(checkout, hosted)


def _enabled(checkout: Checkout, hosted: Hosted) -> Iterator[Finding]:
    if isinstance(hosted.disabled, Unknown):
        yield unknown("whether the workflows are switched on", hosted.disabled.reason)
        return
    for path in (checkout.gate, checkout.comment):
        if path in hosted.disabled:
            file = path.rpartition("/")[2]
            yield must(
                f"{path} is switched off", f"gh workflow enable {file} --repo {hosted.repository}"
            )
