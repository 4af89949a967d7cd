"""Growth is judged again by the trusted side: with the base branch's limits and its numbers."""

from dataclasses import replace
from typing import Any

import pytest

from gate_runs import make_honest_images, make_honest_memory, open_scene, zipped
from github.fixtures import CountingClock
from github.stand_in import StandIn
from onegig.github.client import Client
from onegig.github.trusted.poster import post
from onegig.github.trusted.runs import Settings
from onegig.judge.baseline import make_baseline
from onegig.model.codec import to_line
from scenarios import make_go

pytestmark = pytest.mark.security

HERE = "octo/stack"
LIMIT = "version: 1\nimages: {max_growth: 10%}\n"


@pytest.mark.parametrize(("was", "conclusion"), [(1.0, "success"), (0.5, "failure")])
def test_an_image_that_grew(
    stand_in: StandIn, client: Client, clock: CountingClock, was: float, conclusion: str
) -> None:
    scene = open_scene(stand_in, head_repository=HERE)
    scene.state.commit({"budgets.yml": LIMIT}, branch="main", message="Limits of growth")
    now = make_honest_images()
    scene.upload(zipped(scene.claim(), images=now, memory=make_honest_memory()))
    before: Any = tuple(replace(one, size_bytes=int(one.size_bytes * was)) for one in now.images)
    kept = make_baseline(replace(make_go(), images=replace(now, images=before)), {})
    line = to_line(replace(kept, commit=scene.base, created="2026-01-01T00:00:00+00:00"))
    scene.state.commit({"history.jsonl": line}, branch="onegig-data", message="Data")
    post(client, scene.event(), Settings(), clock)
    (body,) = scene.bodies()
    assert scene.standing() == conclusion
    assert ("against main" in body) is (conclusion == "failure")
