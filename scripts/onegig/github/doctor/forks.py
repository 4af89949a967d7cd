"""What happens to a pull request from a fork."""

from collections.abc import Iterator

from onegig.github.doctor.checkout import Checkout
from onegig.github.doctor.findings import Finding, good, must, should, unknown
from onegig.github.doctor.hosted import Hosted
from onegig.model.measured import Skipped, Unknown

POLICIES = {
    "first_time_contributors_new_to_github": "of people new to GitHub and to this repository",
    "first_time_contributors": "of people new to this repository",
    "all_external_contributors": "of everybody without write access",
}


def forks(checkout: Checkout, hosted: Hosted) -> Iterator[Finding]:
    """Findings about forks: whether the gate runs for them, and who tells them the verdict."""
    approval, private = hosted.fork_approval, hosted.private_forks
    if isinstance(approval, Unknown):
        yield unknown("whose runs wait for an approval", approval.reason)
    elif isinstance(approval, str):
        whose = POLICIES.get(approval, approval)
        yield good(
            f"first runs {whose} wait until somebody with write access approves them "
            "(Approve and run on the pull request)"
        )
    if isinstance(private, Unknown):
        yield unknown("whether workflows run for forks of this private repository", private.reason)
    elif not isinstance(private, Skipped):
        yield from _private(private, f"{hosted.page}/settings/actions")
    if checkout.comment in checkout.workflows:
        yield good(
            "a fork's run has a read-only token: its numbers are taken up by "
            f"{checkout.comment}, and a GO waits until a maintainer confirms it (`forks` in "
            f"{checkout.budgets})"
        )


def _private(private: object, page: str) -> Iterator[Finding]:
    settings = private if isinstance(private, dict) else {}
    if not settings.get("run_workflows_from_fork_pull_requests"):
        yield should(
            "workflows do not run for forks of this private repository: their pull requests get no "
            "verdict, and where it is required they cannot be merged",
            f"{page}, Run workflows from fork pull requests",
        )
    elif settings.get("send_write_tokens_to_workflows"):
        yield must(
            "runs of forks get a token that may write: strangers' code with your token",
            f"{page}, switch off Send write tokens to workflows from fork pull requests",
        )
    else:
        yield good("workflows run for forks of this private repository, with a token that reads")
