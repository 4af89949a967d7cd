"""Output that can't be written, or must not reach the terminal as it is."""

import io
import os
import subprocess
import sys
from pathlib import Path
from typing import IO

import pytest
from rich.console import Console

from onegig.progress import Live


def tiers(stdout: int | IO[bytes], **environment: str) -> subprocess.CompletedProcess[bytes]:
    """Run `onegig tiers`."""
    command = [sys.executable, "-m", "onegig.cli", "tiers"]
    return subprocess.run(
        command, stdout=stdout, stderr=subprocess.PIPE, env=environment, check=False
    )


@pytest.fixture
def environment() -> dict[str, str]:
    return {"PYTHONPATH": ":".join(sys.path)}


def test_a_reader_that_has_seen_enough(environment: dict[str, str]) -> None:
    reading, writing = os.pipe()
    os.close(reading)
    done = tiers(writing, **environment)
    os.close(writing)
    assert (done.returncode, done.stderr) == (130, b"")


@pytest.mark.skipif(sys.platform != "linux", reason="/dev/full is Linux's")
def test_a_full_disk(environment: dict[str, str]) -> None:
    with Path("/dev/full").open("wb") as full:
        done = tiers(full, **environment)
    assert done.returncode == 4
    assert b"onegig: the disk is full" in done.stderr


def test_a_terminal_that_lacks_characters(environment: dict[str, str]) -> None:
    done = tiers(subprocess.PIPE, PYTHONIOENCODING="latin-1", **environment)
    assert done.returncode == 0
    assert b"lightsail-2gb" in done.stdout


def test_a_note_brings_no_escape_sequence_to_the_terminal() -> None:
    console = Console(file=io.StringIO(), force_terminal=True, no_color=True)
    Live(color=False, console=console).note("a\x1b]0;title\x07b")
    assert console.file.getvalue() == "! ab\n"  # type: ignore[attr-defined] # a StringIO
