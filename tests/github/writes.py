"""What the stand-in lets itself be told."""

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
