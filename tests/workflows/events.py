"""Payloads of GitHub's webhooks: its own examples, with this repository's names and commits."""

import json
from collections.abc import Mapping
from functools import cache
from typing import Any

import pytest

from forge import MAIN, PROJECT, Pull
from github.bodies import repository_id
from github.state import REPOSITORY
from onegig.github.job import GATE_WORKFLOW

EXAMPLES = PROJECT / "tests/npm/node_modules/@octokit/webhooks-examples/api.github.com/index.json"
Payload = dict[str, Any]


def pull_request(pull: Pull) -> Payload:
    """A push to a pull request's branch."""
    payload = example("pull_request", "synchronize")
    payload["number"] = payload["pull_request"]["number"] = pull.number
    head, base = payload["pull_request"]["head"], payload["pull_request"]["base"]
    head |= {"ref": pull.branch, "sha": pull.head_sha}
    base |= {"ref": MAIN, "sha": pull.base_sha}
    head["repo"] |= _repository()
    base["repo"] |= _repository()
    return payload


def push(before: str, after: str) -> Payload:
    """A push to main."""
    payload = example("push")
    return payload | {"ref": f"refs/heads/{MAIN}", "before": before, "after": after}


def workflow_dispatch(**inputs: str) -> Payload:
    """A run that somebody started by hand."""
    return example("workflow_dispatch") | {"ref": f"refs/heads/{MAIN}", "inputs": inputs}


def workflow_run(payload: Payload) -> Payload:
    """A payload of the run's end, with what only the YAML reads."""
    payload["workflow"] |= {"name": "gate", "path": GATE_WORKFLOW}
    payload["repository"]["default_branch"] = MAIN
    return payload


def example(event: str, action: str | None = None) -> Payload:
    """The first of GitHub's examples of an event, in this repository."""
    found = next(one for one in _examples()[event] if one.get("action") == action)
    payload: Payload = json.loads(json.dumps(found))
    payload["repository"] |= _repository()
    return payload


def _repository() -> Payload:
    owner, name = REPOSITORY.split("/")
    return {
        "id": repository_id(REPOSITORY),
        "name": name,
        "full_name": REPOSITORY,
        "default_branch": MAIN,
        "owner": {"login": owner, "id": 1, "type": "User"},
    }


@cache
def _examples() -> Mapping[str, list[Payload]]:
    if not EXAMPLES.exists():
        pytest.skip("tests/npm is not installed: scripts/test does that where there is npm")
    return {event["name"]: event["examples"] for event in json.loads(EXAMPLES.read_bytes())}
