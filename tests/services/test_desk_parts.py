"""The small parts: back-off, heartbeat and its check, features, stopping, log lines."""

import os
import signal
import subprocess
from pathlib import Path

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

import desk.heartbeat
from desk.backoff import Backoff
from desk.features import is_enabled
from desk.heartbeat import Heartbeat
from desk.log import warn
from desk.shutdown import Shutdown, Stopped

COMPOSE = Path(__file__).parents[2] / "services" / "compose.yml"


@given(st.integers(min_value=1, max_value=40))
def test_waits_double_with_jitter_up_to_a_bound(count: int) -> None:
    backoff = Backoff(first=0.1, most=5.0)
    for step in range(count):
        bound = min(5.0, 0.1 * 2**step)
        assert bound / 2 <= backoff.seconds() <= bound


def test_waits_start_again_after_a_success() -> None:
    backoff = Backoff(first=0.1, most=5.0)
    for _ in range(10):
        backoff.seconds()
    backoff.reset()
    assert backoff.seconds() <= 0.1


def check(path: Path) -> subprocess.CompletedProcess[str]:
    """Run compose.yml's health check against a heartbeat."""
    compose = yaml.safe_load(COMPOSE.read_text())
    kind, command = compose["services"]["aggressor"]["healthcheck"]["test"]
    assert kind == "CMD-SHELL"
    command = command.replace("$$", "$").replace("/tmp/heartbeat", str(path))
    return subprocess.run(["sh", "-c", command], capture_output=True, text=True, check=False)


def test_the_check_passes_while_the_heart_beats(tmp_path: Path) -> None:
    Heartbeat(str(tmp_path / "heartbeat")).beat()
    done = check(tmp_path / "heartbeat")
    assert (done.returncode, done.stdout) == (0, "ok\n")


def test_the_check_fails_with_the_reason(tmp_path: Path) -> None:
    heartbeat = Heartbeat(str(tmp_path / "heartbeat"))
    heartbeat.beat()
    heartbeat.fail("cannot connect\nto redis")
    done = check(tmp_path / "heartbeat")
    assert (done.returncode, done.stdout) == (1, "cannot connect to redis\n")
    heartbeat.beat()
    assert check(tmp_path / "heartbeat").returncode == 0


def test_the_check_fails_once_the_heart_stopped(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(desk.heartbeat, "FRESH_SECONDS", -1)
    Heartbeat(str(tmp_path / "heartbeat")).beat()
    assert check(tmp_path / "heartbeat").returncode == 1


def test_the_check_fails_before_the_first_beat(tmp_path: Path) -> None:
    assert check(tmp_path / "heartbeat").returncode != 0


def test_the_heart_beats_at_most_once_a_second(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    now = [100.0]
    monkeypatch.setattr(desk.heartbeat, "uptime_seconds", lambda: now[0])
    path = tmp_path / "heartbeat"
    heartbeat = Heartbeat(str(path))
    heartbeat.beat()
    path.unlink()
    now[0] += 0.9
    heartbeat.beat()
    assert not path.exists()
    now[0] += 0.2
    heartbeat.beat()
    assert path.exists()


@pytest.mark.parametrize(
    ("features", "enabled"),
    [
        (None, True),
        ("", True),
        ("all", True),
        ("risk", True),
        ("momentum, risk", True),
        ("momentum", False),
        ("risky", False),
        ("none", False),
    ],
)
def test_features(features: str | None, enabled: bool) -> None:
    environ = {} if features is None else {"FEATURES": features}
    assert is_enabled("risk", environ) is enabled


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
