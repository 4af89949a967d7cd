"""Commands to the twin's guest and their answers, over the socket that QEMU would listen on."""

import json
import socket
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from threading import Event, Thread
from types import SimpleNamespace
from typing import Any, cast

import pytest

from onegig.errors import MeasureError
from onegig.machine.twin.machine import Twin
from onegig.machine.twin.passes import Answer
from onegig.machine.twin.virtual import Port

SECONDS = 20.0  # for what is sure to come
PASS = (Path(__file__).parents[2] / "golden/twin/agent.jsonl").read_bytes().splitlines(True)[0]


@pytest.fixture
def connected() -> Iterator[tuple[Port, socket.socket]]:
    """A port, and the agent's end of it."""
    with (
        tempfile.TemporaryDirectory(prefix="onegig-test-") as folder,
        socket.socket(socket.AF_UNIX) as server,
    ):
        path = Path(folder) / "agent.sock"
        server.bind(str(path))
        server.listen()
        server.settimeout(SECONDS)
        listens = Event()
        port = Port(path=path, receive=lambda _: listens.set())
        thread = Thread(target=port.listen)
        thread.start()
        agent, _ = server.accept()
        agent.settimeout(SECONDS)
        agent.sendall(PASS)
        assert listens.wait(SECONDS)
        yield port, agent
        port.close()
        agent.close()
        thread.join()


def test_an_answer_that_comes_too_late_is_not_the_next_commands(
    connected: tuple[Port, socket.socket],
) -> None:
    port, agent = connected
    with agent.makefile("rw") as stream:
        with pytest.raises(MeasureError, match="did not answer"):
            port.run("reboot", 0.0)
        late = json.loads(stream.readline())
        answers: list[Answer] = []
        caller = Thread(target=lambda: answers.append(port.run("cat boot_id", SECONDS)))
        caller.start()
        now = json.loads(stream.readline())
        for command in (late, now):
            answer = {"number": command["number"], "ran": 0, "output": command["run"]}
            stream.write(json.dumps(answer) + "\n")
        stream.flush()
        caller.join()
    assert [answer.output for answer in answers] == ["cat boot_id"]


@pytest.mark.parametrize(("code", "output"), [(0, ""), (127, "sh: not found")])
def test_without_a_boot_id_no_reboot_is_reported(
    code: int, output: str, make_twin: Callable[[Callable[..., Answer]], Twin]
) -> None:
    twin = make_twin(lambda *_: Answer(number=1, ran=code, output=output))
    with pytest.raises(MeasureError, match="boot id"):
        twin.reboot()


@pytest.fixture
def make_twin() -> Callable[[Callable[..., Answer]], Twin]:
    """A twin whose guest answers so."""

    def make(run: Callable[..., Answer]) -> Twin:
        before = SimpleNamespace(machine=SimpleNamespace(total=1))
        parts: dict[str, Any] = dict.fromkeys(("plan", "project", "engine", "settings", "remarks"))
        return Twin(
            **parts,
            virtual=cast(Any, SimpleNamespace(port=SimpleNamespace(run=run))),
            running_load=cast(Any, SimpleNamespace(description="")),
            twin=cast(Any, SimpleNamespace(before=before)),
        )

    return make
