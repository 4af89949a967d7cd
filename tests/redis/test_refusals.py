"""Every way in which a server can fail an audit: what happened, what to do, and no password."""

import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from click.testing import CliRunner, Result

from onegig.cli import main
from onegig.model.codec import from_json
from onegig.model.redis import RedisAudit
from onegig.redis.audit import audit
from onegig.redis.connect import Address, RedisError
from servers import Server

SECRET = "correct-horse"
PATIENCE_SECONDS = 10.0


def run(target: str, *options: str, password: str = "") -> Result:
    environment = {"ONEGIG_REDIS_PASSWORD": password}
    result = CliRunner().invoke(main, ["redis", "audit", target, *options], env=environment)
    assert SECRET not in result.output
    return result


def url(server: Server) -> str:
    return f"unix://{server.socket}"


@contextmanager
def impostor(*answers: bytes) -> Iterator[str]:
    """Something that is not Redis: it answers so, then closes the connection."""

    def serve() -> None:
        connection, _ = listener.accept()
        connection.settimeout(PATIENCE_SECONDS)
        with connection:
            for answer in answers:
                connection.recv(4096)
                connection.sendall(answer)

    with socket.create_server(("127.0.0.1", 0)) as listener:
        listener.settimeout(PATIENCE_SECONDS)
        thread = threading.Thread(target=serve)
        thread.start()
        yield f"redis://user:{SECRET}@127.0.0.1:{listener.getsockname()[1]}"
        thread.join()


@pytest.fixture
def reader(server: Server) -> Iterator[Server]:
    """A server whose users need passwords; `reader` may only read."""
    client = server.client
    client.execute_command("ACL", "SETUSER", "reader", "on", f">{SECRET}", "+@read", "~*")
    client.execute_command("ACL", "SETUSER", "narrow", "on", f">{SECRET}", "+@read", "~mine:*")
    yield server
    client.execute_command("ACL", "DELUSER", "reader", "narrow")


def test_a_user_who_may_only_read_is_enough(reader: Server) -> None:
    for number in range(100):
        reader.client.set(f"key:{number}", "x" * 100)
    result = run(url(reader), "--json", "--quiet", "--user", "reader", password=SECRET)
    assert result.exit_code == 0
    document = from_json(RedisAudit, result.stdout, "stdout")
    assert [(p.name, p.keys.value) for p in document.patterns] == [("key:{n}", 100)]
    assert document.patterns[0].bytes.value > 10_000
    assert any(gap.startswith("INFO is denied") for gap in document.coverage.gaps)
    assert document.servers == ()
    assert not any("contents" in gap for gap in document.coverage.gaps)
    assert document.values
    limited = run(url(reader), "--fail-over", "1GB", "--user", "reader", password=SECRET)
    assert limited.exit_code == 4
    assert "+info" in limited.output


def test_keys_that_a_user_may_not_read_are_a_gap(reader: Server) -> None:
    reader.client.mset({"mine:1": "x", "mine:2": "x", "theirs:1": "x"})
    address = Address(url=url(reader), username="narrow", password=SECRET)
    document = audit(address)
    assert [p.name for p in document.patterns] == ["mine:{n}"]
    assert "1 keys may not be read by this user" in document.coverage.gaps


def test_a_wrong_password_is_refused_without_being_shown(reader: Server) -> None:
    result = run(url(reader), "--user", "reader", password=f"{SECRET}-er")
    assert result.exit_code == 2
    assert "refuses the user or the password" in result.output
    address = Address(url=f"redis://u:{SECRET}@h/?password={SECRET}", password=SECRET)
    assert SECRET not in f"{address} {address!r}"


def test_a_missing_password_is_asked_for(server: Server) -> None:
    server.client.config_set("requirepass", SECRET)
    try:
        result = run(url(server))
    finally:
        server.client.config_set("requirepass", "")
    assert result.exit_code == 2
    assert "asks for a password" in result.output
    assert "ONEGIG_REDIS_PASSWORD" in result.output


@pytest.mark.parametrize(
    ("answers", "code", "message"),
    [
        ((b"HTTP/1.1 400 Bad Request\r\n\r\n",), 2, "does not speak Redis's protocol"),
        ((b"-LOADING Redis is loading the dataset in memory\r\n",), 4, "still loading its data"),
        ((b"-ERR max number of clients reached\r\n",), 4, "has no connection left"),
        ((b"",), 4, "closed the connection"),
        ((b"-DENIED Redis is running in protected mode\r\n",), 2, "is in protected mode"),
        ((b"+OK\r\n", b"-OOM command not allowed\r\n" * 9), 4, ""),
    ],
    ids=["HTTP", "loading", "too many clients", "nothing", "protected mode", "out of memory"],
)
def test_what_answers_something_else_is_explained(
    answers: tuple[bytes, ...], code: int, message: str
) -> None:
    with impostor(*answers) as target:
        result = run(target)
    assert result.exit_code == code, result.output
    assert message in result.output


@pytest.mark.parametrize(
    ("target", "code", "message"),
    [
        (f"redis://:{SECRET}@127.0.0.1:1", 4, "connection refused"),
        (f"redis://:{SECRET}@no-such-host.invalid", 4, "its name is not known"),
        (f"http://:{SECRET}@127.0.0.1:6379", 2, "can't begin with http"),
        (f"redis://:{SECRET}@127.0.0.1:port", 2, "URL is not valid"),
        ("unix:///no/such/socket", 4, "no such file or directory"),
    ],
)
def test_addresses_that_lead_nowhere(target: str, code: int, message: str) -> None:
    result = run(target)
    assert result.exit_code == code, result.output
    assert message in result.output


def test_a_server_that_speaks_no_tls_is_named() -> None:
    with impostor(b"-ERR Protocol error\r\n") as target:
        result = run(target.replace("redis://", "rediss://"))
    assert result.exit_code == 4
    assert "TLS" in result.output


def test_used_memory_over_the_limit_is_a_no_go(server: Server) -> None:
    server.client.set("large", "x" * 4_000_000)
    assert run(url(server), "--fail-over", "1MB", "--quiet").exit_code == 1
    assert run(url(server), "--fail-over", "1GB", "--quiet").exit_code == 0


def test_odd_keys_are_read_and_their_names_are_harmless(server: Server) -> None:
    client = server.client
    client.set(b"\xff\xfe\x00:1", "x")
    client.set("\x1b[31mred", "x")
    client.set("", "empty name")
    client.set("huge", b"x" * 30_000_000)
    client.set("soon", "x", px=1)
    result = run(url(server), "--json", "--quiet")
    assert result.exit_code == 0
    assert "\x1b" not in result.stdout
    document = from_json(RedisAudit, result.stdout, "stdout")
    assert document.patterns[0].name == "huge"
    assert sum(pattern.keys.value for pattern in document.patterns) == 4


def test_a_server_that_dies_meanwhile_is_reported(server: Server) -> None:
    """The connection is cut after the first batches, as by a server that is killed."""
    cut = threading.Event()
    with socket.socket(socket.AF_UNIX) as listener:
        path = server.socket.with_name("cut")
        listener.bind(str(path))
        listener.listen()
        listener.settimeout(PATIENCE_SECONDS)

        def relay() -> None:
            connection, _ = listener.accept()
            with connection, socket.socket(socket.AF_UNIX) as upstream:
                upstream.connect(str(server.socket))
                for _ in range(8):
                    upstream.sendall(connection.recv(65_536))
                    connection.sendall(upstream.recv(65_536))
            cut.set()

        thread = threading.Thread(target=relay)
        thread.start()
        server.client.mset({f"key:{n}": "x" for n in range(5000)})
        with pytest.raises(RedisError, match="closed the connection"):
            audit(Address(url=f"unix://{path}"))
        thread.join()
    path.unlink()
    assert cut.is_set()
