"""Compose projects that try to run programs of this machine, or to read its processes."""

import os
import platform
import subprocess
from pathlib import Path
from unittest.mock import Mock

import pytest

from onegig.cli import main
from onegig.config.stack import load_stack
from onegig.engine.owned import Run
from onegig.errors import ConfigError, ExitCode, MeasureError
from onegig.machine import watch
from stacks import answering

pytestmark = pytest.mark.security


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder that is the current one, with a program beside the compose file."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "compose.yml").write_text("services: {web: {image: nginx}}\n")
    program = tmp_path / "bin" / "docker"
    program.parent.mkdir()
    program.write_text(f"#!/bin/sh\ntouch {tmp_path}/ran\n")
    program.chmod(0o755)
    return tmp_path


def test_budgets_put_no_folder_of_the_checkout_on_the_path(project: Path) -> None:
    (project / "budgets.yml").write_text(
        "version: 1\nload: {service: web, command: [x], environment: {PATH: 'bin:/usr/bin'}}\n"
    )
    with pytest.raises(SystemExit) as ended:
        main(["shards"])
    assert ended.value.code == ExitCode.CONFIG
    assert not (project / "ran").exists()


def test_the_path_of_the_shell_lets_in_no_program_of_the_checkout(
    project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", f"bin::.:{project}/bin:{os.environ['PATH']}")
    with pytest.raises(SystemExit) as ended:
        main(["shards"])
    assert (ended.value.code, (project / "ran").exists()) == (ExitCode.OK, False)


def test_a_provider_is_not_run(project: Path) -> None:
    """From compose 2.36 on `up` runs what a service names there; the path may be the checkout's."""
    provider = {"provider": {"type": str(project / "bin/docker")}}
    compose = answering({"web": {"image": "x"}, "db": provider})
    with pytest.raises(ConfigError, match=r"compose\.yml: the service db is a program of this"):
        load_stack(run=compose)


def test_the_variables_of_a_process_are_no_env_file(project: Path) -> None:
    victim = subprocess.Popen(["sleep", "60"], env={"FIRST": "1", "TOKEN": "of the job"})
    try:
        path = f"/proc/{victim.pid}/environ"
        (project / "compose.yml").write_text(
            f"services: {{web: {{image: nginx, env_file: [{path}]}}}}\n"
        )
        with pytest.raises(ConfigError) as caught:
            load_stack()
    finally:
        victim.kill()
        victim.wait()
    assert "of the job" not in f"{caught.value.message}{caught.value.detail}"


@pytest.mark.parametrize("source", ["https://example.invalid/x.git", "oci://example.invalid/x"])
def test_nothing_is_included_from_elsewhere(
    source: str, project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The shell may ask for it; the checkout's .env may not."""
    monkeypatch.delenv("COMPOSE_EXPERIMENTAL_GIT_REMOTE", raising=False)
    monkeypatch.delenv("COMPOSE_EXPERIMENTAL_OCI_REMOTE", raising=False)
    tools = project.parent / "tools"
    tools.mkdir(exist_ok=True)
    git = tools / "git"
    git.write_text(f"#!/bin/sh\ntouch {project}/ran\nexit 1\n")
    git.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tools}:{os.environ['PATH']}")
    (project / ".env").write_text(
        "COMPOSE_EXPERIMENTAL_GIT_REMOTE=true\nCOMPOSE_EXPERIMENTAL_OCI_REMOTE=true\n"
    )
    (project / "compose.yml").write_text(f"include: ['{source}']\n")
    with pytest.raises(ConfigError) as caught:
        load_stack()
    assert "disabled" in caught.value.detail
    assert not (project / "ran").exists()
    assert "in your shell" in caught.value.advice


def test_the_sampler_imports_nothing_from_beside_the_compose_file(
    project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("json", "argparse", "onegig"):
        (project / f"{name}.py").write_text(f"open({str(project / 'ran')!r}, 'w')\n")
    monkeypatch.setattr(os, "geteuid", lambda: 0)
    monkeypatch.setattr(platform, "system", lambda: "Linux")
    run_ = Run(name="onegig-test", owner="test", directory=project)
    with (
        pytest.raises(MeasureError),
        watch.watch_box(Mock(), run_, pid=2**22 + 1, hz=1, host_programs=True),
    ):
        pass
    assert not (project / "ran").exists()
