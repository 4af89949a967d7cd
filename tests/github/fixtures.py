"""What tests of anything that talks to GitHub ask for; imported by their conftest.py."""

from collections.abc import Callable, Iterator
from typing import Any

import pytest
import requests

from github.description import IS_THERE, REASON
from github.stand_in import StandIn
from github.state import State
from onegig.github.client import Client

START = 1_800_000_000.0
MakeClient = Callable[..., Client]


class CountingClock:
    """Time passes only by sleeping; `slept` has every pause."""

    def __init__(self, start: float = START) -> None:
        self._now = start
        self.slept: list[float] = []

    def now(self) -> float:
        return self._now

    def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        self._now += seconds


@pytest.fixture
def stand_in() -> Iterator[StandIn]:
    """An empty GitHub. Whatever a test did to it must have been fit for the real one."""
    if not IS_THERE:
        pytest.skip(REASON)
    with StandIn() as github:
        yield github
    assert github.violations == []


@pytest.fixture
def clock() -> CountingClock:
    """A clock that nobody waits for."""
    return CountingClock()


@pytest.fixture
def make_client(stand_in: StandIn, clock: CountingClock) -> Iterator[MakeClient]:
    """Make clients of the stand-in, without chance."""
    with requests.Session() as session:

        def make(**changes: Any) -> Client:
            given = {
                "api_url": stand_in.url,
                "repository": stand_in.state.repository,
                "token": stand_in.state.token,
                "jitter": lambda: 0.5,
                **changes,
            }
            return Client(session=session, clock=clock, **given)

        yield make


@pytest.fixture
def client(make_client: MakeClient) -> Client:
    return make_client()


@pytest.fixture
def state(stand_in: StandIn) -> State:
    return stand_in.state
