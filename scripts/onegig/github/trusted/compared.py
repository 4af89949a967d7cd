"""Which commit a pull request's numbers are compared with, and how far its branch lags behind.

A merge ref is compared with its first parent, which is what the base branch was when it was
measured. That is the run's claim: GitHub must know the merge commit, with just these parents, and
the parent as a commit of the base branch, not older than where the pull request left it: an older
one could excuse what the base branch has fixed since. Otherwise there is no baseline.
"""

from dataclasses import dataclass

from onegig.errors import GithubError
from onegig.github.client import Client
from onegig.github.trees import UNKNOWN_COMMIT, contains
from onegig.github.trusted.measuring import Sides
from onegig.model.measured import Missing, Unknown
from onegig.model.report import RunReport

NOT_VERIFIED = "no baseline: what it was measured on top of could not be verified"


@dataclass(frozen=True, kw_only=True, slots=True)
class Compared:
    """The commit compared with, "" when there is none; `doubt` says why if it was claimed."""

    base_sha: str
    merge_base: str
    branch_behind: int | Missing
    doubt: str = ""


def measured_on(client: Client, claim: RunReport, head_sha: str) -> str:
    """Return the commit into which the head was merged to be measured; "" if GitHub knows none."""
    if not claim.measured_sha or not claim.base_sha or claim.head_sha != head_sha:
        return ""
    parents = _parents(client, claim.measured_sha)
    return claim.base_sha if parents == (claim.base_sha, head_sha) else ""


def find_compared(
    client: Client, tip: str, head_sha: str, base_sha: str, *, is_claimed: bool
) -> Compared:
    """Return what to compare a head with, that goes on top of a base branch whose tip is `tip`.

    `base_sha` is as `measured_on` gives it, of a run that claims one.
    """
    try:
        facts = client.get(f"compare/{tip}...{head_sha}", per_page=1)
    except GithubError as error:
        if error.status not in UNKNOWN_COMMIT:
            raise
        behind = Unknown(reason="GitHub could not compare it with the base branch")
        doubt = NOT_VERIFIED if is_claimed else ""
        return Compared(base_sha="", merge_base="", branch_behind=behind, doubt=doubt)
    merge_base = str(facts["merge_base_commit"]["sha"])
    is_verified = (
        bool(base_sha)
        and contains(client, tip, base_sha)
        and contains(client, base_sha, merge_base)
    )
    unclaimed = "" if is_claimed else merge_base
    return Compared(
        base_sha=base_sha if is_verified else unclaimed,
        merge_base=merge_base,
        branch_behind=int(facts["behind_by"]),
        doubt=NOT_VERIFIED if is_claimed and not is_verified else "",
    )


def find_sides(client: Client, number: int, tip: str, head_sha: str, compared: Compared) -> Sides:
    """Return the commits that decide whether a pull request changes how is measured."""
    sides = Sides(base=tip, head=head_sha, merge_base=compared.merge_base)
    if compared.branch_behind == 0:
        return sides
    merge = str(client.get(f"pulls/{number}").get("merge_commit_sha") or "")
    parents = _parents(client, merge) if merge else ()
    if len(parents) != 2 or parents[1] != head_sha or not contains(client, tip, parents[0]):
        return sides
    return Sides(
        base=tip,
        head=head_sha,
        merge_base=compared.merge_base,
        merge=merge,
        merge_onto=parents[0],
    )


def _parents(client: Client, commit: str) -> tuple[str, ...]:
    """Return a commit's parents; () where GitHub does not know it."""
    try:
        found = client.get(f"commits/{commit}", per_page=1)
    except GithubError as error:
        if error.status in UNKNOWN_COMMIT:
            return ()
        raise
    return tuple(str(parent["sha"]) for parent in found["parents"])
