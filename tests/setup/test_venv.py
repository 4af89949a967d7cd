"""The virtual environment and its locks."""

import re
import tomllib
from collections.abc import Iterator

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from setup_machine import PROJECT, Machine, refusal

KINDS = ("trusted", "runtime", "dev")
LOCKS = PROJECT / "scripts/setup/requirements"
FITS = "if venv_fits runtime; then echo fits; fi"


def locked(name: str) -> Iterator[tuple[Requirement, int]]:
    """Every distribution of a lock and how many hashes it has."""
    text = (LOCKS / f"{name}.txt").read_text()
    for entry in re.sub(r"^#.*\n", "", text, flags=re.MULTILINE).replace("\\\n", "").splitlines():
        requirement, *hashes = re.split(r"\s+--hash=sha256:[0-9a-f]{64}", entry)
        yield Requirement(requirement), len(hashes)


@pytest.mark.parametrize("name", KINDS)
def test_everything_is_pinned_and_hashed_and_no_index_is_named(name: str) -> None:
    entries = list(locked(name))
    assert len(entries) > 10
    for requirement, hashes in entries:
        assert str(requirement.specifier).startswith("=="), requirement
        assert requirement.url is None
        assert hashes > 0, requirement
    text = (LOCKS / f"{name}.txt").read_text()
    assert "://" not in text
    assert "-url" not in text


@pytest.mark.parametrize(("name", "extras"), [("runtime", ("build",)), ("dev", ("build", "dev"))])
def test_the_lock_satisfies_the_project(name: str, extras: tuple[str, ...]) -> None:
    project = tomllib.loads((PROJECT / "pyproject.toml").read_text())["project"]
    required = [*project["dependencies"]]
    for extra in extras:
        required += project["optional-dependencies"][extra]
    pins = {canonicalize_name(pin.name): pin for pin, _ in locked(name)}
    for line in required:
        requirement = Requirement(line)
        pin = pins[canonicalize_name(requirement.name)]
        (version,) = (specifier.version for specifier in pin.specifier)
        assert requirement.specifier.contains(version), f"{line} but {pin}"


def test_tests_run_what_the_command_runs() -> None:
    trusted, runtime, dev = ({str(pin) for pin, _ in locked(kind)} for kind in KINDS)
    assert trusted < runtime < dev


@pytest.mark.parametrize(
    ("changed", "fits"),
    [
        ("", True),
        ("scripts/setup/requirements/dev.txt", True),  # of the tests only
        ("scripts/setup/requirements/runtime.txt", False),
        ("pyproject.toml", False),
    ],
)
def test_a_changed_lock_or_project_is_noticed(machine: Machine, changed: str, fits: bool) -> None:
    machine.make_venv("runtime", onegig="")
    if changed:
        with (machine.project / changed).open("a") as file:
            file.write("# changed\n")
    assert machine.source("venv.sh", FITS).stdout == ("fits\n" if fits else "")


def test_nothing_is_done_while_nothing_changed(machine: Machine) -> None:
    machine.make_venv("runtime", onegig="")
    machine.program("python3", "exit 1")
    result = machine.source("venv.sh", "ensure_venv runtime")
    assert (result.returncode, result.stderr, machine.calls()) == (0, "", [])


def test_a_moved_project_is_noticed(machine: Machine) -> None:
    machine.make_venv("runtime", onegig="")
    machine.project.rename(machine.root / "elsewhere")
    (machine.project / "x").parent.mkdir()
    result = machine.run("bash", "-c", f'. "../elsewhere/scripts/setup/venv.sh"; {FITS}')
    assert (result.returncode, result.stdout) == (0, "")


@pytest.mark.parametrize(
    ("programs", "asked", "taken"),
    [
        ({"python3.13": 127, "python3.12": 0}, "", "python3.12"),  # 3.13 is a shim for none
        ({"python3.13": 0, "python3.11": 0}, "python3.11", "python3.11"),
    ],
)
def test_the_newest_python_is_taken_or_the_one_asked_for(
    machine: Machine, programs: dict[str, int], asked: str, taken: str
) -> None:
    for name, status in programs.items():
        machine.program(name, f"exit {status}")
    result = machine.source("venv.sh", 'find_python; echo "$python"', ONEGIG_PYTHON=asked)
    assert result.stdout == f"{taken}\n"


def test_no_suitable_python_and_no_root(machine: Machine) -> None:
    for name in ("python3.14", "python3.13", "python3.12", "python3.11", "python3"):
        machine.program(name, "exit 1")
    message = refusal(machine.source("venv.sh", "is_root() { false; }\nensure_venv runtime"))
    assert "no Python 3.11 or later with venv was found" in message
    assert "sudo apt-get install python3 python3-venv" in message


def test_root_gets_python_from_the_distribution(machine: Machine) -> None:
    installed = machine.root / "installed"
    for name in ("python3.14", "python3.13", "python3.12", "python3.11"):
        machine.program(name, "exit 1")
    machine.program("python3", f"[ -f '{installed}' ]")
    machine.program("apt-get", f'case "$*" in *install*) touch "{installed}" ;; esac')
    machine.program("apt-cache", "[ $2 != python3 ] || echo '  Candidate: 3.11.2-1+b1'")
    result = machine.source("venv.sh", 'is_root() { true; }\nfind_python; echo "$python"')
    assert result.stdout == "python3\n", result.stderr
    assert machine.calls("apt-get")[-1].endswith(" install python3 python3-venv")


def test_a_failing_index_says_so(machine: Machine) -> None:
    machine.make_venv("runtime", onegig="")
    (machine.project / ".venv/.onegig-runtime").unlink()
    python = machine.project / ".venv/bin/python"
    python.write_text("#!/bin/sh\necho 'ERROR: hashes do not match'\nexit 1\n")
    message = refusal(machine.source("venv.sh", "ensure_venv runtime"))
    assert "ERROR: hashes do not match" in message
    assert "next: check the connection to the package index" in message
