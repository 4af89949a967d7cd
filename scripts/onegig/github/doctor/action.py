"""Where a workflow runs onegig: in a script, or by `uses:` of onegig's action."""

import re
from collections.abc import Mapping
from typing import Any

from onegig.github.doctor.workflow import JobSteps, Workflow, inputs

CHECK, COMMENT, PUBLISH = "check", "comment", "publish"  # the action's `command:`, and our own
EXAMPLES = "examples/workflows/{} of onegig's own repository"
_IN_SCRIPTS = {
    CHECK: r"(scripts/check|\bonegig check)\b.*--github",
    COMMENT: r"\bonegig comment\b",
    PUBLISH: r"\bonegig publish\b",
}
_ACTION = re.compile(r"\./|\$/|[\w-]+/onegig@.+", re.IGNORECASE)  # whoever's it is
_BUILDER = re.compile(r"[\w-]+/onegig/\.github/actions/builder@.+", re.IGNORECASE)
OF_BUILDER = ("actions/github-script", "docker/setup-buildx-action")
_PLACEHOLDER = re.compile(r"OWNER/onegig[/@].*|[\w-]+/onegig(/.*)?@0{40}")


def job_of(workflow: Workflow, command: str, fallback: str = "") -> JobSteps | None:
    """The job that runs one of onegig's commands, or the one of that id."""
    runs = (job for job in workflow.jobs if any(_does(step, command) for step in job.steps))
    named = (job for job in workflow.jobs if job.id == fallback)
    return next(runs, None) or next(named, None)


def placeholders(workflow: Workflow) -> tuple[str, ...]:
    """What it uses of onegig as the examples have it: nobody's, at no commit."""
    return tuple(one for one in workflow.actions() if _PLACEHOLDER.fullmatch(one))


def inside_onegigs(uses: str) -> tuple[str, ...]:
    """The actions inside of one of onegig's, by name: which commits depends on onegig's."""
    return OF_BUILDER if _BUILDER.fullmatch(uses) else ()


def _does(step: Mapping[str, Any], command: str) -> bool:
    if _ACTION.fullmatch(str(step.get("uses", ""))):
        return bool(inputs(step).get("command", CHECK) == command)
    return bool(re.search(_IN_SCRIPTS[command], str(step.get("run", ""))))
