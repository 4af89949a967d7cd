"""Answers that are not asked for again: each request counts against what a job may ask in an hour.

What is named by a whole SHA, or by an artifact's id, never changes. All else is kept during one
look only, in which the same question has the same answer.
"""

import re
from urllib.parse import parse_qsl, urlsplit

from onegig.publish.github.answer import SUCCESS, Answer, Request

MOST_BYTES = 64_000_000
GONE = 404
_SHA = "[0-9a-f]{40}"
_LASTING = re.compile(
    rf"git/(trees|blobs)/{_SHA}|commits/{_SHA}|compare/{_SHA}\.\.\.{_SHA}"
    r"|actions/artifacts/[0-9]+/zip",
    re.ASCII,
)
_BY_PARAMETER = (("contents/", "ref"), ("commits", "sha"))  # which says of which commit


class Kept:
    """The answers that one client keeps; the oldest go first when they are too large together."""

    def __init__(self) -> None:
        self._lasting: dict[str, Answer] = {}
        self._seen: dict[str, Answer] | None = None
        self._bytes = 0

    def open_look(self) -> None:
        """Begin to keep what may change, afresh."""
        self.close_look()
        self._seen = {}

    def close_look(self) -> None:
        """Forget what may have changed."""
        self._bytes -= sum(len(answer.body) for answer in (self._seen or {}).values())
        self._seen = None

    def find(self, request: Request) -> Answer | None:
        """Return the answer that is known to a request."""
        if request.method != "GET":
            return None
        name = _name(request)
        return self._lasting.get(name) or (self._seen or {}).get(name)

    def keep(self, request: Request, answer: Answer) -> None:
        """Keep the answer, if it is one that may be kept."""
        if request.method != "GET":
            return
        if answer.status in SUCCESS and is_lasting(request):
            self._add(self._lasting, request, answer)
        elif self._seen is not None and (answer.status in SUCCESS or answer.status == GONE):
            self._add(self._seen, request, answer)

    def _add(self, kept: dict[str, Answer], request: Request, answer: Answer) -> None:
        name = _name(request)
        old = kept.pop(name, None)
        self._bytes += len(answer.body) - (len(old.body) if old else 0)
        kept[name] = answer
        for answers in (self._lasting, self._seen or {}):
            while answers and self._bytes > MOST_BYTES:
                self._bytes -= len(answers.pop(next(iter(answers))).body)


def is_lasting(request: Request) -> bool:
    """Return whether the answer stays the same for ever once there is one."""
    path = request.below_repository
    if _LASTING.fullmatch(path):
        return True
    given = {name: str(value) for name, value in request.parameters.items()}
    given |= dict(parse_qsl(urlsplit(request.path).query))  # of a further page
    return any(
        (path.startswith(start) if start.endswith("/") else path == start)
        and re.fullmatch(_SHA, given.get(name, ""), re.ASCII)
        for start, name in _BY_PARAMETER
    )


def _name(request: Request) -> str:
    parameters = sorted(request.parameters.items())
    return f"{request.path} {parameters} {request.accept} {request.most_bytes}"
