"""How far the poster trusts a run: by whose job it was, and what the pull request changes of it."""

import pytest

from gate_runs import BUDGETS, FORK, HERE, Post, open_scene
from github.stand_in import StandIn
from onegig.model.stack import HostAccess


def test_a_branch_of_the_repository(stand_in: StandIn, tell: Post) -> None:
    scene = open_scene(stand_in, head_repository=HERE)
    scene.upload()
    outcome = tell(scene.event())
    body = scene.only_body()
    assert body.startswith("<!-- onegig:default -->\n### ")
    assert "GO: 460 of 1,024 MB, 564 MB (55 %) to spare" in body
    assert "elf-reported" not in body
    assert scene.standing() == "success"
    assert "comment on #7 created: https://github.com/octo/stack/pull/7#" in outcome.lines[0]
    assert outcome.lines[1].startswith("status onegig: success, #7 into main: GO: 460 of 1,024 MB")
    assert body.endswith(outcome.summary)
    (status,) = scene.state.statuses
    assert status.url.endswith(f"/pull/7#issuecomment-{next(iter(scene.state.comments))}")


def test_a_fork_is_labelled_and_vouched_for_by_nobody(stand_in: StandIn, tell: Post) -> None:
    scene = open_scene(stand_in)
    scene.upload()
    tell(scene.event())
    assert f"elf-reported:** measured by a job of `{FORK}`" in scene.only_body()
    assert scene.standing() == "pending"
    assert "self-reported: a maintainer confirms it" in scene.status()


@pytest.mark.parametrize(
    ("command", "shown"),
    [
        ("onegig check --tier aws-t2-micro", "onegig check --tier aws-t2-micro"),
        ("onegig check --budgets a/b.yml --window 15.0", "onegig check --budgets a/b.yml"),
        ("onegig check; rm -rf /", "onegig check\n"),
        ("onegig check --tier $(id)", "onegig check\n"),
        ("onegig check --budgets /etc/passwd", "onegig check\n"),
        ("onegig check\nrm -rf /", "onegig check\n"),
    ],
)
def test_the_command_to_paste_is_one_of_ours(
    stand_in: StandIn, tell: Post, command: str, shown: str
) -> None:
    scene = open_scene(stand_in)
    scene.upload(reproduce=command)
    tell(scene.event())
    assert shown in scene.only_body()
    assert "rm -rf" not in scene.only_body()


def test_nothing_is_asked_that_could_run_or_change_code(stand_in: StandIn, tell: Post) -> None:
    scene = open_scene(stand_in)
    scene.upload()
    tell(scene.event())
    writes = [one for one in stand_in.asked() if not one.startswith("GET ")]
    assert writes == [
        f"POST /repos/octo/stack/issues/{scene.pull.number}/comments",
        f"POST /repos/octo/stack/statuses/{scene.run.head_sha}",
    ]


SOCKET = HostAccess(service="traefik", reason="mounts /var/run/docker.sock")
ALLOWED = f"{BUDGETS}allow_host_access: [traefik]\n"


@pytest.mark.security
def test_services_that_can_reach_the_runner_are_not_vouched_for(
    stand_in: StandIn, tell: Post
) -> None:
    """A pull request's own budgets.yml can't allow it."""
    scene = open_scene(stand_in, head_repository=HERE, files={"budgets.yml": ALLOWED})
    scene.upload(host_access=(SOCKET,))
    tell(scene.event())
    assert "traefik (mounts /var/run/docker.sock) can reach the machine" in scene.only_body()
    assert scene.status().startswith("pending: ")


def test_the_base_branch_may_allow_them(stand_in: StandIn, tell: Post) -> None:
    scene = open_scene(stand_in, head_repository=HERE, before={"budgets.yml": ALLOWED})
    scene.upload(host_access=(SOCKET,))
    tell(scene.event())
    assert "Not vouched for" not in scene.only_body()
    assert scene.status().startswith("success: ")
