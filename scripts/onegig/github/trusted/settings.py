"""Hold the settings of the trusted half: names and paths that other repositories choose."""

from dataclasses import dataclass

from onegig.github.trusted.comment import AUTHOR, KEY
from onegig.github.trusted.confirmations import WORKFLOW as OWN_WORKFLOW
from onegig.github.trusted.numbers import ARTIFACT
from onegig.github.trusted.runs import WORKFLOW
from onegig.github.trusted.statuses import NAME


@dataclass(frozen=True, kw_only=True, slots=True)
class Settings:
    """Options of `onegig comment`, and what GitHub tells its job of itself."""

    workflow: str = WORKFLOW
    budgets: str = "budgets.yml"  # in the repository
    measuring: tuple[str, ...] = ()  # what else decides how is measured than what the gate runs
    key: str = KEY
    status: str = NAME
    artifact: str = ARTIFACT
    author: str = AUTHOR
    own_workflow: str = OWN_WORKFLOW  # the file of the workflow that runs this
    own_run: str = ""  # the id of its run
