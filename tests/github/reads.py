"""What the stand-in tells."""

from typing import Any

from github.routes import NOT_FOUND, Call, Reply, error, route
from github.state import Artifact, Commit

RAW = "application/vnd.github.raw"


@route("get", "", needs="")
def repository(call: Call) -> Reply:
    return Reply(body=call.bodies.repository())


@route("get", "/pulls", needs="pull_requests=read")
def list_pulls(call: Call) -> Reply:
    """GitHub ignores a `head` without an owner."""
    state, head, base = (call.query.get(name, "") for name in ("state", "head", "base"))
    owner, _, ref = head.partition(":")
    result = [
        pull
        for pull in sorted(call.state.pulls.values(), key=lambda pull: -pull.number)
        if state == "all" or pull.state == (state or "open")
        if not ref
        or (pull.head_ref == ref and (pull.head_repository or "").partition("/")[0] == owner)
        if base in ("", pull.base_ref)
    ]
    return Reply(body=[call.bodies.pull(item, whole=False) for item in result], paged=True)


@route("get", "/pulls/{pull_number}", needs="pull_requests=read")
def get_pull(call: Call) -> Reply:
    pull = call.state.pulls.get(call.number("pull_number"))
    return Reply(body=call.bodies.pull(pull, whole=True)) if pull else NOT_FOUND


@route("get", "/issues/{issue_number}/comments", needs="issues=read; pull_requests=read")
def list_comments(call: Call) -> Reply:
    number = call.number("issue_number")
    if number not in call.state.pulls:
        return NOT_FOUND
    result = [comment for comment in call.state.comments.values() if comment.issue == number]
    return Reply(body=[call.bodies.comment(item) for item in result], paged=True)


@route("get", "/issues/{issue_number}/events", needs="issues=read; pull_requests=read")
def list_events(call: Call) -> Reply:
    """Of pull requests: only changes of the base branch, beside one that says nothing."""
    pull = call.state.pulls.get(call.number("issue_number"))
    if not pull:
        return NOT_FOUND
    example = call.bodies.example("get", "/issues/{issue_number}/events")[0]
    changes = [pull.base_changed] if pull.base_changed else []
    events = [{**example, "event": "base_ref_changed", "created_at": change} for change in changes]
    return Reply(body=[example, *events], paged=True)


@route("get", "/issues/comments/{comment_id}", needs="issues=read; pull_requests=read")
def get_comment(call: Call) -> Reply:
    comment = call.state.comments.get(call.number("comment_id"))
    return Reply(body=call.bodies.comment(comment)) if comment else NOT_FOUND


@route("get", "/commits", needs="contents=read")
def list_commits(call: Call) -> Reply:
    start = call.state.find_commit(call.query.get("sha", call.state.default_branch))
    if not start:
        return NOT_FOUND
    result = (call.state.commits[sha] for sha in call.state.ancestors(start.sha))
    return Reply(body=[call.bodies.commit(item) for item in result], paged=True)


@route("get", "/commits/{ref}", needs="contents=read")
def get_commit(call: Call) -> Reply:
    commit = call.state.find_commit(call.values["ref"])
    return Reply(body=call.bodies.commit(commit)) if commit else _no_commit(call.values["ref"])


@route("get", "/commits/{ref}/check-runs", needs="checks=read")
def list_check_runs(call: Call) -> Reply:
    commit = call.state.find_commit(call.values["ref"])
    if not commit:
        return _no_commit(call.values["ref"])
    result = [
        check_run
        for check_run in call.state.check_runs.values()
        if check_run.head_sha == commit.sha
    ]
    return _counted("check_runs", [call.bodies.check_run(item) for item in result])


@route("get", "/commits/{ref}/statuses", needs="statuses=read")
def list_statuses(call: Call) -> Reply:
    commit = call.state.find_commit(call.values["ref"])
    if not commit:
        return _no_commit(call.values["ref"])
    result = [status for status in reversed(call.state.statuses) if status.sha == commit.sha]
    return Reply(body=[call.bodies.status(item) for item in result], paged=True)


@route("get", "/compare/{basehead}", needs="contents=read")
def compare(call: Call) -> Reply:
    """Forks' ends are written "owner:branch"; their commits lie in the same store."""
    ends = [item.rpartition(":")[2] for item in call.values["basehead"].split("...")]
    base, head = (call.state.find_commit(end) for end in ends)
    if not base or not head:
        return NOT_FOUND
    of_base = set(call.state.ancestors(base.sha))
    if not of_base & set(call.state.ancestors(head.sha)):
        return error(404, "No common ancestor between the two")
    result: list[Commit] = [
        call.state.commits[sha] for sha in call.state.ancestors(head.sha) if sha not in of_base
    ]
    return Reply(body=call.bodies.compare(base, head, result[::-1]), paged=True, key="commits")


@route("get", "/contents/{path}", needs="contents=read")
def get_content(call: Call) -> Reply:
    ref = call.query.get("ref", call.state.default_branch)
    commit = call.state.find_commit(ref)
    path = call.values["path"].strip("/")
    if not commit:
        return error(404, f"No commit found for the ref {ref}")
    if path not in commit.files or not call.accept.startswith(RAW):
        return NOT_FOUND
    headers = {"Content-Type": f"{RAW}; charset=utf-8"}
    return Reply(raw=commit.files[path].encode(), headers=headers)


@route("get", "/branches/{branch}", needs="contents=read")
def get_branch(call: Call) -> Reply:
    name = call.values["branch"]
    if name not in call.state.branches:
        return error(404, "Branch not found")
    body = call.bodies.example("get", "/branches/{branch}")
    commit = call.bodies.commit(call.state.commits[call.state.branches[name]])
    checks = list(call.state.required_checks.get(name, ()))
    protection = {
        "enabled": bool(checks),
        "required_status_checks": {
            "enforcement_level": "non_admins" if checks else "off",
            "contexts": checks,
            "checks": [{"context": check, "app_id": None} for check in checks],
        },
    }
    protected = bool(checks) or name in call.state.protected
    body |= {"name": name, "commit": commit, "protected": protected, "protection": protection}
    return Reply(body=body)


@route("get", "/branches/{branch}/protection", needs="administration=read")
def get_protection(call: Call) -> Reply:
    checks = call.state.required_checks.get(call.values["branch"])
    if checks is None:
        return error(404, "Branch not protected")
    example = call.bodies.example("get", "/branches/{branch}/protection")
    body = {name: example[name] for name in ("url", "required_status_checks", "enforce_admins")}
    body["required_status_checks"] |= {
        "strict": False,
        "contexts": list(checks),
        "checks": [{"context": check, "app_id": None} for check in checks],
    }
    return Reply(body=body)


@route("get", "/rules/branches/{branch}", needs="metadata=read")
def get_rules(call: Call) -> Reply:
    source = {
        "ruleset_source_type": "Repository",
        "ruleset_source": call.state.repository,
        "ruleset_id": 42,
    }
    rules = call.state.rules.get(call.values["branch"], [])
    return Reply(body=[{**source, **rule} for rule in rules], paged=True)


@route("get", "/actions/runs/{run_id}", needs="actions=read")
def get_run(call: Call) -> Reply:
    run = call.state.runs.get(call.number("run_id"))
    return Reply(body=call.bodies.run(run)) if run else NOT_FOUND


@route("get", "/actions/workflows/{workflow_id}/runs", needs="actions=read")
def list_runs(call: Call) -> Reply:
    """By the workflow's file; the newest first."""
    query, file = call.query, call.values["workflow_id"]
    since = query.get("created", "").removeprefix(">=")
    result = [
        run
        for run in sorted(call.state.runs.values(), key=lambda run: -run.id)
        if run.path.partition("@")[0].rpartition("/")[2] == file
        and query.get("head_sha", run.head_sha) == run.head_sha
        and query.get("event", run.event) == run.event
        and query.get("branch", run.head_branch) == run.head_branch
        and since <= run.created
    ]
    return _counted("workflow_runs", [call.bodies.run(item) for item in result])


@route("get", "/actions/runs/{run_id}/artifacts", needs="actions=read")
def list_artifacts(call: Call) -> Reply:
    number, name = call.number("run_id"), call.query.get("name", "")
    if number not in call.state.runs:
        return NOT_FOUND
    result = [
        artifact
        for artifact in call.state.artifacts.values()
        if artifact.run == number and name in ("", artifact.name)
    ]
    return _counted("artifacts", [call.bodies.artifact(item) for item in result])


@route("get", "/actions/artifacts/{artifact_id}/{archive_format}", needs="actions=read")
def download_artifact(call: Call) -> Reply:
    """The server adds the address of its storage."""
    artifact: Artifact | None = call.state.artifacts.get(call.number("artifact_id"))
    if not artifact:
        return NOT_FOUND
    if artifact.expired:
        return error(410, "Artifact has expired")
    return Reply(status=302, headers={"Location": f"/{artifact.id}?sig=ofAStandIn"})


@route("get", "/actions/workflows", needs="actions=read")
def list_workflows(call: Call) -> Reply:
    """Those of the default branch."""
    template = call.bodies.example("get", "/actions/workflows")["workflows"][0]
    tip = call.state.commits[call.state.branches[call.state.default_branch]]
    paths = sorted(path for path in tip.files if path.startswith(".github/workflows/"))
    disabled = call.state.actions.disabled_workflows
    return _counted(
        "workflows",
        [
            {
                **template,
                "id": number,
                "path": path,
                "name": path.rpartition("/")[2].partition(".")[0],
                "state": "disabled_manually" if path in disabled else "active",
            }
            for number, path in enumerate(paths, 1)
        ],
    )


@route("get", "/actions/permissions", needs="administration=read")
def actions_permissions(call: Call) -> Reply:
    """`allowed_actions` is only told where Actions may run at all."""
    actions = call.state.actions
    allowed = {"allowed_actions": actions.allowed} if actions.enabled else {}
    return Reply(body={"enabled": actions.enabled, "sha_pinning_required": False, **allowed})


@route("get", "/actions/permissions/workflow", needs="administration=read")
def workflow_permissions(call: Call) -> Reply:
    return Reply(
        body={
            "default_workflow_permissions": call.state.actions.default_permissions,
            "can_approve_pull_request_reviews": False,
        }
    )


@route("get", "/actions/permissions/selected-actions", needs="administration=read")
def selected_actions(call: Call) -> Reply:
    if call.state.actions.allowed != "selected":
        return error(409, "The allowed actions are not selected ones")
    return Reply(body=call.state.actions.selected)


@route("get", "/actions/permissions/fork-pr-contributor-approval", needs="administration=read")
def fork_approval(call: Call) -> Reply:
    if call.state.private:
        return NOT_FOUND
    return Reply(body={"approval_policy": call.state.actions.fork_approval})


@route("get", "/actions/permissions/fork-pr-workflows-private-repos", needs="administration=read")
def private_forks(call: Call) -> Reply:
    """Public repositories have no such settings."""
    if not call.state.private:
        return NOT_FOUND
    settings = dict.fromkeys(
        (
            "run_workflows_from_fork_pull_requests",
            "send_write_tokens_to_workflows",
            "send_secrets_and_variables",
            "require_approval_for_fork_pr_workflows",
        ),
        False,
    )
    return Reply(body={**settings, **call.state.actions.private_forks})


@route("get", "/git/matching-refs/{ref}", needs="contents=read")
def matching_refs(call: Call) -> Reply:
    example = call.bodies.example("get", "/git/matching-refs/{ref}")[0]
    start = call.values["ref"].removeprefix("heads/")
    names = sorted(name for name in call.state.branches if name.startswith(start))
    return Reply(
        body=[
            {**example, "ref": f"refs/heads/{name}", "object": _tip(call, name, example)}
            for name in names
        ]
    )


def _tip(call: Call, name: str, example: dict[str, Any]) -> dict[str, Any]:
    return {**example["object"], "type": "commit", "sha": call.state.branches[name]}


def _counted(key: str, items: list[Any]) -> Reply:
    return Reply(body={"total_count": len(items), key: items}, paged=True, key=key)


def _no_commit(ref: str) -> Reply:
    return error(422, f"No commit found for SHA: {ref}")
