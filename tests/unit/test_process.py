"""Child processes: typed failures with the command, limits that hold, and no orphans."""

import os
import re
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import psutil
import pytest

from onegig import process
from onegig.process import CommandError, Completed, find_program, run, tail


def python(code: str, **options: Any) -> Completed:
    """Run a line of Python as a child."""
    return run([sys.executable, "-c", code], **options)


def test_output_and_lines() -> None:
    seen: list[str] = []
    code = r"import os; os.write(1, b'a\xffb\n'); os.write(2, b'err\n')"
    done = python(code, on_line=seen.append)
    assert (done.stdout, done.stderr, done.code) == ("a\ufffdb\n", "err\n", 0)
    assert seen == ["err"]


def test_failure_names_command_and_shows_the_end_of_the_output() -> None:
    code = "import sys; print('why', file=sys.stderr); sys.exit(7)"
    with pytest.raises(CommandError) as caught:
        python(code)
    assert (caught.value.code, caught.value.detail) == (7, "why")
    assert "-c" in caught.value.command
    assert python(code, check=False).code == 7


def test_missing_program() -> None:
    with pytest.raises(CommandError, match="not installed or not on PATH"):
        run(["no-such-program-anywhere"])


@pytest.mark.parametrize(
    ("code", "said"),
    [
        ("import time; time.sleep(60)", r"took longer than 0\.5 s"),
        ("import os, signal; os.kill(os.getpid(), signal.SIGILL)", "was ended by SIGILL"),
    ],
)
def test_what_ended_a_child(code: str, said: str) -> None:
    limit = 0.5 if "sleep" in code else 60
    with pytest.raises(CommandError, match=said):
        python(code, timeout_seconds=limit)


@pytest.mark.skipif(sys.platform != "linux", reason="children are tethered on Linux only")
def test_children_die_with_a_killed_parent() -> None:
    code = (
        "from onegig.process import spawn; import sys, time\n"
        "sleeper = 'import os, time; print(os.environ[\"X\"], flush=True); time.sleep(60)'\n"
        "child = spawn([sys.executable, '-c', sleeper], env={'X': 'y'})\n"
        "assert child.stdout.readline() == b'y\\n'  # from here on it is tethered\n"
        "print(child.pid, flush=True); time.sleep(60)"
    )
    parent = subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE)
    assert parent.stdout is not None
    child = psutil.Process(int(parent.stdout.readline()))
    os.kill(parent.pid, signal.SIGKILL)
    parent.communicate()
    gone, _ = psutil.wait_procs([child], timeout=20)
    assert gone == [child] or child.status() == psutil.STATUS_ZOMBIE


def test_a_child_that_takes_too_long_takes_its_own_children_along() -> None:
    """As docker does with compose and buildx, which need not end with it."""
    with pytest.raises(CommandError, match="took longer") as caught:
        run(["sh", "-c", "sleep 60 & echo $!; wait"], timeout_seconds=1)
    inner = int(caught.value.output)
    assert not psutil.pid_exists(inner) or psutil.Process(inner).status() == psutil.STATUS_ZOMBIE


def test_tail_keeps_the_last_lines() -> None:
    assert tail("1\n2\n3\n", lines=2) == "2\n3"


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


@pytest.mark.security
def test_no_python_that_is_started_imports_from_the_folder_of_the_user() -> None:
    """`-m` puts the current folder first, which is somebody's checkout; `-P` takes it away."""
    package = Path(process.__file__).parent
    text = "".join(path.read_text() for path in package.rglob("*.py"))
    started = re.findall(r'("-P", )?"-m", "(?:onegig[\w.]*|pip)",', text)
    assert started
    assert set(started) == {'"-P", '}
