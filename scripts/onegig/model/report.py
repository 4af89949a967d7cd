"""Everything of one run: what the renderers take, and report.json."""

from dataclasses import dataclass

from onegig.model.images import ImagesReport
from onegig.model.measured import Missing
from onegig.model.memory import MemoryReport
from onegig.model.review import Review
from onegig.model.run import Failure
from onegig.model.verdict import Verdict

REPORT_SCHEMA = "onegig/report/1"


@dataclass(frozen=True, kw_only=True, slots=True)
class Report:
    """Everything of one run: what the renderers take, and report.json."""

    schema: str = REPORT_SCHEMA
    stack: str
    created: str  # ISO 8601, UTC
    commit: str  # "" outside a git checkout
    verdict: Verdict
    images: ImagesReport | Missing
    memory: MemoryReport | Missing
    reproduce: str  # the command that gives this result locally
    failure: Failure | None = None  # why images or memory are missing, where a step failed
    review: Review | None = None  # only where there is something to compare with
