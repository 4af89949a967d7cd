"""Settings of a repository on GitHub that decide whether the gate works.

Each fact that the token may not read is Unknown with the reason, and never taken for granted.
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any, TypeVar
from urllib.parse import quote

from onegig.errors import GithubError
from onegig.github.client import Client
from onegig.github.history import MOST_BYTES
from onegig.model.measured import Missing, Skipped, Unknown

MOST_FILE_BYTES = 1_000_000
NOT_READABLE = (401, 403, 404)
T = TypeVar("T")


@dataclass(frozen=True, kw_only=True, slots=True)
class Required:
    """A check that a branch requires; `app` is the id of the only app that may set it, or None."""

    name: str
    app: int | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class Rule:
    """One rule of a ruleset, for a branch."""

    type: str
    ruleset: int
    parameters: Mapping[str, Any]


@dataclass(frozen=True, kw_only=True, slots=True)
class ActionsPolicy:
    """The actions that may run; `selected` only if a selection may."""

    enabled: bool
    allowed: str  # "all", "local_only", "selected"
    selected: Mapping[str, Any] | Missing


@dataclass(frozen=True, kw_only=True, slots=True)
class DataBranch:
    """The branch with the default branch's numbers, and its files."""

    name: str
    exists: bool | Unknown
    rules: tuple[Rule, ...] | Unknown
    files: Mapping[str, str | Missing]


@dataclass(frozen=True, kw_only=True, slots=True)
class Hosted:
    """Everything that was read. `files` are texts on the default branch."""

    repository: str
    page: str
    private: bool
    archived: bool
    default_branch: str
    files: Mapping[str, str | Missing]
    disabled: tuple[str, ...] | Unknown  # paths of workflows that do not run
    rules: tuple[Rule, ...] | Unknown  # of the default branch
    protection: tuple[Required, ...] | Unknown  # by branch protection, not by rules
    checks: tuple[str, ...] | Unknown  # names on the default branch's newest commit
    policy: ActionsPolicy | Unknown
    workflow_default: str | Unknown  # "read" or "write"
    fork_approval: str | Missing
    private_forks: Mapping[str, bool] | Missing
    data: DataBranch


def read_hosted(
    client: Client, workflows: Iterable[str], data_branch: str, data_files: Iterable[str]
) -> Hosted:
    """Ask GitHub for everything; GithubError only if the repository itself cannot be read."""
    repository = client.get("")
    branch, is_private = str(repository["default_branch"]), bool(repository["private"])
    approval: str | Missing = Skipped(reason="the repository is private")
    private_forks: Mapping[str, bool] | Missing = Skipped(reason="the repository is public")
    if is_private:
        path = "actions/permissions/fork-pr-workflows-private-repos"
        private_forks = _attempt("administration", lambda: dict(client.get(path)))
    else:
        approval = _permission(client, "fork-pr-contributor-approval", "approval_policy")
    return Hosted(
        repository=str(repository["full_name"]),
        page=str(repository["html_url"]),
        private=is_private,
        archived=bool(repository.get("archived")),
        default_branch=branch,
        files={path: _file(client, path, branch) for path in workflows},
        disabled=_attempt("actions", lambda: _disabled(client)),
        rules=_attempt("metadata", lambda: _rules(client, branch)),
        protection=_attempt("administration", lambda: _protection(client, branch)),
        checks=_attempt("checks", lambda: _checks(client, branch)),
        policy=_attempt("administration", lambda: _policy(client)),
        workflow_default=_permission(client, "workflow", "default_workflow_permissions"),
        fork_approval=approval,
        private_forks=private_forks,
        data=_data(client, data_branch, data_files),
    )


def _attempt(permission: str, read: Callable[[], T]) -> T | Unknown:
    try:
        return read()
    except GithubError as error:
        return Unknown(reason=_reason(permission, error))


def _reason(permission: str, error: GithubError) -> str:
    needs = f"needs a token with {permission}: read; " * (error.status in NOT_READABLE)
    return f"{needs}{error.message}"


def _permission(client: Client, setting: str, key: str) -> str | Unknown:
    path = f"actions/permissions/{setting}"
    return _attempt("administration", lambda: str(client.get(path)[key]))


def _file(client: Client, path: str, ref: str, most: int = MOST_FILE_BYTES) -> str | Missing:
    try:
        data = client.read_file(path, ref, most)
        absent = Skipped(reason=f"it is not on {ref}")
        return absent if data is None else data.decode("utf-8", errors="replace")
    except GithubError as error:
        return Unknown(reason=_reason("contents", error))


def _disabled(client: Client) -> tuple[str, ...]:
    listed = client.pages("actions/workflows", key="workflows")
    return tuple(str(item["path"]) for item in listed if item["state"] != "active")


def _rules(client: Client, branch: str) -> tuple[Rule, ...]:
    return tuple(
        Rule(
            type=str(item["type"]),
            ruleset=int(item.get("ruleset_id", 0)),
            parameters=item.get("parameters") or {},
        )
        for item in client.pages(f"rules/branches/{quote(branch, safe='')}")
    )


def _protection(client: Client, branch: str) -> tuple[Required, ...]:
    """Read all of it as an administrator, else the summary that comes with the branch."""
    path = f"branches/{quote(branch, safe='')}"
    try:
        protection = client.get(f"{path}/protection")
    except GithubError as error:
        if error.status not in NOT_READABLE:
            raise
        protection = client.get(path).get("protection") or {}
    checks = protection.get("required_status_checks") or {}
    known = {str(item["context"]): item.get("app_id") for item in checks.get("checks", [])}
    names = dict.fromkeys([*known, *map(str, checks.get("contexts", []))])
    return tuple(Required(name=name, app=known.get(name)) for name in names)


def _checks(client: Client, branch: str) -> tuple[str, ...]:
    path = f"commits/{quote(branch, safe='')}/check-runs"
    return tuple(sorted({str(item["name"]) for item in client.pages(path, key="check_runs")}))


def _policy(client: Client) -> ActionsPolicy:
    policy, path = client.get("actions/permissions"), "actions/permissions/selected-actions"
    allowed, is_enabled = str(policy.get("allowed_actions", "all")), bool(policy["enabled"])
    selected: Mapping[str, Any] | Missing = Skipped(reason="no selection")
    if is_enabled and allowed == "selected":
        selected = _attempt("administration", lambda: dict(client.get(path)))
    return ActionsPolicy(enabled=is_enabled, allowed=allowed, selected=selected)


def _data(client: Client, branch: str, files: Iterable[str]) -> DataBranch:
    """Ask for a list, which is empty without the branch; a 404 would be a missing permission."""
    ref, path = f"refs/heads/{branch}", f"git/matching-refs/heads/{quote(branch, safe='')}"
    exists = _attempt("contents", lambda: any(item["ref"] == ref for item in client.get(path)))
    most = 2 * MOST_BYTES
    return DataBranch(
        name=branch,
        exists=exists,
        rules=_attempt("metadata", lambda: _rules(client, branch)),
        files={name: _file(client, name, branch, most) for name in files if exists is True},
    )
