"""`onegig comment` as a job runs it: environment in, comment, status, summary and exit code out."""

import json
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from gate_runs import Scene, open_scene
from github.stand_in import StandIn
from onegig.cli import main


@pytest.fixture
def scene(stand_in: StandIn) -> Scene:
    return open_scene(stand_in, head_repository="octo/stack", files={"app/a.py": "x"})


def run(scene: Scene, folder: Path, *arguments: str, token: str | None = None) -> Result:
    """The command in a job of its own; the summary lies in `folder`."""
    event = folder / "event.json"
    event.write_text(json.dumps(scene.event()), encoding="utf-8")
    environment = {
        "GITHUB_EVENT_NAME": "workflow_run",
        "GITHUB_EVENT_PATH": str(event),
        "GITHUB_REPOSITORY": scene.state.repository,
        "GITHUB_TOKEN": scene.state.token if token is None else token,
        "GITHUB_API_URL": scene.stand_in.url,
        "GITHUB_STEP_SUMMARY": str(folder / "summary.md"),
        "GITHUB_WORKFLOW_REF": "octo/stack/.github/workflows/verdict.yml@refs/heads/main",
        "NO_PROXY": "127.0.0.1",
    }
    return CliRunner().invoke(main, ["comment", *arguments], env=environment)


def summary(folder: Path) -> str:
    return (folder / "summary.md").read_text(encoding="utf-8")


def test_a_maintainer_is_told_to_start_the_workflow_that_this_job_is_of(
    scene: Scene, tmp_path: Path
) -> None:
    scene.pull.head_repository = scene.run.head_repository = "mallory/stack"
    scene.upload()
    run(scene, tmp_path)
    assert "`gh workflow run verdict.yml -f pull=7 -f head=" in scene.bodies()[0]


def test_a_verdict_that_could_be_told_is_a_success(scene: Scene, tmp_path: Path) -> None:
    scene.upload()
    result = run(scene, tmp_path)
    assert (result.exit_code, result.stderr) == (0, "")
    told = result.stdout.splitlines()
    assert told[0].startswith("onegig: comment on #7 created: https://github.com/")
    assert told[1].startswith("onegig: status onegig: success, #7 into main: GO: ")
    (body,) = scene.bodies()
    assert body.endswith(summary(tmp_path))


def test_so_is_a_no_go(scene: Scene, tmp_path: Path) -> None:
    scene.run.conclusion = "failure"
    assert run(scene, tmp_path).exit_code == 0
    assert scene.standing() == "failure"


def test_nobody_to_tell_is_no_failure(scene: Scene, tmp_path: Path) -> None:
    scene.pull.state = "closed"
    result = run(scene, tmp_path)
    assert result.exit_code == 0
    assert "no status onegig: no open pull request" in result.stdout
    assert "no status onegig: no open pull request" in summary(tmp_path)


def test_refused_numbers_end_as_incomplete(scene: Scene, tmp_path: Path) -> None:
    scene.upload(b"::error::no zip")
    result = run(scene, tmp_path)
    assert result.exit_code == 4
    assert "numbers of this run are refused: it is not a zip file" in result.stderr
    assert "numbers of this run are refused: it is not a zip file" in summary(tmp_path)
    assert not any(line.startswith("::") for line in result.output.splitlines())


def test_a_missing_permission_is_told_as_yaml(scene: Scene, tmp_path: Path) -> None:
    scene.upload()
    scene.state.permissions = {"actions": "read", "contents": "read", "pull_requests": "read"}
    result = run(scene, tmp_path)
    assert result.exit_code == 2
    assert "pull-requests: write" in result.stderr
    assert "statuses: write" in result.stderr
    assert scene.state.token not in result.output


def test_no_token_is_a_mistake_in_the_workflow(scene: Scene, tmp_path: Path) -> None:
    result = run(scene, tmp_path, token="")
    assert result.exit_code == 2
    assert "GITHUB_TOKEN: ${{ github.token }}" in result.stderr


def test_no_job_is_one_too(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("GITHUB_EVENT_NAME", "GITHUB_EVENT_PATH", "GITHUB_REPOSITORY"):
        monkeypatch.delenv(name, raising=False)
    assert CliRunner().invoke(main, ["comment"]).exit_code == 2


def test_options_choose_another_stack(scene: Scene, tmp_path: Path) -> None:
    scene.upload()
    result = run(scene, tmp_path, "--key", "b", "--status", "onegig (b)", "--measuring", "app/")
    assert result.exit_code == 0
    assert scene.bodies()[0].startswith("<!-- onegig:b -->")
    assert scene.standing("onegig (b)") == "pending"


def test_another_workflow_has_nothing_to_tell(scene: Scene, tmp_path: Path) -> None:
    scene.upload()
    result = run(scene, tmp_path, "--workflow", ".github/workflows/size.yml")
    assert (result.exit_code, scene.bodies()) == (0, [])


def test_a_key_that_would_not_be_found_again(scene: Scene, tmp_path: Path) -> None:
    result = run(scene, tmp_path, "--key", "-->")
    assert result.exit_code == 2
    assert scene.stand_in.log == []
