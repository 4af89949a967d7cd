"""`onegig publish` as a job or a person runs it: whose numbers go to the data branch."""

import json
import subprocess
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from gate_runs import event, make_honest_images, make_honest_memory, zip_files, zipped
from git_remotes import Remote
from github.faults import Fault
from github.stand_in import StandIn
from github.state import Run
from onegig.cli import main
from onegig.errors import ExitCode
from onegig.github.history import parse_history
from onegig.model.codec import to_json
from onegig.model.images import ImagesReport
from onegig.model.measured import Skipped
from onegig.model.report import Failure, Report, Review, RunReport
from onegig.model.state import State
from onegig.model.verdict import Baseline
from scenarios import make_go, make_incomplete

PUSHED = "2026-11-23T20:00:00Z"
Publish = Callable[..., Result]


@pytest.fixture
def publish(remote: Remote, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Publish:
    """Run the command in a checkout with budgets of 1,024 MB; it pushes to `remote`."""
    for name in ("GITHUB_REPOSITORY", "GITHUB_TOKEN", "GITHUB_SERVER_URL", "GITHUB_EVENT_PATH"):
        monkeypatch.delenv(name, raising=False)
    checkout = tmp_path / "checkout"
    subprocess.run(["git", "init", "--quiet", "--initial-branch=main", str(checkout)], check=True)
    (checkout / "budgets.yml").write_text("version: 1\nmemory: {limit: 1024MB}\n")
    monkeypatch.chdir(checkout)

    def run(*arguments: str, to: str = str(remote.path)) -> Result:
        where = ("--remote", to) if to else ()
        return CliRunner().invoke(main, ["publish", *where, *arguments])

    return run


def history(remote: Remote) -> tuple[Baseline, ...]:
    return parse_history(remote.read("history.jsonl"))


def commit(date: str) -> str:
    """A commit of that date in the checkout."""
    identity = ["-c", "user.name=a", "-c", "user.email=a@example.org"]
    make = ["git", *identity, "commit", "--quiet", "--allow-empty", "--message=x"]
    subprocess.run(
        make, check=True, env={"GIT_COMMITTER_DATE": date, "PATH": "/usr/bin:/bin", "HOME": "/"}
    )
    head = subprocess.run(["git", "rev-parse", "HEAD"], capture_output=True, text=True, check=True)
    return head.stdout.strip()


def save(report: Report, path: Path) -> str:
    path.write_text(to_json(report))
    return str(path)


def claim(**changes: Any) -> RunReport:
    run = RunReport(
        event="push",
        head_sha="a" * 40,
        measured_sha="a" * 40,
        base_sha="",
        onegig_version="0.1.0",
        reproduce="onegig check",
    )
    return replace(run, **changes)


def test_a_report(publish: Publish, remote: Remote, tmp_path: Path) -> None:
    report = make_go()
    done = publish("--report", save(report, tmp_path / "report.json"))
    assert done.exit_code == 0, done.output
    (line,) = history(remote)
    assert (line.commit, line.created, line.state) == (report.commit, report.created, State.GO)
    assert done.output == (
        f"onegig: onegig-data of {remote.path} created: 9e8d7c6b5a4f GO; badge: 460 / 1,024 MB\n"
    )


def test_seed(publish: Publish, remote: Remote) -> None:
    assert "created: no numbers yet; badge: unknown" in publish("--seed").output
    assert publish("--seed").output == f"onegig: onegig-data of {remote.path} is up to date\n"
    assert history(remote) == ()


def test_origin_is_where_a_checkout_pushes_to(publish: Publish, remote: Remote) -> None:
    subprocess.run(["git", "remote", "add", "origin", str(remote.path)], check=True)
    assert publish("--seed", to="").exit_code == 0
    assert remote.head()


def test_nowhere_to_push_to(publish: Publish) -> None:
    done = publish("--seed", to="")
    assert done.exit_code == ExitCode.CONFIG
    assert "name one with --remote" in done.output


def test_commits_are_ordered_by_their_own_time_where_the_checkout_knows_it(
    publish: Publish, remote: Remote, tmp_path: Path
) -> None:
    older, newer = commit("2026-11-20T10:00:00+01:00"), commit("2026-11-21T10:00:00Z")
    late = "2026-11-25T12:00:00+00:00"
    for sha, created in ((newer, "2026-11-24T12:00:00+00:00"), (older, late)):
        report = replace(make_go(), commit=sha, created=created)
        assert publish("--report", save(report, tmp_path / "report.json")).exit_code == 0
    assert [item.commit for item in history(remote)] == [older, newer]
    assert json.loads(remote.read("baseline.json"))["commit"] == newer


def test_incomplete_report(publish: Publish, remote: Remote, tmp_path: Path) -> None:
    done = publish("--report", save(make_incomplete(), tmp_path / "report.json"))
    assert done.exit_code == 0
    assert "badge: unknown" in done.output
    assert "100644 baseline.json" not in remote.files()


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"commit": ""}, "does not name its commit"),
        ({"commit": "--output=/tmp/x"}, "does not name its commit"),
        ({"created": "2026-11-23T20:00:00"}, "which is not a time with its zone"),
        ({"created": "yesterday"}, "which is not a time with its zone"),
        (
            {
                "review": Review(
                    head_sha="b" * 40,
                    base_sha="c" * 40,
                    base_branch="main",
                    branch_behind=0,
                    comparison=Skipped(reason="no baseline yet"),
                )
            },
            "is about a pull request",
        ),
    ],
)
def test_reports_that_make_no_history(
    publish: Publish, remote: Remote, tmp_path: Path, changes: dict[str, Any], message: str
) -> None:
    report = replace(make_go(), **changes)
    done = publish("--report", save(report, tmp_path / "report.json"))
    assert done.exit_code == ExitCode.CONFIG
    assert message in done.output
    assert not remote.head()


def numbers(folder: Path, *, memory: bool = True, **claims: Any) -> str:
    """The folder, with the three files of numbers in it."""
    (folder / "run.json").write_text(to_json(claim(**claims)))
    (folder / "images.json").write_text(to_json(make_honest_images()))
    if memory:
        (folder / "memory.json").write_text(to_json(make_honest_memory()))
    return str(folder)


def test_numbers_are_judged_again(publish: Publish, remote: Remote, tmp_path: Path) -> None:
    Path("budgets.yml").write_text("version: 1\nmemory: {limit: 300MB}\n")
    assert publish("--numbers", numbers(tmp_path)).exit_code == 0
    (line,) = history(remote)
    assert (line.commit, line.state, line.limit_bytes) == ("a" * 40, State.NO_GO, 300 * 1024**2)


def test_numbers_without_memory_are_incomplete(
    publish: Publish, remote: Remote, tmp_path: Path
) -> None:
    assert publish("--numbers", numbers(tmp_path, memory=False)).exit_code == 0
    assert history(remote)[0].state is State.INCOMPLETE


def test_numbers_of_a_pull_request_make_no_history(
    publish: Publish, remote: Remote, tmp_path: Path
) -> None:
    done = publish("--numbers", numbers(tmp_path, event="pull_request"))
    assert done.exit_code == ExitCode.CONFIG
    assert "numbers of a pull request" in done.output
    assert not remote.head()


def test_one_source_of_numbers(publish: Publish, tmp_path: Path) -> None:
    done = publish("--seed", "--report", save(make_go(), tmp_path / "report.json"))
    assert done.exit_code == ExitCode.CONFIG
    assert "use only one of" in done.output


def test_broken_history_ends_as_incomplete_and_says_what_to_do(
    publish: Publish, remote: Remote
) -> None:
    publish("--seed")
    remote.write({"history.jsonl": "<<<<<<< ours\n"})
    before = remote.head()
    done = publish("--seed")
    assert done.exit_code == ExitCode.INCOMPLETE
    assert "line 1 of the history cannot be read, so nothing was changed" in done.output
    assert "next: repair or remove that line of history.jsonl" in done.output
    assert remote.head() == before


@pytest.fixture
def push(stand_in: StandIn, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Run]:
    """A job that was started by the end of a run of the gate for a push to main."""

    def start(content: bytes | None = None, **fields: Any) -> Run:
        state = stand_in.state
        changes = fields.pop("payload", {})
        head = state.commit(branch="main", message="Pushed")
        given = {"event": "push", "head_branch": "main", "head_sha": head, **fields}
        run = state.run(**given)
        if content is not None:
            state.artifact(run, "onegig-numbers", content)
        payload = event(state, run, created_at=PUSHED, **changes)
        payload["repository"]["default_branch"] = "main"
        path = tmp_path / "event.json"
        path.write_text(json.dumps(payload))
        for name, value in {
            "GITHUB_EVENT_NAME": "workflow_run",
            "GITHUB_EVENT_PATH": str(path),
            "GITHUB_REPOSITORY": state.repository,
            "GITHUB_API_URL": stand_in.url,
            "GITHUB_TOKEN": state.token,
        }.items():
            monkeypatch.setenv(name, value)
        return run

    return start


def honest(head: str, **claims: Any) -> bytes:
    return zipped(claim(head_sha=head, measured_sha=head, **claims))


@pytest.fixture
def pushed(push: Callable[..., Run], stand_in: StandIn) -> Run:
    """The same with the numbers an honest gate leaves."""
    run = push()
    stand_in.state.artifact(run, "onegig-numbers", honest(run.head_sha))
    return run


def test_a_push_to_main(publish: Publish, remote: Remote, pushed: Run) -> None:
    done = publish()
    assert done.exit_code == 0, done.output
    (line,) = history(remote)
    assert (line.commit, line.created, line.state) == (pushed.head_sha, PUSHED, State.GO)
    assert "GO; badge: 460 / 1,024 MB" in done.output


def test_what_a_gate_that_failed_left_is_published_as_far_as_it_goes(
    publish: Publish, remote: Remote, push: Callable[..., Run], stand_in: StandIn
) -> None:
    run = push(conclusion="failure")
    failure = Failure(message="the box could not be started", exit_code=3)
    numbers = claim(head_sha=run.head_sha, measured_sha=run.head_sha, failure=failure)
    images: ImagesReport = make_honest_images()
    files = {"run.json": to_json(numbers), "images.json": to_json(images)}
    stand_in.state.artifact(run, "onegig-numbers", zip_files(files))
    assert "badge: unknown" in publish().output
    (line,) = history(remote)
    assert line.state is State.INCOMPLETE
    assert getattr(line.total_bytes, "reason", "") == "the box could not be started"


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (None, "ended as failure before it measured"),
        (b"no zip", "refused"),
        (honest("f" * 40), "refused"),
        (honest("e" * 40, event="push"), "refused"),
    ],
    ids=["nothing", "no zip", "another head", "another push"],
)
def test_what_a_gate_did_not_leave_makes_the_badge_unknown(
    publish: Publish, remote: Remote, push: Callable[..., Run], content: bytes | None, reason: str
) -> None:
    push(content, conclusion="failure")
    assert "badge: unknown" in publish().output
    (line,) = history(remote)
    assert line.state is State.INCOMPLETE
    assert reason in getattr(line.total_bytes, "reason", "")


def test_broken_budgets_make_the_badge_unknown(
    publish: Publish, remote: Remote, pushed: Run
) -> None:
    Path("budgets.yml").write_text("version: 1\nmemory: {limit: lots}\n")
    assert "badge: unknown" in publish().output
    assert history(remote)[0].state is State.INCOMPLETE


@pytest.mark.parametrize(
    ("fields", "reason"),
    [
        ({"event": "pull_request"}, "started by pull_request, not by a push"),
        ({"event": "workflow_dispatch"}, "started by workflow_dispatch"),
        ({"head_branch": "patch"}, "the push was to patch, not to main"),
        ({"head_repository": "mallory/stack"}, "the push was to mallory/stack, not to octo/stack"),
        ({"head_repository": None}, "a repository that has been deleted"),
        ({"path": ".github/workflows/evil.yml"}, "belongs to .github/workflows/evil.yml"),
        ({"conclusion": "cancelled"}, "ended as cancelled"),
        ({"conclusion": "skipped"}, "ended as skipped"),
    ],
)
def test_runs_that_make_no_history(
    publish: Publish,
    remote: Remote,
    push: Callable[..., Run],
    fields: dict[str, Any],
    reason: str,
) -> None:
    push(honest("f" * 40), **fields)
    done = publish()
    assert done.exit_code == 0
    assert done.output.startswith("onegig: nothing was published: ")
    assert reason in done.output
    assert not remote.head()


@pytest.mark.security
def test_a_tag_named_like_the_default_branch_makes_no_history(
    publish: Publish, remote: Remote, push: Callable[..., Run], stand_in: StandIn
) -> None:
    """GitHub gives the tag's name as the branch that was pushed."""
    state = stand_in.state
    tip = state.commit(branch="main", message="Of main")
    tagged = state.commit({".github/workflows/gate.yml": "run: echo GO"}, parents=(tip,))
    state.tags["main"] = tagged
    push(honest(tagged), head_sha=tagged)
    done = publish()
    assert done.exit_code == 0
    assert f"nothing was published: {tagged[:12]} is not a commit of the branch main" in done.output
    assert not remote.head()


def test_job_of_another_event_is_told_what_is_missing(
    publish: Publish, remote: Remote, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "event.json").write_text('{"ref": "refs/heads/main"}')
    monkeypatch.setenv("GITHUB_EVENT_NAME", "push")
    monkeypatch.setenv("GITHUB_EVENT_PATH", str(tmp_path / "event.json"))
    monkeypatch.setenv("GITHUB_REPOSITORY", "octo/stack")
    done = publish()
    assert done.exit_code == ExitCode.CONFIG
    assert "workflow_run" in done.output
    assert not remote.head()


def test_github_that_does_not_answer_changes_nothing(
    publish: Publish, remote: Remote, pushed: Run, stand_in: StandIn
) -> None:
    stand_in.faults.add(Fault(path="artifacts", times=100, status=404))
    done = publish()
    assert done.exit_code == ExitCode.INCOMPLETE
    assert not remote.head()


def test_second_attempt_of_a_run_keeps_its_place(
    publish: Publish, remote: Remote, push: Callable[..., Run], stand_in: StandIn
) -> None:
    run = push()
    stand_in.state.artifact(run, "onegig-numbers", honest(run.head_sha))
    publish()
    publish()
    assert [item.created for item in history(remote)] == [PUSHED]
