"""Git's own HTTP server, on this machine, that wants a token."""

import os
import subprocess
from base64 import b64encode
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread

TOKEN = "ghs_aVerySecretToken0123456789"  # of nobody
CREDENTIAL = b64encode(f"x-access-token:{TOKEN}".encode()).decode()


@dataclass(kw_only=True)
class Server:
    """Git's HTTP server; `authorizations` are the headers it was sent."""

    url: str = ""
    status: int = 0  # answer everything with it instead
    authorizations: list[str | None] = field(default_factory=list)


@contextmanager
def serve(root: Path) -> Iterator[Server]:
    """Serve the repositories below `root` to who has TOKEN."""
    with _Listener(root) as listening:
        thread = Thread(target=listening.serve_forever, args=(0.01,))
        thread.start()
        try:
            yield listening.observed
        finally:
            listening.shutdown()
            thread.join()


class _Listener(ThreadingHTTPServer):
    """Knows what is served and how."""

    def __init__(self, root: Path) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.root = root
        self.observed = Server(url=f"http://127.0.0.1:{self.server_address[1]}")


class _Handler(BaseHTTPRequestHandler):
    """Hands a request to `git http-backend`, or refuses it."""

    server: _Listener

    def do_GET(self) -> None:
        observed, authorization = self.server.observed, self.headers.get("Authorization")
        observed.authorizations.append(authorization)
        if observed.status or authorization != f"basic {CREDENTIAL}":
            self._refuse(observed.status or 401, authorization)
        else:
            self._pass_on(self._backend())

    do_POST = do_GET  # noqa: N815  # their names in BaseHTTPRequestHandler

    def _refuse(self, status: int, authorization: str | None) -> None:
        text = f"you sent {authorization} for {TOKEN}".encode()  # which git repeats
        self.send_response(status)
        self.send_header("WWW-Authenticate", 'Basic realm="git"')
        self.send_header("Content-Type", "text/plain")
        self.send_header("Content-Length", str(len(text)))
        self.end_headers()
        self.wfile.write(text)

    def _backend(self) -> bytes:
        """What git answers: headers as of CGI, and the content."""
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        command, environment = ["git", "http-backend"], self._environment(len(body))
        done = subprocess.run(command, input=body, capture_output=True, env=environment, check=True)
        return done.stdout

    def _environment(self, body_bytes: int) -> dict[str, str]:
        path, _, query = self.path.partition("?")
        return {
            "PATH": os.environ["PATH"],
            "GIT_PROJECT_ROOT": str(self.server.root),
            "GIT_HTTP_EXPORT_ALL": "1",
            "REQUEST_METHOD": self.command,
            "PATH_INFO": path,
            "QUERY_STRING": query,
            "CONTENT_TYPE": self.headers.get("Content-Type", ""),
            "CONTENT_LENGTH": str(body_bytes),
            "HTTP_CONTENT_ENCODING": self.headers.get("Content-Encoding", ""),
            "HTTP_GIT_PROTOCOL": self.headers.get("Git-Protocol", ""),
            "REMOTE_USER": "somebody",
        }

    def _pass_on(self, answer: bytes) -> None:
        head, _, content = answer.partition(b"\r\n\r\n")
        headers = dict(line.split(": ", 1) for line in head.decode().split("\r\n"))
        self.send_response(int(headers.pop("Status", "200").split()[0]))
        for name, value in {**headers, "Content-Length": str(len(content))}.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, format: str, *values: object) -> None:  # noqa: A002  # its name there
        pass
