"""Small stacks for tests of the judge: every byte is said by hand."""

from collections.abc import Callable, Iterable
from dataclasses import replace
from datetime import date

from factories import LIMIT, make_images, make_memory, make_service
from onegig.judge.verdict import judge
from onegig.model.budgets import Budgets, MemoryBudget
from onegig.model.images import ImagesReport
from onegig.model.measured import Missing
from onegig.model.memory import EnginePart, MemoryReport, Sample
from onegig.model.service import ServiceMemory
from onegig.model.state import State
from onegig.model.tiers import Tier
from onegig.model.verdict import Check, Verdict

MIB = 1024**2
TODAY = date(2026, 11, 23)
BUDGETS = Budgets(path="budgets.yml", compose="compose.yml")
Judge = Callable[..., Verdict]
GO, WARN, INCOMPLETE, NO_GO = State.GO, State.WARN, State.INCOMPLETE, State.NO_GO


def limits(limit_bytes: int, **changes: object) -> Budgets:
    """Budgets of a machine with `limit_bytes`, no system overhead, other memory values as said."""
    memory = MemoryBudget(limit_bytes=limit_bytes, system_overhead_bytes=0)
    return replace(BUDGETS, memory=replace(memory, **changes))  # type: ignore[arg-type]


def service(name: str, rss_bytes: int, **changes: object) -> ServiceMemory:
    """A healthy service that can't run twice, with exactly these bytes by every metric."""
    exact = {
        "single": "publishes port 80",
        **dict.fromkeys(("cost_bytes", "rss_bytes"), rss_bytes),
        **dict.fromkeys(("pss_bytes", "working_set_bytes"), rss_bytes),
        **dict.fromkeys(("rss_min_bytes", "rss_max_bytes", "peak_bytes"), rss_bytes),
    }
    return replace(make_service(name, 0), **{**exact, **changes})  # type: ignore[arg-type]


def measured(
    services: Iterable[ServiceMemory], *, engine: int = 0, totals: Iterable[int] = ()
) -> MemoryReport:
    """A report of these services; `totals` are the samples of the window, by default none."""
    own = tuple(services)
    part = EnginePart(name="dockerd", processes=1, rss_bytes=engine, pss_bytes=engine)
    report = make_memory(own, engine=(part,), samples=samples(totals))
    charged = engine + sum(entry.working_set_bytes for entry in own)
    cost = engine + sum(entry.cost_bytes for entry in own)
    return replace(
        report, box=replace(report.box, charged_bytes=charged, cost_bytes=cost, cap_bytes=LIMIT)
    )


def samples(totals: Iterable[int]) -> tuple[Sample, ...]:
    """A window whose passes had these totals."""
    return tuple(
        Sample(
            offset_seconds=i / 10,
            total_bytes=total,
            cost_bytes=total,
            charged_bytes=total,
            rss_bytes=total,
            engine_bytes=0,
            service_bytes=(total,),
        )
        for i, total in enumerate(totals)
    )


def checks(verdict: Verdict, identity: str) -> list[Check]:
    """The checks of one kind."""
    return [check for check in verdict.checks if check.id == identity]


def is_missing(value: object) -> bool:
    """Whether a value is one of the types that say why it is not there."""
    return isinstance(value, Missing)


def judge_stack(
    budgets: Budgets,
    memory: MemoryReport,
    images: ImagesReport | None = None,
    tier: Tier | None = None,
    today: date = TODAY,
) -> Verdict:
    """Return the verdict; each service that was measured has an image of its own by default."""
    built = images or make_images([service.name for service in memory.services])
    return judge(budgets, built, memory, tier, today=today)
