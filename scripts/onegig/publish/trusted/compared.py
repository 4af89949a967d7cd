"""Which commit a pull request's numbers are compared with, and how far its branch lags behind.

A merge ref is compared with its first parent, which is what the base branch was when it was
measured. That is the run's claim: GitHub must know the merge commit, with just these parents, and
the parent as a commit of the base branch. Otherwise the merge base is used, and that is said.
"""

from dataclasses import dataclass
from urllib.parse import quote

from onegig.errors import GithubError
from onegig.model.measured import Missing, Unknown
from onegig.model.run import RunReport
from onegig.publish.github.client import Client
from onegig.publish.trusted.pulls import Pull, contains

UNKNOWN_COMMIT = (404, 422)
NOT_VERIFIED = (
    "what it was measured on top of could not be verified, so it is compared with the merge base"
)


@dataclass(frozen=True, kw_only=True, slots=True)
class Compared:
    """The commit compared with ("" when there is none); `doubt` says where it is second best."""

    base_sha: str
    merge_base: str
    branch_behind: int | Missing
    doubt: str = ""


def measured_on(client: Client, claim: RunReport, head_sha: str) -> str:
    """The commit into which the head was merged to be measured; "" when GitHub knows otherwise."""
    if not claim.measured_sha or not claim.base_sha or claim.head_sha != head_sha:
        return ""
    try:
        commit = client.get(f"commits/{claim.measured_sha}", per_page=1)
    except GithubError as error:
        if error.status in UNKNOWN_COMMIT:
            return ""
        raise
    parents = [parent["sha"] for parent in commit["parents"]]
    return claim.base_sha if parents == [claim.base_sha, head_sha] else ""


def find_compared(client: Client, pull: Pull, base_sha: str, *, is_claimed: bool) -> Compared:
    """What to compare with; `base_sha` as `measured_on` gives it of a run that claims one."""
    try:
        path = f"compare/{quote(pull.base_branch, safe='')}...{pull.head_sha}"
        facts = client.get(path, per_page=1)
    except GithubError as error:
        if error.status not in UNKNOWN_COMMIT:
            raise
        behind = Unknown(reason=f"GitHub could not compare it with {pull.base_branch}")
        return Compared(base_sha="", merge_base="", branch_behind=behind)
    merge_base = str(facts["merge_base_commit"]["sha"])
    is_verified = bool(base_sha) and contains(client, pull.base_branch, base_sha)
    return Compared(
        base_sha=base_sha if is_verified else merge_base,
        merge_base=merge_base,
        branch_behind=int(facts["behind_by"]),
        doubt=NOT_VERIFIED if is_claimed and not is_verified else "",
    )
