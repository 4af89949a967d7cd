"""The tests' own processes: one has the engine's tests, and a measured test runs alone."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import workers

ENGINE = """\
import os
from pathlib import Path

import pytest

pytestmark = pytest.mark.engine


def test_it() -> None:
    Path(__file__).with_suffix(".ran").write_text(os.environ["PYTEST_XDIST_WORKER"])
"""
LOCKS = """\
import fcntl

import pytest
import workers


def is_free(kind: int) -> bool:
    try:
        with workers.locked(workers.MACHINE, kind | fcntl.LOCK_NB):
            return True
    except BlockingIOError:
        return False


@pytest.mark.measured
def test_alone() -> None:
    assert not is_free(fcntl.LOCK_SH)


def test_beside_others() -> None:
    assert is_free(fcntl.LOCK_SH)
    assert not is_free(fcntl.LOCK_EX)
"""
SETTINGS = """\
[pytest]
pythonpath = .
markers =
    engine
    measured
"""


def run_workers(folder: Path) -> str:
    """Run the tests of a folder in three processes, as scripts/test does."""
    shutil.copy(workers.__file__, folder)
    (folder / "conftest.py").write_text('pytest_plugins = ["workers"]\n')
    (folder / "pytest.ini").write_text(SETTINGS)
    kept = {name: value for name, value in os.environ.items() if not name.startswith("PYTEST_")}
    options = ["-n", "3", "--dist", "loadfile", "--strict-markers", "-p", "no:cacheprovider"]
    done = subprocess.run(
        [sys.executable, "-m", "pytest", *options],
        cwd=folder,
        env=kept,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def test_one_process_runs_all_tests_of_the_engine(tmp_path: Path) -> None:
    for name in ("a", "b", "c", "d"):
        (tmp_path / f"test_{name}.py").write_text(ENGINE)
    (tmp_path / "test_other.py").write_text("def test_it() -> None: ...\n")
    assert "5 passed" in run_workers(tmp_path)
    assert len({path.read_text() for path in tmp_path.glob("*.ran")}) == 1


def test_a_measured_test_has_the_machine_to_itself(tmp_path: Path) -> None:
    (tmp_path / "test_locks.py").write_text(LOCKS)
    assert "2 passed" in run_workers(tmp_path)
