"""GitHub's stand-in and a client of it, the poster, and an empty repository to publish to."""

from typing import Any

import pytest

from gate_runs import Open, Post, Scene, open_scene
from git_remotes import remote
from github.fixtures import CountingClock, client, clock, make_client, stand_in, state
from github.stand_in import StandIn
from onegig.github.client import Client
from onegig.github.trusted.poster import Outcome, post
from onegig.github.trusted.runs import Settings

__all__ = ["client", "clock", "make_client", "remote", "stand_in", "state"]


@pytest.fixture
def tell(client: Client, clock: CountingClock) -> Post:
    """Run the poster for a payload."""

    def run(event: dict[str, Any], **settings: Any) -> Outcome:
        return post(client, event, Settings(**settings), clock)

    return run


@pytest.fixture
def measured(stand_in: StandIn) -> Open:
    """Open a scene whose run has left honest numbers."""

    def start(**options: Any) -> Scene:
        scene = open_scene(stand_in, **options)
        scene.upload()
        return scene

    return start


@pytest.fixture
def judged(measured: Open, tell: Post) -> Open:
    """Open such a scene and run the poster for it."""

    def start(**options: Any) -> Scene:
        scene = measured(**options)
        tell(scene.event())
        return scene

    return start
