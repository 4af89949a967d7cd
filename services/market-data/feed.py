"""A stand-in for the exchange: serves the replay over WebSocket, in the exchange's own format.

    python feed.py --rate 200 --seed 1 --symbols BTCUSDT,ETHUSDT --port 9400

Every connection gets the same events from the start, timed from when it connected.
"""

import argparse
import signal
import socket
import sys
import threading
import time
from collections.abc import Iterator, Sequence

from wsproto import ConnectionType, WSConnection
from wsproto.events import AcceptConnection, CloseConnection, Ping, Request, TextMessage
from wsproto.utilities import ProtocolError

from desk.log import info, warn
from exchange import format_event
from replay import replay

DEFAULT_SYMBOLS = "BTCUSDT,ETHUSDT,SOLUSDT,BNBUSDT,XRPUSDT"
BATCH_SECONDS = 0.02
MOST_CLIENTS = 16
SEND_SECONDS = 10.0


def main(arguments: Sequence[str]) -> int:
    """Serve until told to stop; return the exit code."""
    options = _parser().parse_args(arguments)
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    signal.signal(signal.SIGINT, lambda *_: sys.exit(0))
    symbols = tuple(part.strip().upper() for part in options.symbols.split(",") if part.strip())
    with socket.create_server((options.host, options.port), backlog=MOST_CLIENTS) as server:
        address = "{}:{}".format(*server.getsockname()[:2])
        info(f"feed serves {options.rate:g} messages/s of {len(symbols)} symbols on {address}")
        slots = threading.BoundedSemaphore(MOST_CLIENTS)
        while True:
            client, peer = server.accept()
            if not slots.acquire(blocking=False):
                warn(f"{peer[0]} refused: {MOST_CLIENTS} clients are connected")
                client.close()
                continue
            task = Client(client, options.rate, options.seed, symbols, slots)
            threading.Thread(target=task.serve, args=(peer[0],), daemon=True).start()


class Client:
    """One connection and its own run of the replay."""

    def __init__(
        self,
        connection: socket.socket,
        rate: float,
        seed: int,
        symbols: Sequence[str],
        slots: threading.Semaphore,
    ) -> None:
        self._socket = connection
        self._rate = rate
        self._seed = seed
        self._symbols = symbols
        self._slots = slots
        self._protocol = WSConnection(ConnectionType.SERVER)

    def serve(self, name: str) -> None:
        """Shake hands and send events at their time until the client goes."""
        info(f"{name} connected")
        try:
            self._socket.settimeout(SEND_SECONDS)
            while not self._answer():
                pass
            self._stream()
        except (OSError, ProtocolError) as error:
            info(f"{name} left: {error}")
        finally:
            self._socket.close()
            self._slots.release()

    def _stream(self) -> None:
        texts = self._texts()
        due = time.monotonic()
        while True:
            self._pause()
            frames = []
            while due <= time.monotonic():
                frames.append(self._protocol.send(TextMessage(data=next(texts))))
                due += 1.0 / self._rate
            self._socket.settimeout(SEND_SECONDS)
            self._socket.sendall(b"".join(frames))

    def _texts(self) -> Iterator[str]:
        start_ms = int(time.time() * 1000)
        for event in replay(self._seed, self._symbols, self._rate, start_ms):
            yield format_event(event)

    def _pause(self) -> None:
        """Wait for the next batch, answering what the client says meanwhile."""
        self._socket.settimeout(BATCH_SECONDS)
        try:
            self._answer()
        except TimeoutError:
            return
        time.sleep(BATCH_SECONDS)

    def _answer(self) -> bool:
        """Read once; return whether that was the client's handshake."""
        data = self._socket.recv(4096)
        if not data:
            raise ConnectionResetError("closed")
        self._protocol.receive_data(data)
        is_handshake = False
        for event in self._protocol.events():
            if isinstance(event, Request):
                self._socket.sendall(self._protocol.send(AcceptConnection()))
                is_handshake = True
            elif isinstance(event, Ping):
                self._socket.sendall(self._protocol.send(event.response()))
            elif isinstance(event, CloseConnection):
                self._socket.sendall(self._protocol.send(event.response()))
                raise ConnectionResetError("closed")
        return is_handshake


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--rate", type=_positive, default=50.0, help="messages per second")
    parser.add_argument("--seed", type=int, default=1, help="which market to replay")
    parser.add_argument("--symbols", default=DEFAULT_SYMBOLS, help="comma separated")
    parser.add_argument("--host", default="", help="address to listen on, default all")
    parser.add_argument("--port", type=int, default=9400)
    return parser


def _positive(text: str) -> float:
    value = float(text)
    if not 0.0 < value <= 100_000.0:
        raise argparse.ArgumentTypeError(f"{text} is not a rate from above 0 to 100000")
    return value


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
