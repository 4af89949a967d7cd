"""scripts/check, scripts/test and .ci/run as their users call them."""

import os
import shutil
import subprocess
from pathlib import Path

import pytest

from setup_machine import PROJECT, Machine, refusal

NOBODY = 65534
# As any user who is not root; root runs the same as nobody.
UNPRIVILEGED = (
    ("setpriv", f"--reuid={NOBODY}", f"--regid={NOBODY}", "--clear-groups")
    if os.geteuid() == 0
    else ()
)


@pytest.fixture
def given_to_nobody(machine: Machine) -> Machine:
    """The project belongs to the user who runs it."""
    if UNPRIVILEGED:
        for path in (machine.root, *machine.root.rglob("*")):
            os.chown(path, NOBODY, NOBODY, follow_symlinks=False)
    return machine


@pytest.mark.parametrize("launcher", ["scripts/check", "scripts/test"])
def test_no_engine_and_no_root(given_to_nobody: Machine, launcher: str) -> None:
    nowhere = f"unix://{given_to_nobody.root}/none.sock"
    result = given_to_nobody.run(*UNPRIVILEGED, launcher, DOCKER_HOST=nowhere)
    message = refusal(result)
    assert result.stdout == ""
    assert "no Docker Engine answers at DOCKER_HOST=unix://" in message
    assert "next: start that engine" in message


def test_no_docker_at_all_and_no_root(given_to_nobody: Machine) -> None:
    given_to_nobody.program("docker", "exit 127")
    script = given_to_nobody.project / "scripts/setup/engine.sh"
    script.write_text(script.read_text().replace("/var/run/docker.sock", "/nowhere/docker.sock"))
    message = refusal(given_to_nobody.run(*UNPRIVILEGED, "scripts/check"))
    assert "as root: scripts/setup/engine.sh" in message


@pytest.mark.skipif(not Path("/var/run/docker.sock").exists(), reason="no engine's socket here")
@pytest.mark.skipif(os.geteuid() != 0, reason="needs root to become a user outside its group")
def test_a_user_outside_the_docker_group(given_to_nobody: Machine) -> None:
    message = refusal(given_to_nobody.run(*UNPRIVILEGED, "scripts/check"))
    assert "this user is not allowed to use the Docker Engine" in message
    assert "sudo usermod -aG docker " in message


def launch(
    machine: Machine, *arguments: str, folder: Path, launcher: str = "scripts/check"
) -> subprocess.CompletedProcess[str]:
    """Run a launcher on a machine where all is set up and onegig prints its arguments."""
    machine.program("docker", "case $1 in version) echo 26.1.5 ;; *) echo 2.26.1 2.26.1 ;; esac")
    onegig = (
        '#!/bin/bash\nprintf "%s\\n" "$ONEGIG_BASES" "$@"\n'
        'echo "$ONEGIG_TYPED of $ONEGIG_LAUNCHER" >"${0%/*}/typed"\nexit 4\n'
    )
    machine.make_venv("runtime", "dev", onegig=onegig, trivy="#!/bin/sh\n")
    machine.source("trivy.sh", 'printf "%s" "$(trivy_pin)" >"$VENV/.onegig-trivy"')
    return subprocess.run(
        [machine.project / launcher, *arguments],
        cwd=folder,
        env=machine.environment(),
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def test_check_hands_over_arguments_and_exit_status(machine: Machine) -> None:
    result = launch(machine, "--json", "--tier", "a b", folder=machine.project)
    assert result.stdout.splitlines() == ["official", "check", "--json", "--tier", "a b"]
    assert (result.returncode, result.stderr) == (4, "")


@pytest.mark.parametrize(
    ("typed", "handed_over"),
    [
        (["--json"], ["--budgets", "{0}/budgets.yml", "--report", "{0}/report", "--json"]),
        (["--budgets=mine.yml", "--report", "here"], ["--budgets=mine.yml", "--report", "here"]),
    ],
)
def test_check_from_another_folder_judges_the_project(
    machine: Machine, typed: list[str], handed_over: list[str]
) -> None:
    """Paths that were typed are the caller's; onegig learns how much was typed, and as what."""
    result = launch(machine, *typed, folder=machine.root)
    expected = [word.format(machine.project) for word in handed_over]
    assert result.stdout.splitlines()[2:] == expected
    learned = (machine.project / ".venv/bin/typed").read_text()
    assert learned == f"{len(typed)} of {machine.project}/scripts/check\n"


def test_check_through_a_link(machine: Machine) -> None:
    launch(machine, folder=machine.project)
    link = machine.root / "bin/fits"
    link.symlink_to(machine.project / "scripts/check")
    assert machine.run(link).stdout.splitlines() == ["official", "check"]


def test_help_needs_no_engine(machine: Machine) -> None:
    launch(machine, folder=machine.project)
    machine.program("docker", "exit 1")
    result = machine.run("scripts/check", "--help")
    assert result.stdout.splitlines()[1:] == ["check", "--help"]
    tests = machine.run("scripts/test", "--help")
    assert tests.returncode == 0
    assert "Arguments are passed to pytest: scripts/test -k verdict." in tests.stdout


TOOLS = ("ruff", "mypy", "shellcheck", "hadolint", "zizmor", "node", "check-jsonschema", "pytest")


@pytest.mark.parametrize("broken", [(), ("mypy",), ("pytest",), ("pytest", "ruff", "zizmor")])
def test_tests_and_other_checks_end_in_one_verdict(
    machine: Machine, broken: tuple[str, ...]
) -> None:
    for name in TOOLS:
        machine.program(name, f"echo the words of {name}; exit {int(name in broken)}")
    for name in ("chromium", "npm", "valkey-server"):
        machine.program(name, "")
    (machine.project / "tests/npm/node_modules").mkdir(parents=True)
    (machine.project / "tests/npm/package-lock.json").touch()
    result = launch(machine, "-k", "a b", folder=machine.root, launcher="scripts/test")
    assert machine.calls("pytest")[0].endswith(" -k a b")
    assert {line.split()[0] for line in machine.calls()} >= {*TOOLS} - {"hadolint"}
    assert all(f"the words of {name}" in result.stdout for name in broken)
    if broken:
        assert result.returncode == 1
        failed = result.stderr.splitlines()[-1].removeprefix("failed: ").split()
        assert sorted(set(failed)) == sorted(broken)
    else:
        assert (result.returncode, result.stdout.splitlines()[-1]) == (0, "all passed")


@pytest.mark.parametrize(
    ("tests", "check", "status"), [(0, 0, 0), (1, 0, 1), (0, 1, 1), (0, 4, 4), (3, 1, 3)]
)
def test_ci_fails_when_either_does(tmp_path: Path, tests: int, check: int, status: int) -> None:
    (tmp_path / ".ci").mkdir()
    (tmp_path / "scripts").mkdir()
    for name, code in (("scripts/test", tests), ("scripts/check", check)):
        (tmp_path / name).write_text(f"#!/bin/sh\necho ran {name}\nexit {code}\n")
        (tmp_path / name).chmod(0o755)
    shutil.copy(PROJECT / ".ci/run", tmp_path / ".ci/run")
    result = subprocess.run(
        [tmp_path / ".ci/run"], cwd="/", capture_output=True, text=True, timeout=60, check=False
    )
    assert result.returncode == status
    assert "ran scripts/test\nran scripts/check\n" in result.stdout
    assert f"scripts/check: exit status {check}" in result.stdout
