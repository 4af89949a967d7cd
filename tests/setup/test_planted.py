"""What somebody committed, or another user put there, is not run by set-up."""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from setup_machine import PROJECT, Machine, refusal

pytestmark = pytest.mark.security
PARTS = ("alpine.sh", "python.sh")  # run by assemble.sh only, which isolates them
FITS = "if venv_fits runtime; then echo fits; fi"
MARKED = 'for kind in "${KINDS[@]}"; do mark_of $kind >"$VENV/.onegig-$kind"; done'
# What Python imports by name while an environment is made.
SHADOWED = ("venv", "ensurepip", "pip", "sys", "zipfile", "encodings", "subprocess", "site")


def canary(machine: Machine) -> Path:
    return machine.root / "canary"


def trap(machine: Machine) -> str:
    """A program that leaves a trace when it is run."""
    return f'#!/bin/sh\necho run >"{canary(machine)}"\n'


def plant_modules(machine: Machine, folder: Path) -> None:
    for name in SHADOWED:
        code = f"open({str(canary(machine))!r}, 'w').write({name!r})\n"
        (folder / f"{name}.py").write_text(code)


def plant_venv(machine: Machine) -> Path:
    """An environment as set-up leaves one, with every mark but the secret."""
    tools = machine.project / ".venv/bin"
    tools.mkdir(parents=True)
    for name in ("python", "onegig", "trivy"):
        (tools / name).write_text(trap(machine))
        (tools / name).chmod(0o755)
    machine.source("trivy.sh", MARKED + '; trivy_pin >"$VENV/.onegig-trivy"')
    return tools


def make_real_venv(machine: Machine, **environment: str) -> subprocess.CompletedProcess[str]:
    """Have set-up make an environment, with pip's part (an index, a build) left out."""
    machine.program("curl", "exit 6")
    body = 'pip() { isolated "$VENV/bin/python" -m pip --version; }; ensure_venv runtime'
    return machine.source("venv.sh", body, ONEGIG_PYTHON=sys.executable, **environment)


@pytest.mark.parametrize("job", [{}, {"CI": "true", "GITHUB_ACTIONS": "true"}], ids=["desk", "job"])
def test_an_environment_with_all_the_marks_is_made_anew(
    machine: Machine, job: dict[str, str]
) -> None:
    plant_venv(machine)
    assert machine.source("venv.sh", FITS, **job).stdout == ""
    result = make_real_venv(machine, **job)
    assert "replacing .venv, which set-up did not make here" in result.stderr
    assert not canary(machine).exists()
    assert b"echo run" not in (machine.project / ".venv/bin/python").read_bytes()


def test_a_job_does_not_believe_what_an_earlier_one_left(machine: Machine) -> None:
    temp = machine.root / "tmp"
    for name in ("first", "second"):
        (temp / name).mkdir()
    machine.make_venv("runtime", onegig="")
    assert machine.source("venv.sh", FITS).stdout == "fits\n"
    body = f"claim_venv; {FITS}"
    assert machine.source("venv.sh", body, RUNNER_TEMP=str(temp / "first")).stdout == "fits\n"
    assert machine.source("venv.sh", FITS, RUNNER_TEMP=str(temp / "first")).stdout == "fits\n"
    assert machine.source("venv.sh", FITS, RUNNER_TEMP=str(temp / "second")).stdout == ""


def test_a_committed_environment_is_refused_even_where_one_was_made(machine: Machine) -> None:
    machine.make_venv("runtime", onegig="", python=trap(machine))
    machine.run("git", "init", "--quiet")
    machine.run("git", "add", "--force", ".venv")
    message = refusal(machine.source("venv.sh", "ensure_venv runtime"))
    assert ".venv is part of the repository" in message
    assert not canary(machine).exists()


def test_a_link_in_its_place_is_refused(machine: Machine) -> None:
    tools = plant_venv(machine)
    tools.parent.rename(machine.root / "elsewhere")
    (machine.project / ".venv").symlink_to(machine.root / "elsewhere")
    message = refusal(machine.source("venv.sh", "ensure_venv runtime"))
    assert "is a link or belongs to another user" in message
    assert not canary(machine).exists()


def test_a_committed_trivy_does_not_count(machine: Machine) -> None:
    plant_venv(machine)
    machine.program("curl", "exit 6")
    body = "make_venv() { echo made anew; exit 9; }; ensure_trivy"
    assert machine.source("trivy.sh", body).stdout == "made anew\n"
    assert not canary(machine).exists()


@pytest.mark.parametrize("by", ["folder", "PYTHONPATH"])
def test_modules_of_the_folder_it_runs_in_are_not_imported(machine: Machine, by: str) -> None:
    folder = machine.project if by == "folder" else machine.root / "modules"
    folder.mkdir(exist_ok=True)
    plant_modules(machine, folder)
    environment = {} if by == "folder" else {"PYTHONPATH": str(folder)}
    result = make_real_venv(machine, **environment)
    assert result.returncode == 0, result.stderr
    assert (machine.project / ".venv/bin/pip").exists()
    assert not canary(machine).exists(), canary(machine).read_text()


def test_every_python_of_the_scripts_is_isolated() -> None:
    folders = (PROJECT / folder for folder in ("scripts/setup", "scripts/bases", ".ci"))
    scripts = [path for folder in folders for path in folder.iterdir() if path.is_file()]
    assert "export PYTHONSAFEPATH=1" in (PROJECT / "scripts/bases/assemble.sh").read_text()
    for path in [*scripts, PROJECT / "action.yml", PROJECT / "scripts/check"]:
        for line in path.read_text().splitlines() if path.name not in PARTS else ():
            is_shown = line.lstrip().startswith("#") or "fix: " in line
            if re.search(r"python3?\"? -[^I]", line) and not is_shown:
                assert "isolated " in line, f"{path}: {line}"


@pytest.mark.parametrize("entry", [".", "", "bin"])
def test_programs_of_the_folder_are_not_found_through_path(machine: Machine, entry: str) -> None:
    folder = machine.project / entry
    folder.mkdir(exist_ok=True)
    for name in ("python3.13", "git", "id", "flock", "docker"):
        (folder / name).write_text(trap(machine))
        (folder / name).chmod(0o755)
    result = machine.source(
        "venv.sh",
        'type -P git; find_python || :; echo "$PATH"',
        PATH=f"{entry}:{os.environ['PATH']}",
    )
    assert not canary(machine).exists()
    assert all(part.startswith("/") for part in result.stdout.splitlines()[-1].split(":"))


def test_a_committed_state_is_neither_sourced_nor_on_path(machine: Machine) -> None:
    state = machine.project / ".onegig"
    (state / "bin").mkdir(parents=True)
    (state / "bases.env").write_text(f'ALPINE_IMAGE="$(touch "{canary(machine)}")"\n')
    shutil.copy(shutil.which("true") or "", state / "bin/valkey-server")
    machine.program("docker", "exit 0")
    body = 'use_bases; ensure_redis; echo "$ALPINE_IMAGE $PATH"'
    given = {f"{name}_IMAGE": "x" for name in ("ALPINE", "PYTHON", "VALKEY")}
    result = machine.source("launch.sh", body, **given)
    assert result.stdout.startswith("x "), result.stderr
    assert str(state) not in result.stdout
    assert not canary(machine).exists()


@pytest.mark.parametrize("what", ["link", "open"])
def test_state_that_others_can_write_to_is_refused(machine: Machine, what: str) -> None:
    folder = machine.root / "state/onegig"
    if what == "link":
        (machine.root / "theirs").mkdir(mode=0o700)
        folder.symlink_to(machine.root / "theirs")
    else:
        folder.mkdir()
        folder.chmod(0o777)
    (machine.root / "home").chmod(0o500)
    result = machine.source(
        "common.sh", 'echo "$STATE"', XDG_STATE_HOME=str(machine.root / "state")
    )
    assert str(folder) not in result.stdout
    assert not list((machine.root / "theirs").glob("*")) if what == "link" else True


@pytest.mark.skipif(os.geteuid() != 0, reason="needs root to give a folder to another user")
@pytest.mark.parametrize("part", ["state", "cache"])
def test_folders_of_another_user_are_not_used(machine: Machine, part: str) -> None:
    folder = machine.root / part / "onegig"
    folder.mkdir(mode=0o700)
    os.chown(folder, 65534, 65534)
    if part == "state":
        printed = machine.source("common.sh", 'echo "$STATE"').stdout
        assert str(folder) not in printed
        assert str(machine.root / "home") in printed  # the next place
    else:
        message = refusal(machine.source("common.sh", "own_cache bases"))
        assert "others can write to it" in message
    assert list(folder.iterdir()) == []


def test_the_lock_of_an_engine_is_not_where_others_can_hold_it(machine: Machine) -> None:
    victim = machine.root / "victim"
    link = machine.root / f"tmp/onegig-engine.{os.getuid()}.lock"
    link.symlink_to(victim)
    machine.program("docker", "exit 1")
    machine.source("engine.sh", "start_or_install() { exit 7; }; ensure_engine")
    assert not victim.exists()
