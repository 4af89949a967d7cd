"""A Redis client of the size the desk needs: hiredis over one blocking socket.

`import redis` costs 19 MiB per process; hiredis, which does the protocol, costs 0.1. What is left
is written here: connecting, time limits, pipelines, transactions and errors. A connection that
failed in any way, or whose reply was not read to its end, is closed; the next call opens a new one.
"""

import _socket  # `socket` would cost each service another half MiB, for enumerations and selectors
import time
from collections.abc import Iterable, Sequence
from typing import Any, TypeAlias

import hiredis

Argument: TypeAlias = str | bytes | int | float
Command: TypeAlias = tuple[Argument, ...]
Reply: TypeAlias = Any  # bytes, int, None, CommandError or a list of these

DEFAULT_PORT = 6379
CONNECT_SECONDS = 1.0
REPLY_SECONDS = 1.5
CHUNK_BYTES = 16 * 1024


class RedisError(Exception):
    """Redis could not be used; the text says how."""


class ConnectionLost(RedisError):  # noqa: N818 - names the event
    """There is no connection, or it broke; the commands may or may not have run."""


class CommandError(RedisError):
    """Redis refused a command; `code` is the first word of its answer."""

    @property
    def code(self) -> str:
        """Return the kind of error, such as NOGROUP, OOM or LOADING."""
        return str(self).partition(" ")[0]


class Redis:
    """One connection, opened when first needed and again after it was lost."""

    __slots__ = ("_address", "_buffer", "_name", "_reader", "_socket", "connections")

    def __init__(self, address: tuple[str, int], name: str) -> None:
        self._address = address
        self._name = name
        self._socket: _socket.socket | None = None
        self._buffer = bytearray(CHUNK_BYTES)
        self._reader = hiredis.Reader(replyError=CommandError)
        self.connections = 0

    @property
    def is_connected(self) -> bool:
        """True while the last exchange left a usable connection."""
        return self._socket is not None

    def connect(self) -> None:
        """Open the connection if there is none; raises RedisError."""
        if self._socket is not None:
            return
        host, port = self._address
        try:
            connection = _connect(host, port)
        except OSError as error:
            raise ConnectionLost(f"cannot connect to {host}:{port}: {error}") from error
        connection.setsockopt(_socket.IPPROTO_TCP, _socket.TCP_NODELAY, 1)
        connection.setsockopt(_socket.SOL_SOCKET, _socket.SO_KEEPALIVE, 1)
        self._reader = hiredis.Reader(replyError=CommandError)
        self._socket = connection
        self.call("CLIENT", "SETNAME", self._name)
        self.connections += 1

    def close(self) -> None:
        """Close the connection; replies not yet read are lost."""
        if self._socket is not None:
            self._socket.close()
            self._socket = None

    def call(self, *command: Argument, wait_seconds: float = 0.0) -> Reply:
        """Run one command; raises CommandError when Redis refuses it.

        wait_seconds is how long the command itself may block.
        """
        (reply,) = self.pipeline((command,), wait_seconds=wait_seconds)
        if isinstance(reply, CommandError):
            raise reply
        return reply

    def pipeline(self, commands: Iterable[Command], wait_seconds: float = 0.0) -> list[Reply]:
        """Run commands in one exchange; refusals stay among the replies as CommandError."""
        packed = [_pack(command) for command in commands]
        if not packed:
            return []
        self.connect()
        try:
            self._send(b"".join(packed))
            deadline = time.monotonic() + REPLY_SECONDS + wait_seconds
            return [self._receive(deadline) for _ in packed]
        except OSError as error:
            self.close()
            raise ConnectionLost(f"the connection broke: {error}") from error
        except hiredis.ProtocolError as error:
            self.close()
            raise ConnectionLost(f"the answer is not valid: {error}") from error
        except BaseException:
            self.close()
            raise

    def transaction(self, commands: Sequence[Command]) -> list[Reply]:
        """Run all commands or none; raises CommandError if any was refused."""
        if not commands:
            return []
        replies = self.pipeline((("MULTI",), *commands, ("EXEC",)))
        for reply in replies[:-1]:
            if isinstance(reply, CommandError):
                raise reply
        results: list[Reply] | CommandError = replies[-1]
        if isinstance(results, CommandError):
            raise results
        for result in results:
            if isinstance(result, CommandError):
                raise result
        return results

    def _send(self, data: bytes) -> None:
        connection = self._open()
        connection.settimeout(REPLY_SECONDS)
        connection.sendall(data)

    def _receive(self, deadline: float) -> Reply:
        reply = self._reader.gets()
        while reply is False:
            connection = self._open()
            connection.settimeout(max(0.001, deadline - time.monotonic()))
            count = connection.recv_into(self._buffer)
            if not count:
                raise ConnectionResetError("closed by Redis")
            self._reader.feed(self._buffer, 0, count)  # type: ignore[arg-type]  # any buffer
            reply = self._reader.gets()
        return reply

    def _open(self) -> _socket.socket:
        if self._socket is None:
            raise ConnectionResetError("closed")
        return self._socket


def _connect(host: str, port: int) -> _socket.socket:
    """Return a connection to the first of the host's addresses that answers; raises OSError."""
    failure = OSError("the name has no address")
    name = host.encode()  # of text, Python would load the encoding of international names
    for family, kind, number, _, address in _socket.getaddrinfo(name, port, 0, _socket.SOCK_STREAM):
        connection = _socket.socket(family, kind, number)
        try:
            connection.settimeout(CONNECT_SECONDS)
            connection.connect(address)
        except OSError as error:
            connection.close()
            failure = error
        else:
            return connection
    raise failure


def _pack(command: Command) -> bytes:
    packed: bytes = hiredis.pack_command(command)  # type: ignore[arg-type]  # stub: 1-tuples only
    return packed


def parse_address(text: str) -> tuple[str, int]:
    """Read `host` or `host:port`; raises ValueError."""
    host, _, port_text = text.partition(":")
    port = int(port_text) if port_text.isdecimal() else 0 if port_text else DEFAULT_PORT
    if not host or not 0 < port < 65_536:
        raise ValueError(f"REDIS_ADDRESS={text!r} is not valid (write redis-coordinator:6379)")
    return host, port
