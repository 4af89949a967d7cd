"""From a request to GitHub's answer, both checked by GitHub's description."""

import hashlib
import json
from dataclasses import dataclass, field, replace
from typing import Any
from urllib.parse import urlencode

from github.bodies import Bodies, repository_id
from github.description import JSON, Answered, Asked, Description
from github.routes import NOT_FOUND, Call, Reply, Route, error, find_route
from github.state import State
from github.wire import Request, Response

LEVELS = ("none", "read", "write", "admin")
ACCEPTED = ("*/*", JSON, "application/vnd.github")
MOST_PER_PAGE = 100
LEFT = {"x-ratelimit-limit": "5000", "x-ratelimit-remaining": "4999"}


@dataclass(kw_only=True, slots=True)
class Respond:
    """Answers requests from one state."""

    state: State
    description: Description
    url: str
    storage_url: str
    violations: list[str] = field(default_factory=list)

    def to(self, request: Request) -> Response:
        """The answer; what does not fit GitHub's description becomes a violation and a 500."""
        request = self._by_name(request)
        found = find_route(request.method.lower(), request.path)
        if found is None:
            return self._violation(request, "GitHub, or this stand-in, has no such operation")
        route, values = found
        asked = Asked(route.operation, values, request.query, request.headers, request.body)
        problem = self._manners(request) or self.description.request_problem(
            asked, route.operation[1]
        )
        if problem:
            return self._violation(request, problem)
        reply = self._refusal(request, route, values) or self._answer(request, route, values)
        response = self._finish(request, route, reply)
        if reply.raw is None:  # bytes as they are have no description
            answered = Answered(response.status, response.headers, response.body)
            if problem := self.description.response_problem(asked, answered):
                return self._violation(request, f"the answer: {problem}")
        return self._unless_known(request, response)

    def _by_name(self, request: Request) -> Request:
        """Links to further pages name the repository by its number."""
        start = f"/repositories/{repository_id(self.state.repository)}"
        path = request.path
        if path == start or path.startswith(f"{start}/"):
            path = f"/repos/{self.state.repository}{path.removeprefix(start)}"
        return replace(request, path=path)

    def _manners(self, request: Request) -> str:
        if not request.headers.get("user-agent"):
            return "a request needs a User-Agent"
        if not request.headers.get("accept", "*/*").startswith(ACCEPTED):
            return f"GitHub answers 415 to Accept: {request.headers['accept']}"
        if request.body and not request.headers.get("content-type", "").startswith(JSON):
            return f"a body needs Content-Type: {JSON}"
        return ""

    def _refusal(self, request: Request, route: Route, values: dict[str, str]) -> Reply | None:
        given = request.headers.get("authorization", "")
        if given and given.partition(" ")[2] != self.state.token:
            return error(401, "Bad credentials")
        if not given and (request.method != "GET" or self.state.private):
            return error(401, "Requires authentication")
        if f"{values['owner']}/{values['repo']}".lower() != self.state.repository.lower():
            return NOT_FOUND
        if not self._allowed(route.needs):
            return error(403, "Resource not accessible by integration")
        if self.state.archived and request.method != "GET":
            return error(403, "Repository was archived so is read-only.")
        return None

    def _allowed(self, needs: str) -> bool:
        granted = self.state.permissions
        if granted is None or not needs or needs.startswith("metadata"):
            return True
        wanted = (choice.strip().partition("=") for choice in needs.split(";"))
        return any(
            LEVELS.index(granted.get(name, "none")) >= LEVELS.index(level)
            for name, _, level in wanted
        )

    def _answer(self, request: Request, route: Route, values: dict[str, str]) -> Reply:
        return route.answer(
            Call(
                state=self.state,
                bodies=Bodies(self.description, self.state, self.url),
                values=values,
                query=dict(request.query),
                accept=request.headers.get("accept", ""),
                body=request.json() if request.body else {},
            )
        )

    def _finish(self, request: Request, route: Route, reply: Reply) -> Response:
        headers = {**LEFT, "x-accepted-github-permissions": route.needs, **reply.headers}
        body = reply.body
        if reply.paged and reply.status == 200:
            body, link = self._page(request, reply)
            headers |= {"Link": link} if link else {}
        if reply.raw is not None:
            return Response(status=reply.status, headers=headers, body=reply.raw)
        if reply.status == 302:
            headers["Location"] = f"{self.storage_url}{headers['Location']}"
        if body is None:
            return Response(status=reply.status, headers=headers)
        headers["Content-Type"] = f"{JSON}; charset=utf-8"
        return Response(status=reply.status, headers=headers, body=json.dumps(body).encode())

    def _page(self, request: Request, reply: Reply) -> tuple[Any, str]:
        query = dict(request.query)
        size = min(int(query.get("per_page", 30)), MOST_PER_PAGE)
        page = int(query.get("page", 1))
        items = reply.body[reply.key] if reply.key else reply.body
        cut = items[(page - 1) * size : page * size]
        below = request.path.split("/", 4)[4]
        start = f"{self.url}/repositories/{repository_id(self.state.repository)}/{below}"
        last = -(-len(items) // size)
        pages = {"prev": page - 1} if page > 1 else {}
        pages |= {"next": page + 1, "last": last} if page < last else {}
        link = ", ".join(
            f'<{start}?{urlencode({**query, "page": number})}>; rel="{name}"'
            for name, number in pages.items()
        )
        return ({**reply.body, reply.key: cut} if reply.key else cut), link

    def _unless_known(self, request: Request, response: Response) -> Response:
        if request.method != "GET" or response.status != 200:
            return response
        tag = f'W/"{hashlib.sha256(response.body).hexdigest()}"'
        headers = {**response.headers, "ETag": tag}
        if request.headers.get("if-none-match") == tag:
            return Response(status=304, headers={"ETag": tag, **LEFT})
        return replace(response, headers=headers)

    def _violation(self, request: Request, problem: str) -> Response:
        self.violations.append(f"{request}: {problem}")
        body = json.dumps({"message": f"stand-in: {problem}"}).encode()
        return Response(status=500, headers={"Content-Type": JSON}, body=body)
