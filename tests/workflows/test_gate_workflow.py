"""gate.yml run for real: the jobs' results, and what they leave behind."""

import json
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import pytest

import events
from act import Act, Ran
from examples import filled_in
from forge import FILES, Pull, budgets
from github.stand_in import StandIn
from onegig.github.job import DATA_BRANCH
from onegig.judge.baseline import make_baseline
from onegig.model.codec import to_json
from onegig.model.verdict import ServiceNumbers
from scenarios import REPORTS
from small_image import SMALL_IMAGE

pytestmark = pytest.mark.engine

MINUTES = 3.0  # that main says each image takes to build: worth a machine of its own
BROKEN = FILES["Dockerfile"] + "RUN echo compiling && no-such-tool\n"
ALL_NUMBERS = {"run.json", "images.json", "memory.json"}
REPORT = {"comment.md", "report.html", "report.json"}


def gate(act: Act, files: Mapping[str, str], *, branch: str = "change") -> tuple[Ran, Pull]:
    """The gate's run for a pull request with these files."""
    pull = act.forge.open_pull(files, branch=branch)
    return act.run("gate.yml", "pull_request", events.pull_request(pull), pull.merge_sha), pull


def share_out(act: Act, github: StandIn, **files: str) -> Ran:
    """The gate's run where budgets.yml and main's numbers ask for several machines."""
    services = tuple(
        ServiceNumbers(name=name, memory_bytes=1, image_bytes=1, cost_seconds=60 * MINUTES)
        for name in ("idle", "web")
    )
    baseline = replace(make_baseline(REPORTS["go"](), {}), services=services)
    github.state.commit({"baseline.json": to_json(baseline)}, branch=DATA_BRANCH)
    asked = budgets() + "shards: {start: 2, most: 2}\n"
    return gate(act, {"budgets.yml": asked, **files})[0]


def document(ran: Ran, artifact: str, name: str) -> Any:
    """A JSON file of an artifact."""
    return json.loads(ran.artifact(artifact)[name])


def test_a_stack_that_fits(act: Act) -> None:
    canary = act.root / "canary"
    hostile = f"a`touch${{IFS}}{canary}`$(touch${{IFS}}{canary});touch${{IFS}}{canary}"
    ran, pull = gate(act, {"hello.txt": "hi\n"}, branch=hostile)
    assert ran.jobs == {"plan": "success", "gate": "success"}, ran.log
    assert set(ran.artifact("onegig-numbers")) == ALL_NUMBERS
    assert set(ran.artifact("onegig-report")) == REPORT
    run = document(ran, "onegig-numbers", "run.json")
    assert run["event"] == "pull_request"
    assert run["head_sha"] == pull.head_sha
    assert run["measured_sha"] == pull.merge_sha
    assert run["base_sha"] == pull.base_sha
    assert run["failure"] is None
    assert document(ran, "onegig-report", "report.json")["verdict"]["state"] == "GO"
    assert "GO:" in ran.summary
    assert not canary.exists()


def test_a_stack_that_does_not_fit(act: Act) -> None:
    ran, _ = gate(act, {"budgets.yml": budgets(each="1MB")})
    assert ran.jobs == {"plan": "success", "gate": "failure"}, ran.log
    assert set(ran.artifact("onegig-numbers")) == ALL_NUMBERS
    assert set(ran.artifact("onegig-report")) == REPORT
    assert "NO-GO:" in ran.summary
    assert "::error" in ran.log


def test_an_image_that_does_not_build(act: Act) -> None:
    ran, _ = gate(act, {"Dockerfile": BROKEN})
    assert ran.jobs == {"plan": "success", "gate": "failure"}, ran.log
    assert set(ran.artifact("onegig-numbers")) == {"run.json"}
    assert set(ran.artifact("onegig-report")) == REPORT
    failure = document(ran, "onegig-numbers", "run.json")["failure"]
    assert failure["exit_code"] == 3
    assert failure["place"] == "Dockerfile:4"
    assert "no-such-tool: not found" in failure["detail"]
    assert "INCOMPLETE" in ran.summary


def test_budgets_that_cannot_be_read_fail_the_plan_and_the_gate_tells_why(act: Act) -> None:
    ran, _ = gate(act, {"budgets.yml": "version: 1\nmemory: {limit: 90X}\n"})
    assert ran.jobs == {"plan": "failure", "gate": "failure"}, ran.log
    failure = document(ran, "onegig-numbers", "run.json")["failure"]
    assert failure["exit_code"] == 2
    assert "INCOMPLETE" in ran.summary


def test_a_new_title_measures_nothing_and_another_base_does(act: Act) -> None:
    act.forge.move_out({"gate.yml": filled_in("gate.yml")})
    pull = act.forge.open_pull({"Dockerfile": BROKEN})
    payload = events.pull_request(pull) | {"action": "edited", "changes": {"title": {"from": "a"}}}
    assert act.run("gate.yml", "pull_request", payload, pull.merge_sha).jobs == {}
    payload["changes"] = {"base": {"ref": {"from": "old"}, "sha": {"from": pull.head_sha}}}
    ran = act.run("gate.yml", "pull_request", payload, pull.merge_sha)
    assert ran.jobs == {"gate": "failure"}, ran.log


def test_a_push_is_compared_with_the_commit_before(act: Act) -> None:
    before, after = act.forge.push({"hello.txt": "hi\n"})
    ran = act.run("gate.yml", "push", events.push(before, after), after)
    assert ran.jobs == {"plan": "success", "gate": "success"}, ran.log
    run = document(ran, "onegig-numbers", "run.json")
    assert (run["event"], run["head_sha"], run["base_sha"]) == ("push", after, before)


def test_many_images_are_shared_out_and_their_numbers_put_together(
    act: Act, github: StandIn
) -> None:
    ran = share_out(act, github)
    assert ran.jobs == {"plan": "success", "images": "success", "gate": "success"}, ran.log
    assert sorted(path.stem for path in ran.artifacts.iterdir() if "images" in path.stem) == [
        "onegig-images-1",
        "onegig-images-2",
    ]
    images = document(ran, "onegig-numbers", "images.json")["images"]
    assert {image["reference"] for image in images} == {SMALL_IMAGE, "onegig-workflow-test/web"}


def test_the_gate_answers_when_a_shard_fails(act: Act, github: StandIn) -> None:
    ran = share_out(act, github, Dockerfile=BROKEN)
    assert ran.jobs == {"plan": "success", "images": "failure", "gate": "failure"}, ran.log
    assert document(ran, "onegig-numbers", "run.json")["failure"]["exit_code"] == 3
    assert "INCOMPLETE" in ran.summary
