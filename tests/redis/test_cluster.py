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
def nodes(tmp_path: Path) -> Iterator[list[Redis]]:
    """Two servers of a cluster that have met, without any slots."""
    program = next((path for name in PROGRAMS if (path := shutil.which(name))), None)
    if program is None:
        pytest.skip("needs valkey-server or redis-server")
    nodes, processes = [], []
    for number in range(2):
        folder = tmp_path / str(number)
        folder.mkdir()
        port = free_port()
        options = ("--cluster-enabled", "yes", "--port", str(port), "--bind", "127.0.0.1")
        process, server = start(program, folder, *options, "--repl-diskless-sync-delay", "0")
        processes.append(process)
        nodes.append(Redis(host="127.0.0.1", port=port))
        server.client.close()
    nodes[0].execute_command("CLUSTER", "MEET", "127.0.0.1", port)
    yield nodes
    for node, process in zip(nodes, processes, strict=True):
        node.close()
        process.kill()
        process.wait()


@pytest.fixture
def cluster(nodes: list[Redis]) -> list[Redis]:
    """Two primaries, each with half of the slots."""
    for node, slots in zip(nodes, ((0, SLOTS // 2 - 1), (SLOTS // 2, SLOTS - 1)), strict=True):
        node.execute_command("CLUSTER", "ADDSLOTSRANGE", *slots)
    for node in nodes:
        eventually(lambda node=node: is_whole(node))
        eventually(lambda node=node: len(node.execute_command("CLUSTER", "SLOTS")) > 1)
    return nodes


def is_whole(node: Redis) -> bool:
    return b"cluster_state:ok" in node.execute_command("CLUSTER", "INFO")


def address_of(node: Redis) -> Address:
    return Address(url=f"redis://127.0.0.1:{node.connection_pool.connection_kwargs['port']}")


def test_every_primary_is_audited_and_added_up(cluster: list[Redis]) -> None:
    written = 0
    for number in range(3000):
        for node in cluster:
            with suppress(MovedError):
                node.set(f"key:{number}", "x" * 100)
                written += 1
    assert written == 3000
    address = address_of(cluster[0])
    whole = audit(address)
    assert len(whole.servers) == 2
    assert [(p.name, p.keys.value) for p in whole.patterns] == [("key:{n}", 3000)]
    explained = whole.key_bytes + whole.overhead_bytes
    assert abs(whole.used_bytes - explained) < 0.05 * whole.used_bytes
    sampled = audit(address, options=AuditOptions(sample=500, seed=1)).patterns[0]
    assert sampled.bytes.low <= whole.patterns[0].bytes.value <= sampled.bytes.high
    most = audit(address, options=AuditOptions(sample=1490, seed=1)).patterns[0]
    assert most.keys.value == 3000


def test_a_replica_reads_its_own_copy_of_the_keys(nodes: list[Redis]) -> None:
    primary, replica = nodes
    primary.execute_command("CLUSTER", "ADDSLOTSRANGE", 0, SLOTS - 1)
    eventually(lambda: is_whole(primary) and is_whole(replica))
    replica.execute_command("CLUSTER", "REPLICATE", primary.execute_command("CLUSTER", "MYID"))
    primary.mset({f"{{key}}:{number}": "x" * 100 for number in range(100)})
    eventually(lambda: replica.dbsize() == 100)
    document = audit(address_of(replica))
    assert document.coverage.gaps == ()
    assert [pattern.keys.value for pattern in document.patterns] == [100]
