"""Which function answers which operation, and what the token needs for it."""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from github.bodies import Bodies
from github.description import Operation
from github.state import State

REPO = "/repos/{owner}/{repo}"
MANY_SLASHES = ("path", "ref", "basehead", "branch")
DOCS = "https://docs.github.com/rest"


@dataclass(frozen=True, kw_only=True, slots=True)
class Call:
    """One request, taken apart."""

    state: State
    bodies: Bodies
    values: Mapping[str, str]
    query: Mapping[str, str]
    accept: str
    body: Mapping[str, Any]

    def number(self, name: str) -> int:
        """An integer of the path."""
        return int(self.values[name])


@dataclass(frozen=True, kw_only=True, slots=True)
class Reply:
    """An answer. A list under `key` (or, with key "", the whole) is cut into pages."""

    status: int = 200
    body: Any = None
    headers: Mapping[str, str] = field(default_factory=dict)
    raw: bytes | None = None
    paged: bool = False
    key: str = ""


@dataclass(frozen=True, kw_only=True, slots=True)
class Route:
    """`needs`: "pull_requests=write", "" for what every token may."""

    operation: Operation
    needs: str
    pattern: re.Pattern[str]
    answer: Callable[[Call], Reply]


ROUTES: list[Route] = []


def route(
    method: str, below: str, *, needs: str
) -> Callable[[Callable[[Call], Reply]], Callable[[Call], Reply]]:
    """Answer an operation, by its path below the repository as in the description."""

    def add(answer: Callable[[Call], Reply]) -> Callable[[Call], Reply]:
        template = f"{REPO}{below}"
        pattern = re.sub(
            r"\\{(\w+)\\}",
            lambda one: f"(?P<{one[1]}>{'.+' if one[1] in MANY_SLASHES else '[^/]+'})",
            re.escape(template).replace("\\_", "_"),
        )
        ROUTES.append(
            Route(
                operation=(method, template),
                needs=needs,
                pattern=re.compile(pattern),
                answer=answer,
            )
        )
        return answer

    return add


def find_route(method: str, path: str) -> tuple[Route, dict[str, str]] | None:
    """The route of a path with its values, the most exact one first."""
    for item in sorted(ROUTES, key=_exactness, reverse=True):
        result = item.pattern.fullmatch(path)
        if result and item.operation[0] == method:
            return item, result.groupdict()
    return None


def _exactness(one: Route) -> tuple[int, int]:
    parts = one.operation[1].split("/")
    return len([part for part in parts if not part.startswith("{")]), len(parts)


def error(status: int, message: str, errors: list[dict[str, Any]] | None = None) -> Reply:
    """An error as GitHub writes them."""
    body: dict[str, Any] = {"message": message, "documentation_url": DOCS, "status": str(status)}
    return Reply(status=status, body={**body, "errors": errors} if errors else body)


NOT_FOUND = error(404, "Not Found")
