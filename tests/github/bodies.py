"""Whole answers: GitHub's own examples with the state's values laid over them."""

import hashlib
import re
from collections.abc import Sequence
from typing import Any
from zlib import crc32

from github.description import HOST, Description, Operation
from github.state import Artifact, CheckRun, Comment, Commit, Pull, Run, State, Status

REPO = "/repos/{owner}/{repo}"
UNFIT = ("parent", "source", "template_repository")  # whose examples lack what they must have
_REPOSITORY = re.compile(r"(//api\.github\.com/repos/|//github\.com/)[\w.-]+/[\w.-]+(?=[/{]|$)")


class Bodies:
    """JSON of everything the stand-in knows; `base_url` is its own address."""

    def __init__(self, description: Description, state: State, base_url: str) -> None:
        self._description = description
        self._state = state
        self._base_url = base_url

    def example(self, method: str, below: str, status: str = "200", name: str = "") -> Any:
        """GitHub's example of an answer, as if it were about this repository."""
        operation: Operation = (method, f"{REPO}{below}")
        return self._localized(self._description.example(operation, status, name))

    def repository(self, full_name: str = "") -> dict[str, Any]:
        """This repository, or a fork of it."""
        body = self._named_repository(self.example("get", ""), full_name or self._state.repository)
        return {"language": "Python", **{key: body[key] for key in body if key not in UNFIT}}

    def user(self, login: str) -> dict[str, Any]:
        """An account; names in brackets are those of apps."""
        user = self.example("get", "/issues/{issue_number}/comments")[0]["user"]
        kind = "Bot" if login.endswith("[bot]") else "User"
        return {**user, "login": login, "id": crc32(login.encode()), "type": kind}

    def comment(self, comment: Comment) -> dict[str, Any]:
        """A comment of an issue or a pull request."""
        url = f"{self._url}/issues/comments/{comment.id}"
        return {
            **self.example("get", "/issues/comments/{comment_id}"),
            "id": comment.id,
            "url": url,
            "html_url": f"{self._page}/pull/{comment.issue}#issuecomment-{comment.id}",
            "issue_url": f"{self._url}/issues/{comment.issue}",
            "body": comment.body,
            "user": self.user(comment.login),
            "minimized": {"reason": "outdated"} if comment.minimized else None,
        }

    def pull(self, pull: Pull, *, whole: bool) -> dict[str, Any]:
        """A pull request, as asked for alone (`whole`) or as one of a list."""
        below = "/pulls/{pull_number}" if whole else "/pulls"
        example = self.example("get", below)
        body = example if whole else example[0]
        body |= {
            "id": pull.number,
            "number": pull.number,
            "url": f"{self._url}/pulls/{pull.number}",
            "html_url": f"{self._page}/pull/{pull.number}",
            "issue_url": f"{self._url}/issues/{pull.number}",
            "state": pull.state,
            "locked": pull.locked,
            "title": pull.title,
            "created_at": pull.created,
            **{name: [] for name in ("assignees", "labels", "requested_reviewers")},
            "requested_teams": [],
            "assignee": None,
            "milestone": None,
            "merged_at": None,
            "closed_at": None if pull.state == "open" else "2026-01-02T00:00:00Z",
            "head": self._end(body["head"], pull.head_repository, pull.head_ref, pull.head_sha),
            "base": self._end(body["base"], self._state.repository, pull.base_ref, pull.base_sha),
        }
        if whole:
            body |= {"merged": False, "draft": False, "merge_commit_sha": pull.merge_sha or None}
        return body

    def commit(self, commit: Commit) -> dict[str, Any]:
        """A commit with its parents."""
        body = self.example("get", "/commits/{ref}")
        url = f"{self._url}/commits/{commit.sha}"
        body |= {
            "sha": commit.sha,
            "url": url,
            "html_url": f"{self._page}/commit/{commit.sha}",
            "files": [],
            "parents": [
                {"sha": parent, "url": f"{self._url}/commits/{parent}"} for parent in commit.parents
            ],
        }
        body["commit"] |= {"message": commit.message}
        return body

    def check_run(self, run: CheckRun) -> dict[str, Any]:
        """A check of a commit."""
        example = self.example("get", "/commits/{ref}/check-runs")["check_runs"][0]
        return {
            **example,
            "id": run.id,
            "head_sha": run.head_sha,
            "name": run.name,
            "url": f"{self._url}/check-runs/{run.id}",
            "html_url": f"{self._page}/runs/{run.id}",
            "external_id": run.external_id,
            "status": run.status,
            "conclusion": run.conclusion,
            "pull_requests": [],
        }

    def status(self, status: Status) -> dict[str, Any]:
        """A status of a commit."""
        return {
            **self.example("get", "/commits/{ref}/statuses")[0],
            "state": status.state,
            "context": status.context,
            "description": status.description,
            "target_url": status.url or None,
            "creator": self.user(status.login),
        }

    def run(self, run: Run) -> dict[str, Any]:
        """A run of a workflow."""
        body = self.example("get", "/actions/runs/{run_id}")
        url = f"{self._url}/actions/runs/{run.id}"
        body |= {
            "id": run.id,
            "name": run.name,
            "path": run.path,
            "event": run.event,
            "status": run.status,
            "conclusion": run.conclusion,
            "head_sha": run.head_sha,
            "head_branch": run.head_branch,
            "created_at": run.created,
            "run_number": run.number,
            "run_attempt": run.attempt,
            "run_started_at": run.started,
            "display_title": run.title,
            "actor": self.user(run.actor),
            "url": url,
            "html_url": f"{self._page}/actions/runs/{run.id}",
            "artifacts_url": f"{url}/artifacts",
            "pull_requests": [self._mentioned(self._state.pulls[pull]) for pull in run.pulls],
            "repository": self._named_repository(body["repository"], self._state.repository),
        }
        head = run.head_repository
        body["head_repository"] = head and self._named_repository(body["head_repository"], head)
        return body

    def artifact(self, artifact: Artifact) -> dict[str, Any]:
        """An artifact of a run."""
        example = self.example("get", "/actions/runs/{run_id}/artifacts")["artifacts"][0]
        run = self._state.runs[artifact.run]
        url = f"{self._url}/actions/artifacts/{artifact.id}"
        size = len(artifact.content) if artifact.size is None else artifact.size
        return {
            **example,
            "id": artifact.id,
            "name": artifact.name,
            "size_in_bytes": size,
            "expired": artifact.expired,
            "url": url,
            "archive_download_url": f"{url}/zip",
            "digest": f"sha256:{hashlib.sha256(artifact.content).hexdigest()}",
            "workflow_run": {
                **example["workflow_run"],
                "id": run.id,
                "repository_id": repository_id(self._state.repository),
                "head_repository_id": repository_id(run.head_repository or ""),
                "head_branch": run.head_branch,
                "head_sha": run.head_sha,
            },
        }

    def compare(self, base: Commit, head: Commit, commits: Sequence[Commit]) -> dict[str, Any]:
        """Two commits beside each other; `commits` are those only the head has, oldest first."""
        of_base, of_head = (list(self._state.ancestors(item.sha)) for item in (base, head))
        shared = next(each for each in of_head if each in of_base)
        ahead, behind = len(set(of_head) - set(of_base)), len(set(of_base) - set(of_head))
        words = {(True, True): "diverged", (True, False): "ahead", (False, True): "behind"}
        return {
            **self.example("get", "/compare/{basehead}"),
            "status": words.get((ahead > 0, behind > 0), "identical"),
            "ahead_by": ahead,
            "behind_by": behind,
            "total_commits": ahead,
            "base_commit": self.commit(base),
            "merge_base_commit": self.commit(self._state.commits[shared]),
            "commits": [self.commit(commit) for commit in commits],
            "files": [],
        }

    @property
    def _url(self) -> str:
        return f"{self._base_url}/repos/{self._state.repository}"

    @property
    def _page(self) -> str:
        return f"https://github.com/{self._state.repository}"

    def _end(
        self, example: dict[str, Any], repository: str | None, ref: str, sha: str
    ) -> dict[str, Any]:
        """One end of a pull request; GitHub has no repository for a fork that was deleted."""
        owner = (repository or "unknown/").partition("/")[0]
        named = self._named_repository(example["repo"], repository) if repository else None
        label = f"{owner}:{ref}"
        return {
            **example,
            "label": label,
            "ref": ref,
            "sha": sha,
            "user": self.user(owner),
            "repo": named,
        }

    def _mentioned(self, pull: Pull) -> dict[str, Any]:
        """A pull request as runs mention it."""
        ends = {"head": (pull.head_ref, pull.head_sha), "base": (pull.base_ref, pull.base_sha)}
        name = self._state.repository
        repository = {"id": repository_id(name), "url": self._url, "name": name.partition("/")[2]}
        return {
            "id": pull.number,
            "number": pull.number,
            "url": f"{self._url}/pulls/{pull.number}",
            **{
                end: {"ref": ref, "sha": sha, "repo": repository}
                for end, (ref, sha) in ends.items()
            },
        }

    def _named_repository(self, example: dict[str, Any], full_name: str) -> dict[str, Any]:
        owner, _, name = full_name.partition("/")
        body = {
            **example,
            "id": repository_id(full_name),
            "name": name,
            "full_name": full_name,
            "owner": {**example["owner"], "login": owner, "id": crc32(owner.encode())},
            "private": self._state.private,
            "fork": full_name != self._state.repository,
            "url": f"{self._base_url}/repos/{full_name}",
            "html_url": f"https://github.com/{full_name}",
        }
        if "default_branch" in example:
            body |= {"default_branch": self._state.default_branch, "archived": self._state.archived}
        return body

    def _localized(self, node: Any) -> Any:
        if isinstance(node, dict):
            return {key: self._localized(value) for key, value in node.items()}
        if isinstance(node, list):
            return [self._localized(value) for value in node]
        if isinstance(node, str) and node.startswith("https://"):
            name = self._state.repository
            node = _REPOSITORY.sub(lambda found: found[1] + name, node)
            return node.replace(HOST, self._base_url)
        return node


def repository_id(full_name: str) -> int:
    """The same number for the same name."""
    return crc32(full_name.encode())


def blob_sha(data: bytes) -> str:
    """Git's name of a file's content."""
    return hashlib.sha1(b"blob %d\0" % len(data) + data).hexdigest()
