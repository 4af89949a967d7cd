"""GitHub's stand-in and a client of it, the poster, and an empty repository to publish to."""

from typing import Any

import pytest

from gate_runs import Post
from git_remotes import remote
from github.fixtures import CountingClock, client, clock, stand_in
from onegig.github.client import Client
from onegig.github.trusted.poster import Outcome, post
from onegig.github.trusted.runs import Settings

__all__ = ["client", "clock", "remote", "stand_in"]


@pytest.fixture
def tell(client: Client, clock: CountingClock) -> Post:
    """Run the poster for a payload."""

    def run(event: dict[str, Any], **settings: Any) -> Outcome:
        return post(client, event, Settings(**settings), clock)

    return run
