"""Right-size: a memory limit and a reservation for each service, from what it was measured to take.

`mem_limit` is the kernel's high-water mark of a container, page cache included, and MARGIN more, as
robusta-dev/krr (`memory_buffer_percentage`) and Kubernetes' VPA, which Goldilocks asks
(`recommendation-margin-fraction`), have it; but at least LEAST_MARGIN_BYTES more, which is a health
check's process. After a kill at its limit a service gets OOM_MARGIN more than that limit, as in KRR
(`oom_memory_buffer_percentage`). `mem_reservation` is its working set at the peak of the window.
"""

import json
from collections.abc import Iterator, Mapping
from typing import Any

from onegig.judge.services import has_own_limit
from onegig.model.measured import Missing
from onegig.model.plan import (
    Action,
    Basis,
    Change,
    ChangeKind,
    Letter,
    Loss,
    Saving,
    ServiceLimit,
)
from onegig.model.service import ServiceMemory, ServiceState
from onegig.model.sizes import format_mb, percent
from onegig.model.tiers import MIB
from onegig.plan.case import Case
from onegig.plan.runtimes import Subject, find_subjects, keeps_data, missing_size

ID = "limits"
MARGIN, OOM_MARGIN = 0.15, 0.25
LEAST_MARGIN_BYTES = 8 * MIB
LEAST_BYTES = 6 * MIB  # Docker refuses less
FULL_SHARE = 0.99  # of a limit: the page cache has filled it
_KEYS = {"limits": "mem_limit", "reservations": "mem_reservation"}  # in `deploy`, and beside it
_SOURCE = "each service's peak; 15 % more as in KRR and VPA"

Config = Mapping[str, Any]


def find_service_limits(case: Case) -> tuple[ServiceLimit, ...]:
    """Return the limit of each service that ran, today's and the recommended one."""
    subjects, room = find_subjects(case), case.budgets.memory.room_bytes
    ran = (service for service in case.memory.services if service.working_set_bytes > 0)
    return tuple(_size(service, subjects.get(service.name), room) for service in ran)


def right_sized_limits(case: Case) -> Iterator[Action]:
    """Yield one action that sets the limits of all services, where that changes any."""
    changed = [
        limit
        for limit in find_service_limits(case)
        if limit.advised and limit.limit_bytes != limit.new_bytes
    ]
    if not changed or isinstance(case.stack, Missing):
        return
    configs = case.configs
    services = {
        limit.service: limit_keys(
            configs.get(limit.service, {}), limit.new_bytes, limit.reservation_bytes
        )
        for limit in changed
    }
    yield Action(
        id=ID,
        option=Letter.SQUEEZE,
        title=f"Limit each service to its peak and {percent(MARGIN)} more",
        saving=Saving(bytes=0, low_bytes=0, high_bytes=0, basis=Basis.MEASURED, source=_SOURCE),
        cost="a service that takes more is killed instead of its neighbours",
        loss=Loss.COMFORT,
        changes=(Change(kind=ChangeKind.COMPOSE, text=json.dumps({"services": services})),),
        services=tuple(services),
    )


def _size(service: ServiceMemory, subject: Subject | None, room: int) -> ServiceLimit:
    """Return the limit of one of a service's containers; they are taken for alike."""
    count = max(1, service.containers)
    working_set = service.working_set_bytes // count
    peak = service.peak_bytes if isinstance(service.peak_bytes, int) else service.rss_max_bytes
    peak = max(peak // count, working_set)
    new = _with_margin(peak)
    limit, remark = service.limit_bytes, ""
    if limit is None:
        remark = "no limit: a leak would take the whole machine"
    elif _was_killed(service):
        new = _round_up(int(limit * (1 + OOM_MARGIN)))
        remark = "too low: it was killed there"
    elif limit >= room:
        remark = f"pointless: the machine has {format_mb(room, down=True)} for everything"
    elif _with_margin(working_set) > limit:
        remark = (
            f"too low: {format_mb(max(0, limit - working_set), down=True)} above its working set"
        )
    elif peak >= limit * FULL_SHARE:
        new, remark = limit, "enough: only page cache fills it"
    elif new > limit:
        remark = f"too low: {format_mb(limit - peak, down=True)} above its peak"
    missing = missing_size(subject) if subject else ""
    grows = "leave room for its data" if limit is None and subject and keeps_data(subject) else ""
    remarks = ("" if missing and limit is None else remark, missing, grows)
    return ServiceLimit(
        service=service.name,
        peak_bytes=peak,
        working_set_bytes=working_set,
        limit_bytes=limit,
        new_bytes=new,
        reservation_bytes=min(new, max(LEAST_BYTES, _round_up(working_set))),
        remark="; ".join(filter(None, remarks)),
        advised=not missing,
    )


def _was_killed(service: ServiceMemory) -> bool:
    killed = service.oom_kills > 0 or service.state is ServiceState.OOM_KILLED
    return killed and has_own_limit(service)


def _with_margin(peak: int) -> int:
    wanted = peak + max(LEAST_MARGIN_BYTES, int(peak * MARGIN))
    return max(LEAST_BYTES, _round_up(wanted))


def _round_up(size: int) -> int:
    """Return a whole number of MiB, as compose files have it."""
    return -(-size // MIB) * MIB


def limit_keys(
    config: Config, limit_bytes: int, reservation_bytes: int | None = None
) -> dict[str, Any]:
    """Return the keys of the compose file that set a limit, those that the service has already.

    Compose refuses a `deploy` that says something else than the keys beside it, and the engine a
    limit of memory and swap together that is less than that of memory.
    """
    resources: Config = (config.get("deploy") or {}).get("resources") or {}
    inside = {part: (resources.get(part) or {}).get("memory") for part in _KEYS}
    keys: dict[str, Any] = {}
    for (part, key), size in zip(_KEYS.items(), (limit_bytes, reservation_bytes), strict=True):
        if size is None:
            continue
        is_beside = bool(config.get(key)) or not any(inside.values())
        if is_beside:
            keys[key] = f"{size // MIB}m"
        if inside[part] or not is_beside:
            deploy = keys.setdefault("deploy", {"resources": {}})
            deploy["resources"][part] = {"memory": f"{size // MIB}m"}
    if swap := int(config.get("memswap_limit") or 0):
        old = int(config.get("mem_limit") or inside["limits"] or 0)
        keys["memswap_limit"] = "-1" if swap < 0 else str(limit_bytes + max(0, swap - old))
    return keys
