"""What the workflows promise and act cannot run: read from the YAML."""

import json
import re
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from examples import EXAMPLES
from forge import PROJECT
from onegig.github.job import COMMENT_WORKFLOW as OWN_WORKFLOW
from onegig.github.job import GATE_WORKFLOW
from onegig.github.trusted.pulls import title
from onegig.github.trusted.runs import ENDED, MERGE_GROUP, PULL_REQUEST
from onegig.model.tiers import catalogue
from onegig.plan.options import COMBINATIONS
from onegig.plan.verify import parse_wanted

WORKFLOWS = {path.name: path for path in sorted((PROJECT / ".github/workflows").iterdir())}
ACTIONS = [PROJECT / "action.yml", *sorted((PROJECT / ".github/actions").glob("*/action.yml"))]
FILES = [*WORKFLOWS.values(), *ACTIONS, *EXAMPLES.values()]
PLACEHOLDER = ("fill in", "0" * 40)
# The only actions of others that are used, each at a commit that was looked up with its tag.
PINS = {
    "actions/checkout": ("v7.0.1", "3d3c42e5aac5ba805825da76410c181273ba90b1"),
    "actions/download-artifact": ("v8.0.1", "3e5f45b2cfb9172054b4087a40e8e0b5a5461e7c"),
    "actions/github-script": ("v8.0.0", "ed597411d8f924073f98dfc5c65a23a2325f34cd"),
    "actions/setup-python": ("v7.0.0", "5fda3b95a4ea91299a34e894583c3862153e4b97"),
    "actions/upload-artifact": ("v7.0.0", "bbbca2ddaa5d8feaa63e36b76fdaad77386f024f"),
    "docker/setup-buildx-action": ("v4.3.0", "37fe631027851001ddb9b187196cc803df7f5f0e"),
    "OWNER/onegig": PLACEHOLDER,
    "OWNER/onegig/.github/actions/builder": PLACEHOLDER,
}
READS = {"contents": "read"}
MOST_MINUTES = 360  # that GitHub's own machines run a job
MEASURED = "github.event.action != 'edited' || github.event.changes.base"  # not a new title
PERMISSIONS = {
    ("gate.yml", "plan"): READS,
    ("gate.yml", "images"): READS,
    ("gate.yml", "gate"): READS,
    ("comment.yml", "comment"): {
        "actions": "read",
        "contents": "read",
        "pull-requests": "write",
        "statuses": "write",
    },
    ("comment.yml", "data"): {"actions": "read", "contents": "write"},
    ("full-stack.yml", "measure"): READS,
    ("tests.yml", "tests"): READS,
}
Yaml = dict[str, Any]


def read(path: Path) -> Yaml:
    """A file whose key `on` is no word for true."""
    document: Yaml = yaml.load(path.read_text(), Loader=yaml.BaseLoader)
    return document


def jobs() -> Iterator[tuple[str, str, Yaml]]:
    for name, path in WORKFLOWS.items():
        for job, content in read(path)["jobs"].items():
            yield name, job, content


def steps(path: Path) -> Iterator[Yaml]:
    document = read(path)
    parts = document["jobs"].values() if "jobs" in document else [document["runs"]]
    for part in parts:
        yield from part["steps"]


def step(workflow: str, what: str) -> Yaml:
    """The only step of a workflow that uses or runs this."""
    found = steps(WORKFLOWS[workflow])
    (one,) = (one for one in found if what in one.get("uses", one.get("run", "")))
    return one


def test_every_job_has_just_the_permissions_it_needs() -> None:
    assert {(name, job): content["permissions"] for name, job, content in jobs()} == PERMISSIONS
    assert all(read(path)["permissions"] == {} for path in WORKFLOWS.values())


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(PROJECT)))
def test_no_expression_becomes_part_of_a_script(path: Path) -> None:
    for one in steps(path):
        assert "${{" not in one.get("run", "")
        assert "${{" not in one.get("with", {}).get("script", "")


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(PROJECT)))
def test_actions_of_others_are_pinned_and_their_comments_are_true(path: Path) -> None:
    used = re.findall(r"uses: (?!\$/)(\S+?)@(\S+)(?: # (.+))?$", path.read_text(), re.MULTILINE)
    assert len(used) == len([one for one in steps(path) if one.get("uses", "$")[0] != "$"])
    for name, commit, tag in used:
        assert (tag, commit) == PINS[name]


def test_every_pin_is_used() -> None:
    text = "".join(path.read_text() for path in FILES)
    assert [name for name in PINS if f"uses: {name}@" not in text] == []


def test_only_the_trusted_half_starts_by_itself_after_other_peoples_runs() -> None:
    triggers = {name: set(read(path)["on"]) for name, path in WORKFLOWS.items()}
    assert triggers == {
        "comment.yml": {"workflow_run", "workflow_dispatch"},
        "full-stack.yml": {"workflow_dispatch", "schedule"},
        "gate.yml": {"pull_request", "merge_group", "push"},
        "tests.yml": {"pull_request", "merge_group", "push"},
    }


def test_the_gate_is_never_left_out() -> None:
    gate = read(WORKFLOWS["gate.yml"])
    for event in gate["on"].values():
        assert not {"paths", "paths-ignore"} & set(event or ())
    job = gate["jobs"]["gate"]
    assert set(job["needs"]) == set(gate["jobs"]) - {"gate"}
    assert job["if"] == f"${{{{ !cancelled() && ({MEASURED}) }}}}"
    assert gate["jobs"]["plan"]["if"] == MEASURED
    types = {"opened", "synchronize", "reopened", "edited"}
    assert types <= set(gate["on"]["pull_request"]["types"])


@pytest.mark.security
@pytest.mark.parametrize("path", [WORKFLOWS["gate.yml"], EXAMPLES["gate.yml"]], ids=str)
def test_a_gate_that_is_skipped_has_another_name(path: Path) -> None:
    """GitHub takes a skipped check for passed."""
    job = read(path)["jobs"]["gate"]
    assert job["name"] == f"${{{{ ({MEASURED}) && 'gate' || 'gate (unchanged)' }}}}"
    assert MEASURED in job["if"]


@pytest.mark.parametrize("name", ["gate.yml", "tests.yml"])
def test_only_a_pull_requests_older_runs_are_cancelled(name: str) -> None:
    """A new title, which measures nothing, cancels no run that does."""
    title = "github.event.action == 'edited' && !github.event.changes.base && github.run_id || "
    title = title if name == "gate.yml" else ""
    assert read(WORKFLOWS[name])["concurrency"] == {
        "group": f"{name.removesuffix('.yml')}"
        f"-${{{{ {title}github.event.pull_request.number || github.sha }}}}",
        "cancel-in-progress": "${{ github.event_name == 'pull_request' }}",
    }


@pytest.mark.security
@pytest.mark.parametrize("path", [WORKFLOWS["comment.yml"], EXAMPLES["comment.yml"]], ids=str)
def test_no_pull_request_can_name_a_group_of_the_trusted_half(path: Path) -> None:
    document = read(path)
    assert document["concurrency"] == {
        "group": "comment-${{ github.run_id }}",
        "cancel-in-progress": "false",
    }
    assert not any("concurrency" in job for job in document["jobs"].values())


def test_a_confirmation_is_titled_as_it_is_looked_for() -> None:
    document = read(WORKFLOWS["comment.yml"])
    pattern = re.search(r"format\('(.*?)', inputs\.pull, inputs\.head\)", document["run-name"])
    assert pattern
    assert pattern[1].format(12, "f" * 40) == title(12, "f" * 40)
    assert "github.event_name == 'workflow_dispatch' &&" in document["run-name"]
    inputs = document["on"]["workflow_dispatch"]["inputs"]
    assert set(inputs) == {"pull", "head"}
    assert {one["required"] for one in inputs.values()} == {"true"}
    assert str(WORKFLOWS["comment.yml"].relative_to(PROJECT)) == OWN_WORKFLOW


def test_no_checkout_leaves_the_token_behind() -> None:
    checkouts = [
        one["with"]
        for path in FILES
        for one in steps(path)
        if one.get("uses", "").startswith("actions/checkout@")
    ]
    assert {with_["persist-credentials"] for with_ in checkouts} == {"false"}


def test_the_trusted_half_checks_out_the_default_branch_only() -> None:
    used = [one for one in steps(WORKFLOWS["comment.yml"]) if "uses" in one]
    # without a ref, workflow_run means the default branch
    assert [one["with"] for one in used] == [{"persist-credentials": "false"}] * 2
    assert all(one["uses"].startswith("actions/checkout@") for one in used)


def test_the_trusted_half_waits_for_the_gate() -> None:
    gate, comment = read(WORKFLOWS["gate.yml"]), read(WORKFLOWS["comment.yml"])
    assert comment["on"]["workflow_run"] == {
        "workflows": [gate["name"]],
        "types": ["requested", "completed"],
    }
    assert str(WORKFLOWS["gate.yml"].relative_to(PROJECT)) == GATE_WORKFLOW
    jobs = comment["jobs"]
    for name, listed in (("comment", [PULL_REQUEST, MERGE_GROUP]), ("data", list(ENDED))):
        assert f"github.event.workflow.path == '{GATE_WORKFLOW}'" in jobs[name]["if"]
        found = re.search(r"fromJSON\('(.*)'\)", jobs[name]["if"])
        assert found
        assert json.loads(found[1]) == listed
    assert "github.event.action == 'completed'" in jobs["data"]["if"]


def test_every_job_and_its_longest_step_have_an_end() -> None:
    for name, job, content in jobs():
        minutes = int(content["timeout-minutes"])
        assert minutes < MOST_MINUTES, (name, job)
        for one in content["steps"]:
            assert int(one.get("timeout-minutes", 0)) < minutes, (name, job)


def test_a_check_that_takes_too_long_fails_before_its_job_is_cancelled() -> None:
    for workflow in ("gate.yml", "full-stack.yml"):
        assert "timeout-minutes" in step(workflow, "scripts/check")
        uploads = [
            one
            for one in steps(WORKFLOWS[workflow])
            if one.get("with", {}).get("path") in {"numbers", "report"}
        ]
        assert uploads
        assert all(one["if"] == "${{ !cancelled() }}" for one in uploads)


def test_the_token_goes_to_onegig_only() -> None:
    for path in WORKFLOWS.values():
        holders = [one for one in steps(path) if "GITHUB_TOKEN" in one.get("env", {})]
        for one in holders:
            assert one["env"]["GITHUB_TOKEN"] == "${{ github.token }}"
            assert one["run"].splitlines()[-1].startswith((".venv/bin/onegig ", "scripts/check "))
        text = path.read_text()
        assert text.count("github.token") == len(holders)
        assert "secrets." not in text


@pytest.mark.security
def test_a_long_look_at_chosen_code_keeps_nothing_in_the_default_branchs_cache() -> None:
    document = read(WORKFLOWS["full-stack.yml"])
    assert "ref" in document["on"]["workflow_dispatch"]["inputs"]
    assert step("full-stack.yml", "actions/builder")["with"] == {"cache": "false"}
    (builder,) = (path for path in ACTIONS if path.parent.name == "builder")
    buildx, tell = steps(builder)
    assert buildx["with"]["cache-binary"] == "${{ inputs.cache }}"
    assert tell["if"] == "inputs.cache == 'true'"
    assert "ACTIONS_RUNTIME_TOKEN" in tell["with"]["script"]
    names = "(ACTIONS_RUNTIME_TOKEN|actions/cache|type=gha)"
    assert not re.search(names, WORKFLOWS["full-stack.yml"].read_text())


@pytest.mark.security
def test_the_token_of_the_cache_goes_to_the_step_that_builds_only() -> None:
    """Never into the environment of a job, which every later step and program would have."""
    builds = (".venv/bin/onegig build", "scripts/check")
    for path in FILES:
        holders = [one for one in steps(path) if "ACTIONS_RUNTIME_TOKEN" in one.get("env", {})]
        assert all(one["run"].splitlines()[-1].strip().startswith(builds) for one in holders)
        text = path.read_text()
        assert text.count("steps.builder.outputs.token") == len(holders)
        assert "exportVariable" not in text
    assert len([one for one in steps(WORKFLOWS["gate.yml"]) if one.get("id") == "builder"]) == 2


@pytest.mark.security
def test_images_that_jobs_run_are_pinned_by_digest() -> None:
    text = "".join(path.read_text() for path in FILES)
    images = re.findall(r"image=(\S+)", text)
    assert images
    for image in images:
        assert re.fullmatch(r"[\w./-]+:v[\d.]+@sha256:[0-9a-f]{64}", image)
    buildx = [one for path in FILES for one in steps(path) if "setup-buildx" in one.get("uses", "")]
    assert all(one["with"]["driver-opts"].startswith("image=") for one in buildx)


def test_the_long_look_offers_the_tiers_that_there_are() -> None:
    inputs = read(WORKFLOWS["full-stack.yml"])["on"]["workflow_dispatch"]["inputs"]
    default, *offered = inputs["tier"]["options"]
    assert default == inputs["tier"]["default"]
    assert offered == list(catalogue())


def test_the_long_look_offers_what_can_be_tried_of_a_plan() -> None:
    inputs = read(WORKFLOWS["full-stack.yml"])["on"]["workflow_dispatch"]["inputs"]
    default, *offered = inputs["verify"]["options"]
    assert default == inputs["verify"]["default"]
    assert [parse_wanted(name) for name in offered] == offered


def test_the_long_look_fits_into_its_job() -> None:
    document = read(WORKFLOWS["full-stack.yml"])
    inputs = document["on"]["workflow_dispatch"]["inputs"]
    boots = max(map(int, inputs["repeats"]["options"])) + len(COMBINATIONS)
    most = max(map(int, inputs["minutes"]["options"])) * boots
    assert most < int(step("full-stack.yml", "scripts/check")["timeout-minutes"])


@pytest.mark.skipif(not shutil.which("shellcheck"), reason="shellcheck is not on PATH")
@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(PROJECT)))
def test_scripts_in_the_yaml_are_sound(path: Path) -> None:
    for one in steps(path):
        if "run" in one:
            command = ["shellcheck", "--shell=bash", "-"]
            done = subprocess.run(
                command, input=one["run"], capture_output=True, text=True, timeout=60, check=False
            )
            assert done.returncode == 0, done.stdout
