"""A container registry in memory (OCI distribution-spec), for one engine on this machine.

An engine pushes to and pulls from 127.0.0.1 without TLS.
"""

import hashlib
import json
import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from secrets import token_hex
from threading import Thread
from typing import Any
from urllib.parse import parse_qs, urlsplit

_PATH = re.compile(r"/v2/(?P<name>.+)/(?P<kind>blobs|manifests)/(?P<key>.+)")


@dataclass
class Registry:
    """What was pushed: blobs by digest, (media type, document) of manifests by "shop/web:1"."""

    address: str
    blobs: dict[str, bytes] = field(default_factory=dict)
    manifests: dict[str, tuple[str, bytes]] = field(default_factory=dict)
    uploads: dict[str, bytes] = field(default_factory=dict)

    def manifest(self, name: str) -> dict[str, Any]:
        """What was pushed as "shop/web:1"; of an index, its first image."""
        document: dict[str, Any] = json.loads(self.manifests[name][1])
        if images := document.get("manifests"):
            return self.manifest(f"{name.partition(':')[0]}:{images[0]['digest']}")
        return document


@contextmanager
def registry() -> Iterator[Registry]:
    """A registry at `address`, "127.0.0.1:41234"."""
    server = _Server(("127.0.0.1", 0), _Handler)
    server.registry = Registry(address=f"127.0.0.1:{server.server_address[1]}")
    thread = Thread(target=server.serve_forever, args=(0.01,), daemon=True)
    thread.start()
    try:
        yield server.registry
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


class _Server(ThreadingHTTPServer):
    registry: Registry


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    default_request_version = "HTTP/1.0"  # so that who greets in TLS is answered in plain HTTP
    server: _Server

    def do_GET(self) -> None:  # their names in BaseHTTPRequestHandler
        if self.path == "/v2/":
            return self._answer(200)
        result = self._found(*self._asked())
        if result is None:
            return self._answer(404)
        media_type, content = result
        digest = f"sha256:{hashlib.sha256(content).hexdigest()}"
        return self._answer(200, content, Content_Type=media_type, Docker_Content_Digest=digest)

    do_HEAD = do_GET  # noqa: N815

    def do_POST(self) -> None:
        name = token_hex(8)
        self.server.registry.uploads[name] = self._body()
        self._answer(202, Location=f"/v2/up/blobs/{name}", Docker_Upload_UUID=name)

    def do_PATCH(self) -> None:
        _, _, name = self._asked()
        self.server.registry.uploads[name] += self._body()
        last = len(self.server.registry.uploads[name]) - 1
        self._answer(
            202, Location=f"/v2/up/blobs/{name}", Docker_Upload_UUID=name, Range=f"0-{last}"
        )

    def do_PUT(self) -> None:
        repository, kind, key = self._asked()
        body = self._body()
        if kind == "blobs":
            digest = parse_qs(urlsplit(self.path).query)["digest"][0]
            self.server.registry.blobs[digest] = self.server.registry.uploads.pop(key) + body
        else:
            digest = f"sha256:{hashlib.sha256(body).hexdigest()}"
            for name in (key, digest):
                self.server.registry.manifests[f"{repository}:{name}"] = (
                    self.headers["Content-Type"],
                    body,
                )
        self._answer(201, Docker_Content_Digest=digest)

    def _asked(self) -> tuple[str, str, str]:
        match = _PATH.fullmatch(urlsplit(self.path).path)
        assert match, self.path
        return match["name"], match["kind"], match["key"]

    def _found(self, repository: str, kind: str, key: str) -> tuple[str, bytes] | None:
        if kind == "manifests":
            return self.server.registry.manifests.get(f"{repository}:{key}")
        content = self.server.registry.blobs.get(key)
        return None if content is None else ("application/octet-stream", content)

    def _body(self) -> bytes:
        if "chunked" not in self.headers.get("Transfer-Encoding", ""):
            return self.rfile.read(int(self.headers.get("Content-Length") or 0))
        chunks = []
        while size := int(self.rfile.readline(), 16):
            chunks.append(self.rfile.read(size))
            self.rfile.readline()
        self.rfile.readline()
        return b"".join(chunks)

    def _answer(self, status: int, content: bytes = b"", **headers: str) -> None:
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name.replace("_", "-"), value)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(content)

    def log_message(self, *_: Any) -> None:
        """Nothing on standard error."""
