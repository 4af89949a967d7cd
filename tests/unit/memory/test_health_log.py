"""Of what a failing health check printed, its end is kept: that is where the error stands."""

import pytest

from onegig.machine.machine import HEALTH_LOG_LENGTH, parse_container


def health_log(output: str, code: int = 1) -> str:
    inspected = {
        "Id": "id-app",
        "Config": {"Labels": {"com.docker.compose.service": "app"}},
        "RestartCount": 0,
        "State": {
            "Status": "running",
            "ExitCode": 0,
            "Health": {
                "Status": "unhealthy",
                "Log": [{"Start": "2026-01-01T00:00:00Z", "ExitCode": code, "Output": output}],
            },
        },
    }
    return parse_container(inspected).health_log


@pytest.mark.parametrize(
    ("output", "code", "log"),
    [
        ("no answer\n", 7, "health check exit code 7: no answer"),
        ("", 7, "health check exit code 7"),
        ("Health check exceeded timeout (1s)", -1, "Health check exceeded timeout (1s)"),
        ("a" * 1000, 1, f"health check exit code 1: … {'a' * HEALTH_LOG_LENGTH}"),
    ],
)
def test_what_a_failing_check_printed(output: str, code: int, log: str) -> None:
    assert health_log(output, code) == log


def test_the_end_of_a_long_output_is_kept_in_whole_lines() -> None:
    log = health_log("\n".join(f"trying port {number}" for number in range(1000)))
    assert log.startswith("health check exit code 1: … trying port 98")
    assert log.endswith("trying port 999")
    assert len(log) < HEALTH_LOG_LENGTH + 30
