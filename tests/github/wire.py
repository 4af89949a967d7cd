"""HTTP on loopback: requests in, responses out, a thread for each connection."""

import json
import sys
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qsl, unquote, urlsplit

CHUNK_BYTES = 65_536


@dataclass(frozen=True, kw_only=True, slots=True)
class Request:
    """One request as it came in; names of headers are in small letters."""

    method: str
    path: str
    query: tuple[tuple[str, str], ...]
    headers: Mapping[str, str]
    body: bytes

    def json(self) -> Any:
        """The body as data."""
        return json.loads(self.body)

    def __str__(self) -> str:
        return f"{self.method} {self.path}"


@dataclass(frozen=True, kw_only=True, slots=True)
class Response:
    """What to send; only `cut` bytes of the body when that is not None."""

    status: int
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes = b""
    cut: int | None = None


Handle = Callable[[Request], Response | None]  # None: close the connection without a word


def serve(port: int, handle: Handle) -> ThreadingHTTPServer:
    """A running server; 0 is any free port."""

    class Handler(_Handler):
        answer = staticmethod(handle)

    server = _Server(("127.0.0.1", port), Handler)
    # Polls often, so that tests need not wait for its end.
    threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
    return server


class _Server(ThreadingHTTPServer):
    daemon_threads = True

    def handle_error(self, *_: object) -> None:
        """Whoever hangs up early may: everything else is an error of the stand-in."""
        if not isinstance(sys.exception(), ConnectionError):
            super().handle_error(*_)


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    wbufsize = CHUNK_BYTES  # headers and body in one packet: no waiting for acknowledgements
    answer: Handle

    def log_message(self, *_: object) -> None:
        """Requests are kept, not printed."""

    def do_GET(self) -> None:
        parts = urlsplit(self.path)
        request = Request(
            method=self.command,
            path=unquote(parts.path),
            query=tuple(parse_qsl(parts.query, keep_blank_values=True)),
            headers={name.lower(): value for name, value in self.headers.items()},
            body=self.rfile.read(int(self.headers.get("content-length") or 0)),
        )
        response = self.answer(request)
        if response is None:
            self.close_connection = True
            return
        self._send(response)

    do_POST = do_PATCH = do_PUT = do_DELETE = do_HEAD = do_GET  # noqa: N815 - http.server's names

    def _send(self, response: Response) -> None:
        self.send_response(response.status)
        if response.status not in (204, 304):
            self.send_header("Content-Length", str(len(response.body)))
        for name, value in response.headers.items():
            self.send_header(name, value)
        self.end_headers()
        if response.cut is not None:
            self.close_connection = True
        if self.command != "HEAD":
            self.wfile.write(response.body[: response.cut])
