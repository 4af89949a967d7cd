"""One shim for all containers of a stack instead of one for each.

The engine starts a process for each container that stays beside it (containerd-shim-runc-v2).
Containers whose annotation `io.containerd.runc.v2.group` is the same share one, as those of a
Kubernetes pod do. Source: containerd, cmd/containerd-shim-runc-v2/manager/manager_linux.go,
`groupLabels`; Docker takes annotations from version 24 on.
"""

import json
from collections.abc import Iterator

from onegig.model.budgets import Metric
from onegig.model.plan import Action, Basis, Change, ChangeKind, Letter, Loss, Saving
from onegig.plan.case import Case
from onegig.plan.containers import private_bytes

SHIM = "engine:shim"
GROUP = "io.containerd.runc.v2.group"
OLDEST_ENGINE = 24
# Slopes of 15 to 100 tiny containers with and without a shared shim (Docker 29.1) have 100 KiB of
# growth, and 350 to 390 of the kernel's; the reference stack's 15 had 530 (Docker 26.1, cgroup v1).
GROWTH_BYTES = 100 * 1024  # of a shared shim with each container
KERNEL_BYTES = 440 * 1024  # the kernel's memory for a shim
_SPREAD = 0.1  # of the saving, either way


def shared_shim(case: Case) -> Iterator[Action]:
    """Yield the action where each container has a shim of its own."""
    shim = next((part for part in case.memory.engine if part.name == "shim"), None)
    services = _services(case)
    if shim is None or len(services) < 2 or not _takes_annotations(case):
        return
    fewer = min(len(services), shim.processes) - 1
    kernel = KERNEL_BYTES if case.budgets.memory.metric in (Metric.COST, Metric.CHARGED) else 0
    each = max(0, private_bytes(shim) - GROWTH_BYTES + kernel)
    saved = fewer * each
    spread = round(saved * _SPREAD)
    yield Action(
        id=SHIM,
        option=Letter.ENGINE,
        title=f"Run the {len(services)} containers under one shim of the engine",
        saving=Saving(
            bytes=saved,
            low_bytes=saved - spread,
            high_bytes=saved + spread,
            basis=Basis.PREDICTED,
            source="memory that the engine's shims do not share",
        ),
        cost="all containers stop at once if their shim crashes",
        loss=Loss.COMFORT,
        changes=(_change(services, case.report.stack),),
        share_bytes=each,
    )


def _services(case: Case) -> tuple[str, ...]:
    """Return the services that run by the engine's usual runtime, each with a shim of its own."""
    names = {service.name for service in case.memory.services}
    return tuple(
        name
        for name, config in case.configs.items()
        if name in names
        and not config.get("runtime")
        and GROUP not in (config.get("annotations") or {})
    )


def _takes_annotations(case: Case) -> bool:
    major = case.memory.environment.engine_version.partition(".")[0]
    return major.isdecimal() and int(major) >= OLDEST_ENGINE


def _change(services: tuple[str, ...], group: str) -> Change:
    annotated = {name: {"annotations": {GROUP: group}} for name in services}
    return Change(kind=ChangeKind.COMPOSE, text=json.dumps({"services": annotated}))
