"""The workflows to copy promise what ours do; test_yaml.py reads, test_whole_way.py runs them."""

from typing import Any

from examples import EXAMPLES
from test_yaml import WORKFLOWS, read

ACTION = f"OWNER/onegig@{'0' * 40}"
BUILDER = f"OWNER/onegig/.github/actions/builder@{'0' * 40}"


def without_steps(job: dict[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in job.items() if key != "steps"}


def test_the_gate_is_the_job_of_ours_that_needs_no_others() -> None:
    ours, example = read(WORKFLOWS["gate.yml"]), read(EXAMPLES["gate.yml"])
    job = ours["jobs"]["gate"]
    del job["needs"]  # so that it runs whatever became of those
    job["if"] = job["if"].replace("${{ !cancelled() && (", "").replace(") }}", "")
    assert example | {"jobs": {}} == ours | {"jobs": {}}
    assert list(example["jobs"]) == ["gate"]
    assert without_steps(example["jobs"]["gate"]) == without_steps(job)


def test_the_gate_measures_between_the_checkout_and_the_uploads_of_ours() -> None:
    ours = read(WORKFLOWS["gate.yml"])["jobs"]["gate"]["steps"]
    checkout, builder, action, *uploads = read(EXAMPLES["gate.yml"])["jobs"]["gate"]["steps"]
    check = next(step for step in ours if "scripts/check" in step.get("run", ""))
    assert checkout == ours[0]
    assert builder == {"uses": BUILDER}
    assert action == {"uses": ACTION, "timeout-minutes": check["timeout-minutes"]}
    assert uploads == ours[-2:]


def test_the_trusted_half_differs_from_ours_in_its_steps_only() -> None:
    ours, example = read(WORKFLOWS["comment.yml"]), read(EXAMPLES["comment.yml"])
    jobs = example["jobs"]
    assert jobs["comment"].pop("steps") == [{"uses": ACTION, "with": {"command": "comment"}}]
    assert jobs["data"].pop("steps") == [
        ours["jobs"]["data"]["steps"][0],
        {"uses": ACTION, "with": {"command": "publish"}},
    ]
    assert example == ours | {"jobs": {k: without_steps(v) for k, v in ours["jobs"].items()}}
