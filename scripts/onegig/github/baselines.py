"""The baseline of a commit: its nearest ancestor whose numbers the data branch has."""

from collections.abc import Iterator

from onegig.errors import GithubError, HistoryError
from onegig.github.client import Client
from onegig.github.data.history import HISTORY, MOST_BYTES, nearest, parse_history
from onegig.github.names import DATA_BRANCH
from onegig.github.transport import RAW
from onegig.github.trees import branch_tip
from onegig.model.measured import Missing, Skipped, Unknown
from onegig.model.verdict import Baseline

MOST_COMMITS = 200  # looked at, from the compared one back
GONE = (404, 410)


def find_baseline(
    client: Client, base_sha: str, branch: str, *, data_branch: str = DATA_BRANCH
) -> tuple[Baseline, int] | Missing:
    """Return the baseline of a change on top of `base_sha`, and how many commits it is behind.

    `branch` is what `base_sha` is a commit of. Skipped where there is none yet, Unknown where it
    could not be read: no error stops a report.
    """
    try:
        history = _read_history(client, data_branch)
        commits = list(_back_from(client, base_sha)) if history else []
    except GithubError as error:
        return Unknown(reason=f"the baseline could not be read: {error.message}")
    except HistoryError as error:
        return Unknown(reason=f"the history on {data_branch} could not be read: {error.message}")
    if not history:
        return Skipped(reason=f"no baseline yet: onegig has not run on {branch}")
    return nearest(history, commits) or Skipped(
        reason=f"no baseline: none of the last {len(commits)} commits up to {base_sha[:12]} "
        f"was measured on {branch}"
    )


def _read_history(client: Client, data_branch: str) -> tuple[Baseline, ...]:
    """Return everything measured so far; nothing where there is no branch or file yet."""
    try:
        tip = branch_tip(client, data_branch)  # a tag may have the branch's name
        text = client.download(
            f"contents/{HISTORY}", accept=RAW, most_bytes=2 * MOST_BYTES, ref=tip
        )
        return parse_history(text.decode("utf-8"))
    except GithubError as error:
        if error.status in GONE:
            return ()
        raise
    except UnicodeDecodeError as error:
        raise HistoryError("it is not UTF-8 text") from error


def _back_from(client: Client, commit: str) -> Iterator[str]:
    """Return the commit, then its ancestors, newest first."""
    listed = client.pages("commits", most=MOST_COMMITS, sha=commit)
    return (str(one["sha"]) for one in listed)
