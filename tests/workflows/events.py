"""Payloads of GitHub's webhooks: its own examples, with this repository's names and commits."""

import json
from collections.abc import Mapping
from functools import cache
from typing import Any

import pytest

from forge import MAIN, PROJECT, Pull
from github.bodies import repository_id
from github.state import REPOSITORY

EXAMPLES = PROJECT / "tests/npm/node_modules/@octokit/webhooks-examples/api.github.com/index.json"
FORK = "mallory/stack"
GATE = ".github/workflows/gate.yml"
Payload = dict[str, Any]


def pull_request(pull: Pull, *, fork: bool = False) -> Payload:
    """A push to a pull request's branch."""
    payload = example("pull_request", "synchronize")
    payload["number"] = payload["pull_request"]["number"] = pull.number
    head, base = payload["pull_request"]["head"], payload["pull_request"]["base"]
    head |= {"ref": pull.branch, "sha": pull.head_sha}
    base |= {"ref": MAIN, "sha": pull.base_sha}
    head["repo"] |= repository(fork=fork)
    base["repo"] |= repository()
    return payload


def push(before: str, after: str) -> Payload:
    """A push to main."""
    payload = example("push")
    return payload | {"ref": f"refs/heads/{MAIN}", "before": before, "after": after}


def workflow_dispatch(**inputs: str) -> Payload:
    """A run that somebody started by hand."""
    return example("workflow_dispatch") | {"ref": f"refs/heads/{MAIN}", "inputs": inputs}


def workflow_run(
    event: str, *, branch: str, sha: str, run_id: int, conclusion: str, fork: bool = False
) -> Payload:
    """The end of a run of gate.yml."""
    payload = example("workflow_run", "completed")
    payload["workflow"] |= {"name": "gate", "path": GATE}
    run = payload["workflow_run"]
    run |= {"id": run_id, "name": "gate", "path": GATE, "event": event, "conclusion": conclusion}
    run |= {"head_branch": branch, "head_sha": sha, "pull_requests": []}
    run["head_commit"]["id"] = sha
    run["head_repository"] |= repository(fork=fork)
    run["repository"] |= repository()
    return payload


def repository(*, fork: bool = False) -> Payload:
    """What names a repository: this one, or somebody's fork of it."""
    full_name = FORK if fork else REPOSITORY
    owner, name = full_name.split("/")
    return {
        "id": repository_id(full_name),
        "name": name,
        "full_name": full_name,
        "default_branch": MAIN,
        "fork": fork,
        "owner": {"login": owner, "id": 2 if fork else 1, "type": "User"},
    }


def example(event: str, action: str | None = None) -> Payload:
    """The first of GitHub's examples of an event, in this repository."""
    found = next(one for one in _examples()[event] if one.get("action") == action)
    payload: Payload = json.loads(json.dumps(found))
    payload["repository"] |= repository()
    return payload


@cache
def _examples() -> Mapping[str, list[Payload]]:
    if not EXAMPLES.exists():
        pytest.skip("tests/npm is not installed: scripts/test does that where there is npm")
    return {event["name"]: event["examples"] for event in json.loads(EXAMPLES.read_bytes())}
