"""`onegig doctor`: find, before first use, what keeps the gate from working."""

import os
from pathlib import Path

import click

from onegig.commands.init import open_client
from onegig.errors import GithubError
from onegig.git import ask_git
from onegig.github.doctor import examine, exit_code
from onegig.github.doctor.checkout import read_checkout, repository_of
from onegig.github.doctor.findings import render
from onegig.github.doctor.hosted import Hosted, read_hosted
from onegig.github.history import READ
from onegig.github.job import COMMENT_WORKFLOW, DATA_BRANCH, GATE_WORKFLOW
from onegig.model.measured import Missing, Skipped, Unknown

EPILOG = """\b
Exit codes:
  0  nothing keeps the gate from working
  2  something must be changed
  4  GitHub could not be asked
"""
ANONYMOUS = (
    "without a token, so settings cannot be seen: GITHUB_TOKEN=$(gh auth token) onegig doctor"
)


@click.command(epilog=EPILOG)
@click.option(
    "--repository", help="owner/name on GitHub. Default: GITHUB_REPOSITORY, or that of `origin`."
)
@click.option(
    "--budgets", default="budgets.yml", show_default=True, help="The budgets file of the gate."
)
@click.option(
    "--gate", default=GATE_WORKFLOW, show_default=True, help="The workflow that measures."
)
@click.option(
    "--comment",
    default=COMMENT_WORKFLOW,
    show_default=True,
    help="The workflow that comments on pull requests.",
)
@click.option(
    "--data-branch", default=DATA_BRANCH, show_default=True, help="The branch with the numbers."
)
@click.option("--offline", is_flag=True, help="Check the checkout only.")
def doctor(
    *,
    repository: str | None,
    budgets: str,
    gate: str,
    comment: str,
    data_branch: str,
    offline: bool,
) -> None:
    """Check, before first use, what the gate needs, and print what to change.

    Checks the workflows and the actions inside of them, the permissions that their jobs need, the
    required check, pull requests from forks, the data branch and the budgets. Only reads. The token
    is GITHUB_TOKEN or GH_TOKEN; an administrator's sees most, and a question mark marks what it may
    not see. `zizmor` checks what holds for any workflow: pinned actions, excessive permissions.
    """
    token = os.environ.get("GITHUB_TOKEN") or os.environ.get("GH_TOKEN") or ""
    checkout = read_checkout(_root(), gate, comment, budgets)
    name = repository or os.environ.get("GITHUB_REPOSITORY") or _origin()
    hosted: Hosted | Missing
    if offline:
        hosted = Skipped(reason="--offline was given")
    elif not name:
        hosted = Unknown(reason="no repository is known: give --repository owner/name")
    else:
        hosted = _hosted(name, token, (gate, comment), data_branch)
    sections = examine(checkout, hosted)
    remark = f" ({ANONYMOUS})" if name and not token and not offline else ""
    click.echo(render(f"onegig doctor: {name or 'this checkout'}{remark}", sections), nl=False)
    click.get_current_context().exit(exit_code(sections, hosted))


def _hosted(name: str, token: str, workflows: tuple[str, ...], branch: str) -> Hosted | Unknown:
    try:
        with open_client(name, token, os.environ.get("GITHUB_API_URL", "")) as client:
            return read_hosted(client, workflows, branch, READ)
    except GithubError as error:
        return Unknown(reason=f"{error.message}; {error.advice}")


def _root() -> Path:
    return Path(ask_git(Path(), "rev-parse", "--show-toplevel").strip() or ".")


def _origin() -> str:
    return repository_of(ask_git(Path(), "remote", "get-url", "origin").strip())
