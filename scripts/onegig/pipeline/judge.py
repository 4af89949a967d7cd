"""The last step: the verdict over what was measured."""

from datetime import UTC, datetime

from onegig.git import ask_git
from onegig.judge.tier import choose_tier
from onegig.judge.verdict import judge
from onegig.model.budgets import Budgets
from onegig.model.images import ImagesReport
from onegig.model.measured import Missing
from onegig.model.memory import MemoryReport
from onegig.model.report import Report
from onegig.model.verdict import Baseline
from onegig.pipeline.options import Options


def judge_reports(
    options: Options,
    budgets: Budgets,
    images: ImagesReport | Missing,
    memory: MemoryReport | Missing,
    main: Baseline | None = None,
) -> Report:
    """Return the verdict over what was measured; `main` is what a pull request goes on top of."""
    tier = choose_tier(budgets, memory, images)
    names = [one.stack for one in (images, memory) if not isinstance(one, Missing) and one.stack]
    now = datetime.now(UTC)
    return Report(
        stack=names[0] if names else options.budgets.resolve().parent.name,
        created=now.isoformat(timespec="seconds"),
        commit=ask_git(options.budgets.parent, "rev-parse", "HEAD").strip(),
        verdict=judge(budgets, images, memory, tier, today=now.date(), main=main),
        images=images,
        memory=memory,
        reproduce=options.reproduce,
    )
