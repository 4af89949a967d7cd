"""What the stand-in lets itself be told."""

import base64

from github.reads import ref_body
from github.routes import NOT_FOUND, Call, Reply, error, route
from github.state import Status

MOST_DESCRIPTION = 140
COMMENTS = "issues=write; pull_requests=write"


@route("post", "/issues/{issue_number}/comments", needs=COMMENTS)
def create_comment(call: Call) -> Reply:
    pull = call.state.pulls.get(call.number("issue_number"))
    if not pull:
        return NOT_FOUND
    if pull.locked:
        return error(403, "Unable to create comment because issue is locked.")
    if problem := _comment_problem(call):
        return problem
    comment = call.state.comment(pull.number, call.body["body"], login=call.state.login)
    body = call.bodies.comment(comment)
    return Reply(status=201, body=body, headers={"Location": body["url"]})


@route("patch", "/issues/comments/{comment_id}", needs=COMMENTS)
def update_comment(call: Call) -> Reply:
    comment = call.state.comments.get(call.number("comment_id"))
    if not comment:
        return NOT_FOUND
    if problem := _comment_problem(call):
        return problem
    comment.body = call.body["body"]
    return Reply(body=call.bodies.comment(comment))


@route("delete", "/issues/comments/{comment_id}", needs=COMMENTS)
def delete_comment(call: Call) -> Reply:
    gone = call.state.comments.pop(call.number("comment_id"), None)
    return Reply(status=204) if gone else NOT_FOUND


@route("post", "/statuses/{sha}", needs="statuses=write")
def create_status(call: Call) -> Reply:
    if call.values["sha"] not in call.state.commits:
        return error(422, f"No commit found for SHA: {call.values['sha']}")
    if len(call.body.get("description", "")) > MOST_DESCRIPTION:
        return error(422, "Validation Failed: description is too long (maximum is 140 characters)")
    status = Status(
        sha=call.values["sha"],
        state=call.body["state"],
        context=call.body.get("context", "default"),
        description=call.body.get("description", ""),
        url=call.body.get("target_url", ""),
        login=call.state.login,
    )
    call.state.statuses.append(status)
    return Reply(status=201, body=call.bodies.status(status))


@route("put", "/contents/{path}", needs="contents=write")
def put_content(call: Call) -> Reply:
    """A commit on top of a branch, refused when the file is not what the sender saw."""
    path, state = call.values["path"], call.state
    branch = call.body.get("branch", state.default_branch)
    if branch not in state.branches:
        return error(404, f"Branch {branch} not found")
    before = state.commits[state.branches[branch]].files.get(path)
    sha = call.bodies.file(path, before)["sha"] if before is not None else None
    if call.body.get("sha") != sha:
        return error(409, f"{path} does not match {call.body.get('sha')}")
    text = base64.b64decode(call.body["content"]).decode()
    state.commit({path: text}, branch=branch, message=call.body["message"])
    status, name = (200, "updating") if sha else (201, "creating")
    example = call.bodies.example(
        "put", "/contents/{path}", str(status), f"example-for-{name}-a-file"
    )
    return Reply(status=status, body={**example, "content": call.bodies.file(path, text)})


@route("post", "/git/refs", needs="contents=write")
def create_ref(call: Call) -> Reply:
    name = call.body["ref"].removeprefix("refs/heads/")
    if name in call.state.branches:
        return error(422, "Reference already exists")
    if call.body["sha"] not in call.state.commits:
        return error(422, "Object does not exist")
    call.state.branches[name] = call.body["sha"]
    return Reply(status=201, body=ref_body(call, name))


@route("patch", "/git/refs/{ref}", needs="contents=write")
def update_ref(call: Call) -> Reply:
    name, sha = call.values["ref"].removeprefix("heads/"), call.body["sha"]
    if name not in call.state.branches:
        return error(422, "Reference does not exist")
    forward = call.state.branches[name] in call.state.ancestors(sha)
    if not forward and not call.body.get("force"):
        return error(422, "Update is not a fast forward")
    call.state.branches[name] = sha
    return Reply(body=ref_body(call, name))


def _comment_problem(call: Call) -> Reply | None:
    most = call.state.most_comment
    if len(call.body["body"]) <= most:
        return None
    problem = {
        "resource": "IssueComment",
        "code": "unprocessable",
        "field": "data",
        "message": f"Body is too long (maximum is {most} characters)",
    }
    return error(422, "Validation Failed", [problem])
