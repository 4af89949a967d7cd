"""Numbers that a maintainer vouches for, by starting the trusted workflow by hand.

Whoever may start it has write access. GitHub records who it was, on which branch and, in the run's
title, for which pull request at which commit: nothing else is needed to find it again.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote

from onegig.errors import ConfigError, GithubError
from onegig.github.client import Client
from onegig.github.trees import branch_tip, contains
from onegig.github.trusted.pulls import Pull
from onegig.github.trusted.runs import path_of, runs_of
from onegig.github.trusted.trigger import Confirmation, Home

WORKFLOW = ".github/workflows/comment.yml"
DISPATCH = "workflow_dispatch"
NOT_FOUND = 404
_STANDING = (None, "success")  # of the run: it goes on, or has confirmed what was asked


@dataclass(frozen=True, kw_only=True, slots=True)
class Confirmed:
    """Who confirmed a pull request, and when (ISO 8601)."""

    by: str
    at: str


def title(pull: int, head_sha: str) -> str:
    """Return the title of a run that confirms: `run-name` of the workflow."""
    return f"confirm #{pull} at {head_sha}"


def command(workflow: str, pull: Pull) -> str:
    """Return what a maintainer types."""
    file = workflow.rpartition("/")[2]
    return f"gh workflow run {file} -f pull={pull.number} -f head={pull.head_sha}"


def page(workflow: str, home: Home) -> str:
    """Return where a maintainer can start the workflow."""
    return f"{home.page}/actions/workflows/{quote(workflow.rpartition('/')[2], safe='')}"


def find_confirmers(
    client: Client, home: Home, workflow: str, pulls: Sequence[Pull], own_run: str
) -> Mapping[int, Confirmed]:
    """Return the newest confirmation of each pull request at its present head, by number.

    `own_run` is the id of the run that this job is part of, which the list may not have yet.
    """
    titles = {title(pull.number, pull.head_sha): pull.number for pull in pulls}
    matching = [
        run
        for run in _runs(client, home, workflow, min(pull.created for pull in pulls), own_run)
        if run["display_title"] in titles and _is_valid(run, home, workflow)
    ]
    if not matching:
        return {}
    tip = branch_tip(client, home.default_branch)
    valid = [run for run in matching if contains(client, tip, run["head_sha"])]  # no tag's
    return {
        titles[run["display_title"]]: Confirmed(
            by=str(run["actor"]["login"]), at=str(run["created_at"])
        )
        for run in sorted(valid, key=lambda run: str(run["created_at"]))
    }


def check_confirmation(client: Client, asked: Confirmation) -> None:
    """Raise ConfigError unless the pull request is open and has just that head."""
    try:
        pull = client.get(f"pulls/{asked.pull}")
    except GithubError as error:
        if error.status != NOT_FOUND:
            raise
        raise ConfigError(
            f"there is no pull request #{asked.pull}", advice="give the number of an open one"
        ) from error
    if pull["state"] != "open":
        raise ConfigError(
            f"pull request #{asked.pull} is not open", advice="there is nothing to confirm"
        )
    if pull["head"]["sha"] != asked.head_sha:
        raise ConfigError(
            f"the head of #{asked.pull} is {pull['head']['sha']} now, not {asked.head_sha}",
            advice="read what it changes, and confirm that commit",
        )


def _runs(
    client: Client, home: Home, workflow: str, since: str, own_run: str
) -> Iterator[Mapping[str, Any]]:
    branch = home.default_branch
    yield from runs_of(client, workflow, event=DISPATCH, branch=branch, created=f">={since}")
    if own_run:
        yield client.get(f"actions/runs/{own_run}")


def _is_valid(run: Mapping[str, Any], home: Home, workflow: str) -> bool:
    """Return whether a person started the default branch's own workflow in this repository."""
    head = run["head_repository"] or {}
    return (
        run["event"] == DISPATCH
        and path_of(run) == workflow
        and run["head_branch"] == home.default_branch
        and run["conclusion"] in _STANDING
        and run["repository"]["id"] == head.get("id") == home.repository.id
        # a job's own token may start workflows, too, where it has `actions: write`
        and (run.get("actor") or {}).get("type") == "User"
    )
