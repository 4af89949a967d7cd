"""The small parts: back-off, heartbeat and its check, features, stopping, log lines."""

import os
import signal
import subprocess
from pathlib import Path

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from desk.backoff import Backoff
from desk.features import is_enabled
from desk.heartbeat import Heartbeat
from desk.log import warn
from desk.shutdown import Shutdown, Stopped
from running import SERVICES


@given(st.integers(min_value=1, max_value=40))
def test_waits_double_with_jitter_up_to_a_bound_until_a_success(count: int) -> None:
    backoff = Backoff(first=0.1, most=5.0)
    for step in range(count):
        bound = min(5.0, 0.1 * 2**step)
        assert bound / 2 <= backoff.seconds() <= bound
    backoff.reset()
    assert backoff.seconds() <= 0.1


def check(path: Path) -> tuple[int, str]:
    """Run compose.yml's health check against a heartbeat; return its exit code and output."""
    compose = yaml.safe_load((SERVICES / "compose.yml").read_text())
    kind, command = compose["services"]["aggressor"]["healthcheck"]["test"]
    assert kind == "CMD-SHELL"
    command = command.replace("$$", "$").replace("/tmp/heartbeat", str(path))
    done = subprocess.run(["sh", "-c", command], capture_output=True, text=True, check=False)
    return done.returncode, done.stdout


def test_the_check_passes_while_the_heart_beats_and_fails_with_the_reason(tmp_path: Path) -> None:
    path = tmp_path / "heartbeat"
    assert check(path)[0] != 0
    heartbeat = Heartbeat(str(path))
    heartbeat.beat()
    assert check(path) == (0, "ok\n")
    heartbeat.fail("cannot connect\nto redis")
    assert check(path) == (1, "cannot connect to redis\n")
    heartbeat.beat()
    assert check(path) == (0, "ok\n")


def test_the_check_fails_once_the_heart_stopped(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("desk.heartbeat.FRESH_SECONDS", -1)
    Heartbeat(str(tmp_path / "heartbeat")).beat()
    assert check(tmp_path / "heartbeat")[0] == 1


def test_the_heart_beats_at_most_once_a_second(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    now = [100.0]
    monkeypatch.setattr("desk.heartbeat.uptime_seconds", lambda: now[0])
    path = tmp_path / "heartbeat"
    heartbeat = Heartbeat(str(path))
    heartbeat.beat()
    path.unlink()
    for later, beats in ((0.9, False), (0.2, True)):
        now[0] += later
        heartbeat.beat()
        assert path.exists() is beats


@pytest.mark.parametrize("features", [None, "", "all", "risk", "momentum, risk", " risk "])
def test_features_that_include_a_service(features: str | None) -> None:
    assert is_enabled("risk", {} if features is None else {"FEATURES": features})


@pytest.mark.parametrize("features", ["momentum", "risky", "none"])
def test_features_that_leave_a_service_out(features: str) -> None:
    assert not is_enabled("risk", {"FEATURES": features})


def test_a_signal_cuts_a_wait_short_and_is_remembered() -> None:
    shutdown = Shutdown()
    before = signal.getsignal(signal.SIGTERM), signal.getsignal(signal.SIGINT)
    shutdown.listen()
    try:
        os.kill(os.getpid(), signal.SIGTERM)
        assert shutdown.requested
        with pytest.raises(Stopped):
            shutdown.sleep(60)
    finally:
        signal.signal(signal.SIGTERM, before[0])
        signal.signal(signal.SIGINT, before[1])


def test_a_log_line_stays_one_line(capsys: pytest.CaptureFixture[str]) -> None:
    warn("one\ntwo\r\nthree")
    assert capsys.readouterr().out == "warning: one two three\n"
