"""Compose gives up every start when one service fails: only that one was refused."""

import pytest

from onegig.machine.machine import parse_container
from onegig.model.service import ServiceState


@pytest.mark.parametrize(
    ("error", "state"),
    [
        ('exec: "/no/such/binary": stat /no/such/binary: no such file', ServiceState.REFUSED),
        ("Canceled: context canceled", ServiceState.WAITING),
        ("failed to create task for container: context canceled", ServiceState.WAITING),
        ("", ServiceState.WAITING),
    ],
)
def test_a_cancelled_start_is_no_refusal(error: str, state: ServiceState) -> None:
    inspected = {
        "Id": "id-app",
        "Config": {"Labels": {"com.docker.compose.service": "app"}},
        "RestartCount": 0,
        "State": {"Status": "created", "ExitCode": 128 if error else 0, "Error": error},
    }
    assert parse_container(inspected).state is state
