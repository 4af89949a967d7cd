"""The server. In tests: `with StandIn(state) as github`; as a program, in the folder tests/:

    python -m github.stand_in --port 0 [--state FILE]

prints its address. Below /_stand_in/ it takes and tells what GitHub has no operation for: GET
state, log and violations; PUT state; POST faults (the fields of `Fault`).
"""

import argparse
import json
import signal
import threading
from functools import cache
from pathlib import Path
from typing import Any, Self

from github import git_trees, reads, writes
from github.description import JSON, Description
from github.faults import DROP, Fault, Faults
from github.respond import Respond
from github.routes import ROUTES
from github.state import State, state_from_json, state_to_json
from github.wire import Request, Response, serve

CONTROL = "/_stand_in/"
REGISTERED = (git_trees, reads, writes)  # imported for the routes they add
NOTHING_THERE = Response(status=404)


@cache
def description() -> Description:
    """Loaded once for all tests."""
    return Description([route.operation for route in ROUTES])


class StandIn:
    """GitHub with one repository, on a port of this machine, and its storage on another one."""

    def __init__(self, state: State | None = None, port: int = 0) -> None:
        self.state = state or State()
        self.faults = Faults()
        self.log: list[Request] = []
        self.storage_log: list[Request] = []
        self.violations: list[str] = []
        self._lock = threading.Lock()
        self._api = serve(port, self._answer)
        self._storage = serve(0, self._store)
        self.url = f"http://127.0.0.1:{self._api.server_port}"
        self.storage_url = f"http://127.0.0.1:{self._storage.server_port}"

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        for server in (self._api, self._storage):
            server.shutdown()
            server.server_close()

    def fail(self, method: str = ".*", path: str = "", **fields: Any) -> None:
        """Let the next matching requests go wrong, see `Fault`."""
        self.faults.add(Fault(method=method, path=path, **fields))

    def asked(self, method: str = "") -> list[str]:
        """The requests so far, such as "GET /repos/octo/stack/pulls"."""
        return [str(item) for item in self.log if method in ("", item.method)]

    def _answer(self, request: Request) -> Response | None:
        if request.path.startswith(CONTROL):
            return self._control(request)
        with self._lock:  # one request at a time sees and changes the state
            self.log.append(request)
            fault = self.faults.take(request.method, request.path)
            response = None
            if fault is None or fault.applied or fault.cut is not None:
                respond = Respond(
                    state=self.state,
                    description=description(),
                    url=self.url,
                    storage_url=self.storage_url,
                )
                response = respond.to(request)
                self.violations += respond.violations
        return _broken(fault, response) if fault else response

    def _store(self, request: Request) -> Response | None:
        """Artifacts lie on another host, which a token must never reach."""
        self.storage_log.append(request)
        if "authorization" in request.headers:
            self.violations.append(f"{request}: a token was sent to the storage")
            return Response(status=400)
        artifact = self.state.artifacts.get(int(request.path.strip("/")))
        if artifact is None or dict(request.query).get("sig") != "ofAStandIn":
            return NOTHING_THERE
        headers = {"Content-Type": "application/zip"}
        response = Response(status=200, headers=headers, body=artifact.content)
        fault = self.faults.take(request.method, f"/storage{request.path}")
        return _broken(fault, response) if fault else response

    def _control(self, request: Request) -> Response:
        what = request.path.removeprefix(CONTROL)
        if (request.method, what) == ("PUT", "state"):
            self.state = state_from_json(request.body)
        elif (request.method, what) == ("POST", "faults"):
            self.fail(**request.json())
        told = {
            "state": lambda: json.loads(state_to_json(self.state)),
            "violations": lambda: self.violations,
            "log": lambda: [_told(item) for item in self.log],
            "faults": lambda: None,
        }.get(what)
        if told is None:
            return NOTHING_THERE
        return Response(
            status=200, headers={"Content-Type": JSON}, body=json.dumps(told()).encode()
        )


def _broken(fault: Fault, response: Response | None) -> Response | None:
    if fault.cut is not None and response is not None:
        return Response(
            status=response.status, headers=response.headers, body=response.body, cut=fault.cut
        )
    if fault.status == DROP:
        return None
    if isinstance(fault.body, bytes):
        return Response(status=fault.status, headers=fault.headers, body=fault.body)
    body = {"message": "Server Error"} if fault.body is None else fault.body
    headers = {"Content-Type": f"{JSON}; charset=utf-8", **fault.headers}
    return Response(status=fault.status, headers=headers, body=json.dumps(body).encode())


def _told(request: Request) -> dict[str, Any]:
    body = request.body.decode(errors="replace")
    return {"request": str(request), "query": dict(request.query), "body": body}


def main() -> None:
    """Run until interrupted or terminated."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--port", type=int, default=0, help="0: any free one")
    parser.add_argument("--state", type=Path, help="JSON of State to begin with")
    options = parser.parse_args()
    state = state_from_json(options.state.read_bytes()) if options.state else State()
    ended = threading.Event()
    for item in (signal.SIGTERM, signal.SIGINT):
        signal.signal(item, lambda *_: ended.set())
    with StandIn(state, options.port) as github:
        print(github.url, flush=True)  # noqa: T201 - a program's output
        ended.wait()


if __name__ == "__main__":
    main()
