"""How many requests the trusted half makes: a job may make 1,000 an hour in a repository."""

from typing import Any

import pytest

from gate_runs import FORK, HERE, TIGHT, Post, Scene, open_scene
from github.stand_in import StandIn
from github.state import Status

pytestmark = pytest.mark.security


def asked(stand_in: StandIn, tell: Post, event: dict[str, Any]) -> list[str]:
    """What is asked for one event."""
    before = len(stand_in.log)
    tell(event)
    return stand_in.asked()[before:]


def measured(stand_in: StandIn, head_repository: str = HERE) -> Scene:
    scene = open_scene(stand_in, head_repository=head_repository)
    scene.upload()
    return scene


def into_other_bases(scene: Scene, count: int, *, have_runs: bool = False) -> None:
    """More pull requests of the head branch, each into a branch with limits of its own."""
    state, sha = scene.state, scene.pull.head_sha
    for number in range(count):
        base = f"v{number}"
        state.commit({"budgets.yml": TIGHT}, parents=(scene.base,), branch=base, message=base)
        pull = state.pull(
            base_ref=base, head_sha=sha, head_repository=scene.pull.head_repository or HERE
        )
        if have_runs:
            scene.run = state.run(pull)
            tip = state.branches[base]
            merge = state.commit(parents=(tip, sha), message=f"Into {base}")
            scene.upload(base_sha=tip, measured_sha=merge)


@pytest.mark.parametrize(("home", "most"), [(HERE, 38), (FORK, 42)])
def test_a_run_that_has_ended(stand_in: StandIn, tell: Post, home: str, most: int) -> None:
    scene = measured(stand_in, home)
    found = asked(stand_in, tell, scene.event())
    assert sum("/zip" in one for one in found) == 1
    assert len(found) <= most


@pytest.mark.parametrize(("home", "most"), [(HERE, 11), (FORK, 15)])
def test_a_run_that_begins_costs_lists_only(
    stand_in: StandIn, tell: Post, home: str, most: int
) -> None:
    scene = measured(stand_in, home)
    tell(scene.event())
    scene.rerun(conclusion=None)
    found = asked(stand_in, tell, scene.event("requested"))
    assert scene.status() == "pending: #7 into main: being measured"
    assert not any(part in one for one in found for part in ("/zip", "/artifacts", "/git/"))
    assert len(found) <= most


@pytest.mark.parametrize("home", [HERE, FORK])
def test_a_new_title(stand_in: StandIn, tell: Post, home: str) -> None:
    scene = measured(stand_in, home)
    tell(scene.event())
    said = scene.status()
    scene.rerun(conclusion="skipped")
    found = asked(stand_in, tell, scene.event("requested"))
    found += asked(stand_in, tell, scene.event())
    assert scene.status() == said
    assert len(found) <= 20


@pytest.mark.parametrize("protected", [False, True])
@pytest.mark.parametrize("have_runs", [False, True])
def test_many_pull_requests_of_one_head(
    stand_in: StandIn, tell: Post, *, protected: bool, have_runs: bool
) -> None:
    scene = measured(stand_in)
    into_other_bases(scene, 15, have_runs=have_runs)
    if protected:
        scene.state.protected = tuple(f"v{number}" for number in range(15))
    found = asked(stand_in, tell, scene.event())
    assert len(scene.state.comments) == 5
    assert len(found) <= (450 if have_runs else 220)


def test_a_run_that_begins_is_told_of_after_it_has_ended(stand_in: StandIn, tell: Post) -> None:
    """Jobs overtake one another: what the later event said stays."""
    scene = measured(stand_in)
    begins = scene.event("requested", conclusion=None)
    tell(scene.event())
    assert "its end is told by itself" in tell(begins).lines[0]
    assert scene.standing() == "success"


def test_a_run_that_ends_while_its_beginning_is_told(stand_in: StandIn, tell: Post) -> None:
    """Its end may have been told before "pending" was written: so that is corrected here."""
    scene = open_scene(stand_in, head_repository=HERE, conclusion=None)
    begins = scene.event("requested")
    original = stand_in.state.statuses.append

    class Statuses(list[Any]):
        def append(self, status: Any) -> None:
            original(status)
            super().append(status)
            if len(self) == 1:
                scene.run.conclusion = "success"
                scene.upload()

    stand_in.state.statuses = Statuses()
    tell(begins)
    assert [one.state for one in stand_in.state.statuses] == ["pending", "success"]


@pytest.mark.parametrize(
    "fields",
    [
        {"login": "somebody", "description": "#7 into main: GO"},
        {"description": "#7 into main2: GO"},
        {"description": "#77 into main: GO"},
        {"state": "pending", "description": "#7 into main: being measured"},
    ],
    ids=str,
)
def test_a_skipped_run_trusts_no_other_status(
    stand_in: StandIn, tell: Post, fields: dict[str, str]
) -> None:
    scene = open_scene(stand_in, head_repository=HERE, files={"budgets.yml": TIGHT})
    scene.rerun(90.0)
    given = {"state": "success", **fields}
    scene.state.statuses.append(Status(sha=scene.run.head_sha, context="onegig", **given))
    scene.rerun(conclusion="skipped")
    tell(scene.event())
    assert scene.standing() == "failure"


def test_a_skipped_run_of_two_pull_requests_is_judged(stand_in: StandIn, tell: Post) -> None:
    """The status names only one: of the other the base may have been changed."""
    scene = measured(stand_in)
    scene.state.protected = ("v0",)
    tell(scene.event())
    into_other_bases(scene, 1)
    scene.rerun(conclusion="skipped")
    tell(scene.event())
    assert scene.status().startswith("failure: #8 into v0: NO-GO")
