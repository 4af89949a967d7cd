"""full-stack.yml, tests.yml and the action for other stacks, run for real."""

import json

import pytest

import events
from act import Act, Ran
from forge import budgets

LOAD = """\
load:
  service: web
  rate: 1
  command: [sh, -c, "echo {rate}; sleep 3600"]
"""
OTHER_STACK = """\
on: push
jobs:
  check:
    runs-on: ubuntu-24.04
    steps:
      - uses: actions/checkout@3d3c42e5aac5ba805825da76410c181273ba90b1 # v7.0.1
      - id: onegig
        uses: ./
        with:
          budgets: limits/budgets.yml
          tier: aws-t3-micro
          report: out
      - run: 'echo "verdict: $VERDICT"'
        if: ${{ !cancelled() }}
        env:
          VERDICT: ${{ steps.onegig.outputs.verdict }}
      - if: ${{ !cancelled() }}
        uses: actions/upload-artifact@bbbca2ddaa5d8feaa63e36b76fdaad77386f024f # v7.0.0
        with:
          name: report
          path: out
"""


def full_stack(act: Act, **inputs: str) -> Ran:
    payload = events.workflow_dispatch(**{"machine": "box", **inputs})
    return act.run("full-stack.yml", "workflow_dispatch", payload, act.forge.git("rev-parse", "@"))


@pytest.mark.engine
def test_a_long_look_takes_what_it_is_given(act: Act) -> None:
    act.forge.push({"budgets.yml": budgets() + LOAD})
    ran = full_stack(
        act,
        tier="aws-t3-micro",
        minutes="0.02",
        repeats="2",
        rate="12.5",
        ref="main",
        squeeze="always",
        reboot="false",
        throttled="true",
        verify="A",
    )
    assert ran.jobs == {"measure": "success"}, ran.log
    report = json.loads(ran.artifact("onegig-report")["report.json"])
    options = "--tier aws-t3-micro --on box --window 1.2 --repeats 2 --rate 12.5 --squeeze always"
    options = f"{options} --verify A"
    assert f"{options} --update-database --throttled" in report["reproduce"]
    assert "GO:" in ran.summary
    assert b"<svg" in ran.artifact("onegig-report")["report.html"]


@pytest.mark.parametrize(
    "name", ["tier", "machine", "squeeze", "verify", "minutes", "repeats", "rate", "ref"]
)
def test_what_somebody_types_runs_nothing(act: Act, name: str) -> None:
    canary = act.root / "canary"
    hostile = f"1;touch {canary};`touch {canary}`$(touch {canary}) --json a[$(touch {canary})]"
    inputs = {"minutes": "0.02", "repeats": "1", name: hostile}
    ran = full_stack(act, **inputs)
    assert ran.jobs == {"measure": "failure"}, ran.log
    assert not canary.exists()


def test_the_tests_run_on_each_python(act: Act) -> None:
    script = '#!/bin/sh\necho "tested on $ONEGIG_PYTHON"\n'
    before, after = act.forge.push({"scripts/test": script})
    ran = act.run("tests.yml", "push", events.push(before, after), after)
    assert ran.jobs == {"tests": "success"}, ran.log
    assert {"tested on python3.11", "tested on python3.13"} <= set(ran.log.splitlines())


@pytest.mark.engine
@pytest.mark.parametrize(
    ("limit", "verdict", "result"), [("1GB", "GO", "success"), ("1MB", "NO-GO", "failure")]
)
def test_the_action_checks_somebody_elses_stack(
    act: Act, limit: str, verdict: str, result: str
) -> None:
    before, after = act.forge.push(
        {
            "limits/budgets.yml": budgets(each=limit) + "compose: ../compose.yml\n",
            ".github/workflows/other.yml": OTHER_STACK,
        }
    )
    ran = act.run("other.yml", "push", events.push(before, after), after)
    assert ran.jobs == {"check": result}, ran.log
    assert f"verdict: {verdict}" in ran.log.splitlines()
    assert set(ran.artifact("report")) == {"comment.md", "report.html", "report.json"}


@pytest.mark.parametrize(
    ("command", "told"),
    [
        ("comment", "on: workflow_run"),
        ("publish", "on: workflow_run"),
        ("check --help; touch canary", "command should be check, comment or publish"),
    ],
)
def test_the_action_runs_the_trusted_half_and_nothing_else(
    act: Act, command: str, told: str
) -> None:
    workflow = OTHER_STACK.replace("budgets: limits/budgets.yml", f'command: "{command}"')
    before, after = act.forge.push({".github/workflows/other.yml": workflow})
    ran = act.run("other.yml", "push", events.push(before, after), after)
    assert ran.jobs == {"check": "failure"}, ran.log
    assert told in ran.log
    assert not list(act.root.rglob("canary"))
