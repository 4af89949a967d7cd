"""What the stand-in knows of its one repository; a JSON file holds the same."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from hashlib import sha1
from typing import Any

from pydantic import ConfigDict, TypeAdapter
from pydantic.dataclasses import dataclass as checked

BOT = "github-actions[bot]"
REPOSITORY = "octo/stack"
TOKEN = "ghs_standInsVerySecretToken0123456789"
STARTED = "2020-01-10T14:00:00Z"  # of runs: before their artifacts were made
BYTES = ConfigDict(ser_json_bytes="base64", val_json_bytes="base64")


@dataclass(kw_only=True, slots=True)
class Commit:
    sha: str
    parents: tuple[str, ...] = ()
    files: dict[str, str] = field(default_factory=dict)  # the whole tree
    message: str = "A change"
    modes: dict[str, str] = field(default_factory=dict)  # of links and submodules


@dataclass(kw_only=True, slots=True)
class Pull:
    number: int
    head_sha: str
    base_sha: str
    head_ref: str = "patch"
    head_repository: str | None = REPOSITORY  # None: a fork that was deleted
    base_ref: str = "main"
    state: str = "open"
    locked: bool = False
    title: str = "A change"
    created: str = "2026-01-01T00:00:00Z"
    base_changed: str = ""  # when its base branch was last changed
    merge_sha: str = ""  # GitHub's test merge


@dataclass(kw_only=True, slots=True)
class Comment:
    id: int
    issue: int
    body: str
    login: str = BOT
    minimized: bool = False


@dataclass(kw_only=True, slots=True)
class CheckRun:
    id: int
    head_sha: str
    name: str
    status: str = "queued"
    conclusion: str | None = None
    external_id: str = ""


@dataclass(kw_only=True, slots=True)
class Status:
    sha: str
    state: str
    context: str
    description: str = ""
    url: str = ""
    login: str = BOT


@dataclass(kw_only=True, slots=True)
class Run:
    id: int
    number: int
    head_sha: str
    head_branch: str = "patch"
    head_repository: str | None = REPOSITORY
    event: str = "pull_request"
    name: str = "gate"
    path: str = ".github/workflows/gate.yml"
    status: str = "completed"
    conclusion: str | None = "success"
    attempt: int = 1
    created: str = "2026-01-02T00:00:00Z"
    started: str = STARTED
    title: str = "A change"
    actor: str = "octocat"
    pulls: tuple[int, ...] = ()  # what GitHub says; empty for forks


@checked(kw_only=True, slots=True, config=BYTES)
class Artifact:
    id: int
    run: int
    name: str
    content: bytes  # the zip file
    expired: bool = False
    size: int | None = None  # as told; None: the real one


@dataclass(kw_only=True, slots=True)
class Actions:
    enabled: bool = True
    allowed: str = "all"
    selected: dict[str, Any] = field(
        default_factory=lambda: {
            "github_owned_allowed": True,
            "verified_allowed": False,
            "patterns_allowed": [],
        }
    )
    default_permissions: str = "read"
    fork_approval: str = "first_time_contributors"
    private_forks: dict[str, bool] = field(default_factory=dict)
    disabled_workflows: tuple[str, ...] = ()  # paths


@dataclass(kw_only=True, slots=True)
class State:
    repository: str = REPOSITORY
    private: bool = False
    archived: bool = False
    default_branch: str = "main"
    login: str = BOT  # whom the token belongs to
    token: str = TOKEN
    permissions: dict[str, str] | None = None  # of the token; None: all
    branches: dict[str, str] = field(default_factory=dict)
    tags: dict[str, str] = field(default_factory=dict)  # which win over branches of their name
    commits: dict[str, Commit] = field(default_factory=dict)
    pulls: dict[int, Pull] = field(default_factory=dict)
    comments: dict[int, Comment] = field(default_factory=dict)
    check_runs: dict[int, CheckRun] = field(default_factory=dict)
    runs: dict[int, Run] = field(default_factory=dict)
    artifacts: dict[int, Artifact] = field(default_factory=dict)
    statuses: list[Status] = field(default_factory=list)
    required_checks: dict[str, tuple[str, ...]] = field(default_factory=dict)  # by branch
    protected: tuple[str, ...] = ()  # branches, without a check that they require
    rules: dict[str, list[dict[str, Any]]] = field(default_factory=dict)  # by branch, of rulesets
    actions: Actions = field(default_factory=Actions)
    most_comment: int = 65_536
    truncated_trees: bool = False  # whether folders have more files than GitHub lists

    def new_id(self) -> int:
        """Larger than every other."""
        known = (self.comments, self.check_runs, self.runs, self.artifacts)
        return max([1000, *(item for table in known for item in table)]) + 1

    def commit(
        self,
        files: dict[str, str] | None = None,
        *,
        parents: tuple[str, ...] = (),
        branch: str = "",
        message: str = "A change",
        modes: dict[str, str] | None = None,
    ) -> str:
        """A new commit; `files` are added to those of its first parent, the branch's tip."""
        if branch and not parents and branch in self.branches:
            parents = (self.branches[branch],)
        first = self.commits.get(parents[0]) if parents else None
        changed = files or {}
        kept = first.modes.items() if first else ()
        sha = sha1(f"{len(self.commits)} {parents} {message}".encode()).hexdigest()
        self.commits[sha] = Commit(
            sha=sha,
            parents=parents,
            files={**(first.files if first else {}), **changed},
            message=message,
            modes={**{path: mode for path, mode in kept if path not in changed}, **(modes or {})},
        )
        if branch:
            self.branches[branch] = sha
        return sha

    def pull(self, **fields: Any) -> Pull:
        """A new pull request: of a new commit on the default branch where none is given."""
        base = self.branches.get(fields.get("base_ref", self.default_branch)) or self.commit(
            branch=self.default_branch
        )
        number = max([6, *self.pulls]) + 1
        given = {"number": number, "base_sha": base, **fields}
        if "head_sha" not in given:
            given["head_sha"] = self.commit(parents=(base,), message=f"Of #{number}")
        pull = Pull(**given)
        self.pulls[pull.number] = pull
        return pull

    def comment(self, issue: int, body: str, **fields: Any) -> Comment:
        """A comment that is there already."""
        comment = Comment(id=self.new_id(), issue=issue, body=body, **fields)
        self.comments[comment.id] = comment
        return comment

    def run(self, pull: Pull | None = None, **fields: Any) -> Run:
        """A finished run of the gate, of a pull request's head when one is given."""
        if pull:
            fork = pull.head_repository != self.repository
            fields = {
                "head_sha": pull.head_sha,
                "head_branch": pull.head_ref,
                "head_repository": pull.head_repository,
                "pulls": () if fork else (pull.number,),
                **fields,
            }
        number = max([6, *(run.number for run in self.runs.values())]) + 1
        run = Run(**{"id": self.new_id(), "number": number, **fields})
        self.runs[run.id] = run
        return run

    def artifact(self, run: Run, name: str, content: bytes, **fields: Any) -> Artifact:
        """An artifact of a run; `content` is the zip file."""
        artifact = Artifact(id=self.new_id(), run=run.id, name=name, content=content, **fields)
        self.artifacts[artifact.id] = artifact
        return artifact

    def any_artifact(self, content: bytes, **fields: Any) -> Artifact:
        """The gate's artifact of a new pull request's run."""
        return self.artifact(self.run(self.pull()), "onegig-numbers", content, **fields)

    def find_commit(self, ref: str) -> Commit | None:
        """By SHA, branch, or full name of a branch."""
        name = ref.removeprefix("refs/").removeprefix("heads/")
        return self.commits.get(self.tags.get(ref) or self.branches.get(name, name))

    def ancestors(self, sha: str) -> Iterator[str]:
        """The commit and everything it builds on, newest first."""
        seen, waiting = set(), [sha]
        while waiting:
            one = waiting.pop(0)
            if one in seen or one not in self.commits:
                continue
            seen.add(one)
            yield one
            waiting.extend(self.commits[one].parents)


_ADAPTER = TypeAdapter(State)


def state_from_json(text: str | bytes) -> State:
    return _ADAPTER.validate_json(text)


def state_to_json(state: State) -> bytes:
    return _ADAPTER.dump_json(state, indent=1)
