"""The tests' own processes: two have the engine's tests, and a measured test runs alone."""

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


def is_free(path: object, kind: int) -> bool:
    try:
        with workers.locked(path, kind | fcntl.LOCK_NB):
            return True
    except BlockingIOError:
        return False


@pytest.mark.measured
def test_measured() -> None:
    assert not is_free(workers.MACHINE, fcntl.LOCK_SH)


@pytest.mark.engine(alone=True)
def test_alone_on_the_engine() -> None:
    assert not is_free(workers.ENGINE, fcntl.LOCK_SH)
    assert is_free(workers.MACHINE, fcntl.LOCK_SH)


@pytest.mark.engine
def test_beside_others() -> None:
    for path in (workers.MACHINE, workers.ENGINE):
        assert is_free(path, fcntl.LOCK_SH)
        assert not is_free(path, fcntl.LOCK_EX)
"""
SETTINGS = """\
[pytest]
pythonpath = .
markers =
    engine
    measured
"""


def test_two_processes_have_the_engine_and_a_measured_test_runs_alone(tmp_path: Path) -> None:
    """Four processes run the tests of a folder, as those of scripts/test do."""
    shutil.copy(workers.__file__, tmp_path)
    (tmp_path / "conftest.py").write_text('pytest_plugins = ["workers"]\n')
    (tmp_path / "pytest.ini").write_text(SETTINGS)
    (tmp_path / "integration").mkdir()
    for name in ("integration/test_a", "integration/test_b", "test_c", "test_d"):
        (tmp_path / f"{name}.py").write_text(ENGINE)
    (tmp_path / "test_locks.py").write_text(LOCKS)
    (tmp_path / "test_other.py").write_text("def test_it() -> None: ...\n")
    kept = {name: value for name, value in os.environ.items() if not name.startswith("PYTEST_")}
    options = ["-n", "4", "--dist", "loadfile", "--strict-markers", "-p", "no:cacheprovider"]
    done = subprocess.run(
        [sys.executable, "-m", "pytest", *options],
        cwd=tmp_path,
        env=kept,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert "8 passed" in done.stdout
    for folder in (tmp_path, tmp_path / "integration"):
        assert len({path.read_text() for path in folder.glob("*.ran")}) == 1
