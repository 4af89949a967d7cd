"""A cluster of two primaries: both are audited, whichever is asked."""

import shutil
import socket
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from time import monotonic, sleep

import pytest
from redis.exceptions import MovedError

from onegig.redis.audit import AuditOptions, audit
from onegig.redis.connect import Address
from redis import Redis
from servers import PROGRAMS, start

SLOTS = 16_384
PATIENCE_SECONDS = 20.0


def free_port() -> int:
    """A port whose bus (10,000 above) is a valid port, too."""
    while True:
        with socket.create_server(("127.0.0.1", 0)) as listener:
            port: int = listener.getsockname()[1]
        if port < 55_000:
            return port


def eventually(holds: Callable[[], bool]) -> None:
    """Wait until it is true; fail when it never is."""
    deadline = monotonic() + PATIENCE_SECONDS
    while not holds():
        assert monotonic() < deadline
        sleep(0.02)


@pytest.fixture
def cluster(tmp_path: Path) -> Iterator[list[Redis]]:
    program = next((path for name in PROGRAMS if (path := shutil.which(name))), None)
    if program is None:
        pytest.skip("needs valkey-server or redis-server")
    nodes, processes = [], []
    for number, slots in enumerate(((0, SLOTS // 2 - 1), (SLOTS // 2, SLOTS - 1))):
        folder = tmp_path / str(number)
        folder.mkdir()
        port = free_port()
        options = ("--cluster-enabled", "yes", "--port", str(port), "--bind", "127.0.0.1")
        process, server = start(program, folder, *options)
        server.client.execute_command("CLUSTER", "ADDSLOTSRANGE", *slots)
        processes.append(process)
        nodes.append(Redis(host="127.0.0.1", port=port))
        server.client.close()
    nodes[0].execute_command("CLUSTER", "MEET", "127.0.0.1", port)
    for node in nodes:
        eventually(lambda node=node: b"cluster_state:ok" in node.execute_command("CLUSTER", "INFO"))
        eventually(lambda node=node: len(node.execute_command("CLUSTER", "SLOTS")) > 1)
    yield nodes
    for node, process in zip(nodes, processes, strict=True):
        node.close()
        process.kill()
        process.wait()


def test_every_primary_is_audited_and_added_up(cluster: list[Redis]) -> None:
    written = 0
    for number in range(3000):
        for node in cluster:
            with suppress(MovedError):
                node.set(f"key:{number}", "x" * 100)
                written += 1
    assert written == 3000
    port = cluster[0].connection_pool.connection_kwargs["port"]
    address = Address(url=f"redis://127.0.0.1:{port}")
    whole = audit(address)
    assert len(whole.servers) == 2
    assert [(p.name, p.keys.value) for p in whole.patterns] == [("key:{n}", 3000)]
    explained = whole.key_bytes + whole.overhead_bytes
    assert abs(whole.used_bytes - explained) < 0.05 * whole.used_bytes
    sampled = audit(address, options=AuditOptions(sample=500, seed=1)).patterns[0]
    assert sampled.bytes.low <= whole.patterns[0].bytes.value <= sampled.bytes.high
