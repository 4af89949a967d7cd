"""Turn off optional services: those labelled `onegig.optional`, by `onegig.criticality`.

A service saves what it took at the peak of the window, and what the engine keeps for it.
Only services that nothing else needs are turned off, or that only optional ones need, which then go
with it. What is critical stays.
"""

import json
from collections.abc import Iterator, Sequence

from onegig.judge.memory import consumption, own_ranges
from onegig.model.images import Image
from onegig.model.measured import Missing
from onegig.model.plan import Action, Basis, Change, ChangeKind, Letter, Loss, Saving
from onegig.model.service import ServiceMemory
from onegig.plan.case import Case
from onegig.plan.containers import container_bytes
from onegig.text import plain

CRITICAL = "critical"
PROFILE = "optional"  # the compose profile that turns it on again
_LOSSES = {"low": Loss.MINOR, "high": Loss.MAJOR}


def optional_services(case: Case) -> Iterator[Action]:
    """Yield an action for each optional service."""
    metric = case.budgets.memory.metric
    # Compose would only add another profile to those that are active.
    profiled = {name for name, config in case.configs.items() if config.get("profiles")}
    for service in case.memory.services:
        together = _with_dependents(case, service)
        names = tuple(each.name for each in together)
        if not all(map(_may_go, together)) or not profiled.isdisjoint(names):
            continue
        ranges = own_ranges(case.memory, metric)
        own = sum(consumption(each, metric) for each in together)
        low, high = (sum(ranges[each.name][at] for each in together) for at in (0, 1))
        count = sum(each.containers for each in together)
        engine = container_bytes(case.memory, metric).times(count)
        yield Action(
            id=f"off:{service.name}",
            option=Letter.SQUEEZE,
            title=f"Turn off {_listed(names)}",
            saving=Saving(
                bytes=own + engine.bytes,
                low_bytes=min(low, own) + engine.low_bytes,
                high_bytes=max(high, own) + engine.high_bytes,
                basis=Basis.PREDICTED,
                source="its memory in the window, and the engine's for its containers",
            ),
            cost=_label(service),
            loss=max(_LOSSES.get(each.criticality, Loss.FEATURE) for each in together),
            changes=(_change(names),),
            services=names,
            removes=names,
            disk_bytes=_disk_bytes(case, names),
        )


def _may_go(service: ServiceMemory) -> bool:
    return service.optional and service.criticality != CRITICAL


def _with_dependents(case: Case, service: ServiceMemory) -> tuple[ServiceMemory, ...]:
    """Return the service and those that need it."""
    if isinstance(case.stack, Missing):
        return (service,)
    needs = {each.name: case.stack.needs(each.name) for each in case.memory.services}
    others = [each for each in case.memory.services if service.name in needs[each.name]]
    return (service, *others)


def _label(service: ServiceMemory) -> str:
    return (
        f"optional, criticality {plain(service.criticality)}" if service.criticality else "optional"
    )


def _listed(names: Sequence[str]) -> str:
    *first, last = map(plain, names)
    return f"{', '.join(first)} and {last}" if first else last


def _change(names: Sequence[str]) -> Change:
    services = {name: {"profiles": [PROFILE]} for name in names}
    return Change(kind=ChangeKind.COMPOSE, text=json.dumps({"services": services}))


def _disk_bytes(case: Case, names: Sequence[str]) -> int:
    """Return the layers of images that nothing else runs."""
    images: tuple[Image, ...] = ()
    if not isinstance(case.report.images, Missing):
        images = case.report.images.images
    gone = (image for image in images if image.services and set(image.services) <= set(names))
    return sum(image.own_bytes for image in gone)
