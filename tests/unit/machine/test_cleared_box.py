"""A box that is cleared after a start that filled its memory."""

from pathlib import Path
from unittest.mock import Mock

import pytest
import requests

from onegig.engine import engine as module
from onegig.engine.engine import CALL_SECONDS, Engine
from onegig.errors import BootError, EngineError
from onegig.machine.box import NestedEngine

CAP = 700 * 1024**2
BUSY = EngineError("memory.limit_in_bytes: device or resource busy")


def clear(*limits: EngineError | None) -> list[int]:
    """Return the caps that a box was given; each succeeds or fails as told."""
    outer = Mock()
    outer.limit.side_effect = limits
    NestedEngine(
        engine=Mock(), outer=outer, container="box", pid=1, mode="", log=Path(), cap_bytes=CAP
    ).clear()
    return [call.args[1] for call in outer.limit.call_args_list]


@pytest.mark.parametrize("lifted", [None, BUSY], ids=["with room", "without room"])
def test_a_box_is_capped_again(lifted: EngineError | None) -> None:
    assert clear(lifted, None)[-1] == CAP


def test_a_box_that_can_not_be_capped_again_is_not_measured() -> None:
    with pytest.raises(BootError) as caught:
        clear(None, BUSY)
    assert caught.value.detail == BUSY.message


def test_a_stuck_engine_is_asked_until_the_time_is_over(monkeypatch: pytest.MonkeyPatch) -> None:
    now = 0.0

    def time_out(*_: object, **__: object) -> None:
        nonlocal now
        now += CALL_SECONDS
        raise requests.ReadTimeout

    client = Mock()
    client.api.containers.return_value = [{"Id": str(number)} for number in range(50)]
    client.api.remove_container.side_effect = time_out
    monkeypatch.setattr(module, "time", Mock(monotonic=lambda: now))
    Engine(client).remove_all(CALL_SECONDS * 1.5)
    assert client.api.remove_container.call_count == 2
