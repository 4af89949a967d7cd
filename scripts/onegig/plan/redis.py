"""Store a Redis's data in less memory, by the techniques that its audit measured together."""

import math
from collections.abc import Iterator

from onegig.model.measured import Missing
from onegig.model.plan import Action, Basis, Change, ChangeKind, Letter, Loss, Saving
from onegig.model.redis import Saving as Technique
from onegig.model.redis import ServiceRedis
from onegig.model.sizes import format_mb
from onegig.plan.case import Case
from onegig.text import plain

LEAST_BYTES = 1024**2  # less is not worth another form of the data


def redis_savings(case: Case) -> Iterator[Action]:
    """Yield one action for each Redis whose audit found something to save."""
    redis = case.memory.redis
    for service in () if isinstance(redis, Missing) else redis:
        if isinstance(service.audit, Missing) or isinstance(service.audit.savings, Missing):
            continue
        savings = service.audit.savings
        if savings and savings[-1].cumulative_bytes >= LEAST_BYTES:
            yield _action(service, savings)


def _action(service: ServiceRedis, techniques: tuple[Technique, ...]) -> Action:
    """Return all techniques as one action: each was measured on top of those before it."""
    name, saved = service.service, techniques[-1].cumulative_bytes
    down = math.hypot(*(each.saved_bytes - each.low_bytes for each in techniques))
    up = math.hypot(*(each.high_bytes - each.saved_bytes for each in techniques))
    measured = all(each.measured for each in techniques)
    lines = [f"# {format_mb(each.saved_bytes)}: {plain(each.advice)}" for each in techniques]
    return Action(
        id=f"redis:{name}",
        option=Letter.SQUEEZE,
        title=f"Store the data of {plain(name)} in less memory ({len(techniques)} techniques)",
        saving=Saving(
            bytes=saved,
            low_bytes=max(0, saved - math.ceil(down)),
            high_bytes=saved + math.ceil(up),
            basis=Basis.MEASURED if measured else Basis.PREDICTED,
            source="a sample replayed in a scratch server" if measured else "sizes of encodings",
        ),
        cost="programs have to read and write the new form",
        loss=Loss.COMFORT,
        changes=(Change(kind=ChangeKind.COMMANDS, text="\n".join(lines) + "\n"),),
        services=(name,),
        start_bytes=0,
    )
