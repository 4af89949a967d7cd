"""A WebSocket connection that is read in turns, with wsproto for the protocol.

An asynchronous client would cost 10 MiB more for one socket that is only ever read.
"""

import socket
import time
from typing import NamedTuple

from wsproto import ConnectionType, WSConnection
from wsproto.events import (
    AcceptConnection,
    CloseConnection,
    Ping,
    RejectConnection,
    Request,
    TextMessage,
)
from wsproto.utilities import ProtocolError

CONNECT_SECONDS = 5.0
CHUNK_BYTES = 64 * 1024
LARGEST_MESSAGE = 1 << 20
PORTS = {"ws": 80, "wss": 443}


class Address(NamedTuple):
    """A WebSocket URL taken apart."""

    scheme: str
    host: str
    port: int
    target: str


def parse_url(url: str) -> Address:
    """Read `ws://host[:port]/path?query` or wss; raises ValueError."""
    scheme, _, rest = url.partition("://")
    netloc, slash, path = rest.partition("/")
    host, _, port_text = netloc.partition(":")
    port = int(port_text) if port_text.isdecimal() else PORTS.get(scheme, 0)
    if scheme not in PORTS or not host or not 0 < port < 65_536:
        raise ValueError(f"MARKET_URL={url!r} is not a WebSocket URL (write wss://host/stream)")
    return Address(scheme=scheme, host=host, port=port, target=f"{slash or '/'}{path}")


class WebSocket:
    """One client connection; raises OSError when it can't be opened or breaks."""

    def __init__(self, address: Address) -> None:
        self._protocol = WSConnection(ConnectionType.CLIENT)
        self._parts: list[str] = []
        self._messages: list[str] = []
        self._is_accepted = False
        self._socket = _open(address)
        try:
            self._shake_hands(address)
        except BaseException:
            self._socket.close()
            raise

    def close(self) -> None:
        """Close the connection without waiting for the other side."""
        self._socket.close()

    def receive(self, timeout_seconds: float) -> tuple[list[str], bool]:
        """Return the messages that are there, and whether there may be more at once.

        Waits for the first; pings are answered on the way.
        """
        messages = self._take()
        if messages:
            return messages, True
        count = self._read(timeout_seconds)
        return self._take(), count >= CHUNK_BYTES // 4  # a full TLS record

    def _shake_hands(self, address: Address) -> None:
        deadline = time.monotonic() + CONNECT_SECONDS
        request = Request(host=f"{address.host}:{address.port}", target=address.target)
        self._socket.sendall(self._protocol.send(request))
        while not self._is_accepted:
            if not self._read(max(0.01, deadline - time.monotonic())):
                raise TimeoutError("no answer to the handshake")

    def _read(self, timeout_seconds: float) -> int:
        """Read once and handle what came; return how many bytes, 0 if nothing came in time."""
        self._socket.settimeout(timeout_seconds)
        try:
            data = self._socket.recv(CHUNK_BYTES)
        except TimeoutError:
            return 0
        if not data:
            raise ConnectionResetError("closed by the exchange")
        try:
            self._protocol.receive_data(data)
            self._handle_events()
        except ProtocolError as error:
            raise ConnectionAbortedError(f"not a WebSocket: {error}") from error
        return len(data)

    def _handle_events(self) -> None:
        """React to what came; binary messages are ignored."""
        for event in self._protocol.events():
            if isinstance(event, TextMessage):
                self._collect(event)
            elif isinstance(event, Ping):
                self._send(self._protocol.send(event.response()))
            elif isinstance(event, AcceptConnection):
                self._is_accepted = True
            elif isinstance(event, RejectConnection):
                raise ConnectionRefusedError(f"refused with status {event.status_code}")
            elif isinstance(event, CloseConnection):
                raise ConnectionResetError(f"closed by the exchange: {event.code} {event.reason}")

    def _collect(self, event: TextMessage) -> None:
        self._parts.append(event.data)
        if sum(map(len, self._parts)) > LARGEST_MESSAGE:
            raise ConnectionAbortedError("a message of more than 1 MiB")
        if event.message_finished:
            self._messages.append("".join(self._parts))
            self._parts.clear()

    def _take(self) -> list[str]:
        messages, self._messages = self._messages, []
        return messages

    def _send(self, data: bytes) -> None:
        self._socket.settimeout(CONNECT_SECONDS)
        self._socket.sendall(data)


def _open(address: Address) -> socket.socket:
    connection = socket.create_connection((address.host, address.port), timeout=CONNECT_SECONDS)
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    if address.scheme == "ws":
        return connection
    import ssl  # 5 MiB that only encrypted connections need

    try:
        context = ssl.create_default_context()
        return context.wrap_socket(connection, server_hostname=address.host)
    except BaseException:
        connection.close()
        raise
