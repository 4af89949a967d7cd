"""Bare repositories to publish to: by path, or through git's own HTTP server that wants a token."""

import os
import subprocess
from base64 import b64encode
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread

import pytest

BRANCH = "onegig-data"
TOKEN = "ghs_aVerySecretToken0123456789"  # of nobody


@dataclass(frozen=True, kw_only=True)
class Remote:
    """A bare repository on this machine."""

    path: Path

    def git(self, *arguments: str, stdin: str = "") -> str:
        """What git says in it."""
        identity = ("-c", "user.name=a", "-c", "user.email=a@example.org")
        command = ["git", f"--git-dir={self.path}", *identity, *arguments]
        done = subprocess.run(command, check=True, capture_output=True, text=True, input=stdin)
        return done.stdout

    def head(self, branch: str = BRANCH) -> str:
        """The branch's commit, "" when there is none."""
        return self.git("for-each-ref", "--format=%(objectname)", f"refs/heads/{branch}").strip()

    def read(self, path: str, branch: str = BRANCH) -> str:
        """A file of the branch."""
        return self.git("show", f"{branch}:{path}")

    def files(self, branch: str = BRANCH) -> list[str]:
        """Mode and name of every file of the branch."""
        listed = self.git("ls-tree", "-r", "-z", branch).split("\0")
        return [f"{line.split()[0]} {line.partition(chr(9))[2]}" for line in listed if line]

    def write(self, files: dict[str, str], branch: str = BRANCH, *, mode: str = "100644") -> None:
        """Somebody else's commit on the branch: these files, beside what is there."""
        if self.head(branch):
            self.git("read-tree", branch)
        else:
            self.git("read-tree", "--empty")
        for path, text in files.items():
            blob = self.git("hash-object", "-w", "--stdin", stdin=text).strip()
            self.git("update-index", "--add", "--cacheinfo", f"{mode},{blob},{path}")
        tree = self.git("write-tree").strip()
        parents = ("-p", self.head(branch)) if self.head(branch) else ()
        commit = self.git("commit-tree", tree, *parents, "-m", "by hand").strip()
        self.git("update-ref", f"refs/heads/{branch}", commit)

    def hook(self, script: str) -> None:
        """A pre-receive hook: it runs before a push is taken and may refuse it."""
        path = self.path / "hooks" / "pre-receive"
        path.parent.mkdir(exist_ok=True)
        path.write_text(f"#!/bin/sh\n{script}\n")
        path.chmod(0o755)


@pytest.fixture
def remote(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Remote:
    """An empty repository, on a machine where git knows nobody's name."""
    monkeypatch.setenv("HOME", str(tmp_path / "nobody"))
    monkeypatch.setenv("GIT_CONFIG_NOSYSTEM", "1")
    for name in ("NAME", "EMAIL"):
        for role in ("AUTHOR", "COMMITTER"):
            monkeypatch.delenv(f"GIT_{role}_{name}", raising=False)
    path = tmp_path / "octo" / "stack.git"
    subprocess.run(["git", "init", "--quiet", "--bare", str(path)], check=True)
    made = Remote(path=path)
    made.git("config", "http.receivepack", "true")
    return made


@dataclass(kw_only=True)
class Server:
    """Git's HTTP server; `authorizations` are the headers it was sent."""

    url: str = ""
    status: int = 0  # answer everything with it instead
    authorizations: list[str | None] = field(default_factory=list)


@contextmanager
def serve(root: Path) -> Iterator[Server]:
    """Serve the repositories below `root` to who has TOKEN."""
    server = Server()
    credential = b64encode(f"x-access-token:{TOKEN}".encode()).decode()

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            authorization = self.headers.get("Authorization")
            server.authorizations.append(authorization)
            if server.status or authorization != f"basic {credential}":
                self.send_response(server.status or 401)
                self.send_header("WWW-Authenticate", 'Basic realm="git"')
                told = f"you sent {authorization} for {TOKEN}".encode()  # which git repeats
                self.send_header("Content-Type", "text/plain")
                self.send_header("Content-Length", str(len(told)))
                self.end_headers()
                self.wfile.write(told)
                return
            self._backend()

        do_POST = do_GET  # noqa: N815  # their names in BaseHTTPRequestHandler

        def _backend(self) -> None:
            path, _, query = self.path.partition("?")
            body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
            environment = {
                "PATH": os.environ["PATH"],
                "GIT_PROJECT_ROOT": str(root),
                "GIT_HTTP_EXPORT_ALL": "1",
                "REQUEST_METHOD": self.command,
                "PATH_INFO": path,
                "QUERY_STRING": query,
                "CONTENT_TYPE": self.headers.get("Content-Type", ""),
                "CONTENT_LENGTH": str(len(body)),
                "HTTP_CONTENT_ENCODING": self.headers.get("Content-Encoding", ""),
                "HTTP_GIT_PROTOCOL": self.headers.get("Git-Protocol", ""),
                "REMOTE_USER": "somebody",
            }
            command = ["git", "http-backend"]
            done = subprocess.run(
                command, input=body, capture_output=True, env=environment, check=True
            )
            head, _, content = done.stdout.partition(b"\r\n\r\n")
            headers = dict(line.split(": ", 1) for line in head.decode().split("\r\n"))
            self.send_response(int(headers.pop("Status", "200").split()[0]))
            for name, value in {**headers, "Content-Length": str(len(content))}.items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(content)

        def log_message(self, format: str, *values: object) -> None:  # noqa: A002  # its name there
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as listening:
        server.url = f"http://127.0.0.1:{listening.server_address[1]}"
        thread = Thread(target=listening.serve_forever)
        thread.start()
        try:
            yield server
        finally:
            listening.shutdown()
            thread.join()
