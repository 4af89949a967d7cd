"""Child processes: typed failures with the command, limits that hold, and no orphans."""

import os
import re
import signal
import subprocess
import sys
from pathlib import Path

import psutil
import pytest

from onegig import process
from onegig.process import CommandError, find_program, run, spawn, tail


def test_output_and_lines() -> None:
    seen: list[str] = []
    done = run(
        [sys.executable, "-c", "import sys; print('out'); print('err', file=sys.stderr)"],
        on_line=seen.append,
    )
    assert (done.stdout, done.stderr, done.code, seen) == ("out\n", "err\n", 0, ["err"])


def test_failure_names_command_and_shows_the_end_of_the_output() -> None:
    code = "import sys; print('why', file=sys.stderr); sys.exit(7)"
    with pytest.raises(CommandError) as caught:
        run([sys.executable, "-c", code])
    assert caught.value.code == 7
    assert caught.value.detail == "why"
    assert "-c" in caught.value.command


def test_failure_may_be_expected() -> None:
    assert run([sys.executable, "-c", "raise SystemExit(3)"], check=False).code == 3


def test_missing_program() -> None:
    with pytest.raises(CommandError, match="not installed or not on PATH"):
        run(["no-such-program-anywhere"])


def test_time_limit_ends_the_child() -> None:
    with pytest.raises(CommandError, match=r"took longer than 0\.2 s"):
        run([sys.executable, "-c", "import time; time.sleep(60)"], timeout_seconds=0.2)


def test_undecodable_output_is_kept() -> None:
    done = run([sys.executable, "-c", r"import os; os.write(1, b'a\xffb\n')"])
    assert done.stdout == "a\ufffdb\n"


@pytest.mark.skipif(sys.platform != "linux", reason="children are tethered on Linux only")
def test_children_die_with_a_killed_parent() -> None:
    code = (
        "from onegig.process import spawn; import sys, time\n"
        "sleeper = 'import time; print(1, flush=True); time.sleep(60)'\n"
        "child = spawn([sys.executable, '-c', sleeper])\n"
        "child.stdout.readline()  # from here on it is tethered\n"
        "print(child.pid, flush=True); time.sleep(60)"
    )
    parent = subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE)
    assert parent.stdout is not None
    child = psutil.Process(int(parent.stdout.readline()))
    os.kill(parent.pid, signal.SIGKILL)
    parent.communicate()
    gone, _ = psutil.wait_procs([child], timeout=20)
    assert gone == [child] or child.status() == psutil.STATUS_ZOMBIE


def test_tail_keeps_the_last_lines() -> None:
    assert tail("1\n2\n3\n", lines=2) == "2\n3"


def test_spawn_passes_environment() -> None:
    child = spawn(
        [sys.executable, "-c", "import os; print(os.environ['ONEGIG_X'])"], env={"ONEGIG_X": "y"}
    )
    out, _ = child.communicate(timeout=20)
    assert out == b"y\n"


def test_a_program_beside_python_needs_no_path(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for folder in ("venv", "path"):
        (tmp_path / folder).mkdir()
        program = tmp_path / folder / "dive"
        program.write_text("#!/bin/sh\n")
        program.chmod(0o755)
    monkeypatch.setattr(sys, "executable", str(tmp_path / "venv/python"))
    monkeypatch.setenv("PATH", str(tmp_path / "path"))
    assert find_program("dive") == str(tmp_path / "venv/dive")
    (tmp_path / "venv/dive").unlink()
    assert find_program("dive") == str(tmp_path / "path/dive")
    assert find_program("hadolint") is None


def test_a_child_that_a_signal_ended_says_which() -> None:
    with pytest.raises(CommandError, match="was ended by SIGILL"):
        run([sys.executable, "-c", "import os, signal; os.kill(os.getpid(), signal.SIGILL)"])


@pytest.mark.security
def test_no_python_that_is_started_imports_from_the_folder_of_the_user() -> None:
    """`-m` puts the current folder first, which is somebody's checkout; `-P` takes it away."""
    package = Path(process.__file__).parent
    text = "".join(path.read_text() for path in package.rglob("*.py"))
    started = re.findall(r'("-P", )?"-m", "(?:onegig[\w.]*|pip)",', text)
    assert started
    assert set(started) == {'"-P", '}
