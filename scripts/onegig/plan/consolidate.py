"""Run several services in one container: those that share a label `onegig.merge: GROUP`.

Their program must be able to run several of them. The label `onegig.merge.variable` names the
environment variable that lists, comma separated, the services that a container runs.

A container less saves one interpreter with its libraries, the kernel's memory for a process, and
what the engine keeps for a container. Of a group's services those that matter least are merged
first, and no more of them than the stack needs to fit.
"""

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from onegig.model.budgets import Metric
from onegig.model.measured import Missing
from onegig.model.plan import Action, Basis, Change, ChangeKind, Letter, Loss, Saving
from onegig.model.service import ServiceMemory
from onegig.model.stack import Stack
from onegig.model.tiers import MIB
from onegig.plan.case import Case
from onegig.plan.containers import Estimate, container_bytes
from onegig.plan.limits import limit_keys
from onegig.plan.need import find_limits
from onegig.plan.pace import start_excess
from onegig.text import format_list, plain

GROUP, VARIABLE = "onegig.merge", "onegig.merge.variable"
PROFILE = "merged"  # the compose profile of services that run in another's container
THREAD_KERNEL_BYTES = 40 * 1024  # its kernel stack (THREAD_SIZE, 16 KiB) and task; 39 measured
_LEVELS = {"low": Loss.MINOR, "medium": Loss.FEATURE}
_MAY_DIFFER = {
    *("image", "build", "environment", "labels", "healthcheck", "container_name", "hostname"),
    *("command", "entrypoint", "depends_on", "deploy", "scale", "cpus", "pids_limit"),
    *("mem_limit", "mem_reservation", "memswap_limit"),
}
_ROOM = 1.5  # the merged container's limit, as a share of what it is predicted to take
_STEP_BYTES = 16 * MIB

Config = Mapping[str, Any]


@dataclass(frozen=True, kw_only=True, slots=True)
class Member:
    """A service that can run together with the others of its group."""

    name: str
    memory: ServiceMemory
    config: Config
    variable: str

    @property
    def loss(self) -> Loss:
        """Return how much it matters that it shares its fate with others."""
        return _LEVELS.get(self.memory.criticality, Loss.MAJOR)


def merged_services(case: Case) -> Iterator[Action]:
    """Yield for each group the smallest merge that suffices, or else that of all its services."""
    for group, members in _groups(case).items():
        ordered = sorted(members, key=lambda member: member.loss)
        merges = (ordered[:count] for count in range(2, len(ordered) + 1))
        yield _smallest([_action(case, group, merge) for merge in merges], case)


def _smallest(actions: Sequence[Action], case: Case) -> Action:
    """Return the first action that suffices with headroom, or at least without; else the last.

    The last one saves most; so it is too where nothing is missing.
    """
    limits = find_limits(case)
    for share in (1, 0):
        lacks = [(limit, share * limit.spare_bytes - limit.left_bytes) for limit in limits]
        if all(bytes_ <= 0 for _, bytes_ in lacks):
            break
        for action in actions:
            if all(limit.saved_bytes(action) >= bytes_ for limit, bytes_ in lacks):
                return action
    return actions[-1]


def _groups(case: Case) -> dict[str, list[Member]]:
    """Return the services that can run together, by group; groups of one are left out."""
    if isinstance(case.stack, Missing):
        return {}
    configs = case.configs
    measured = {service.name: service for service in case.memory.services}
    groups: dict[str, list[Member]] = {}
    for service in case.stack.services:
        config, memory = configs.get(service.name) or {}, measured.get(service.name)
        labels = config.get("labels") or {}
        group, variable = labels.get(GROUP), labels.get(VARIABLE)
        if memory is None or memory.containers != 1 or not (group and variable):
            continue
        if config.get("profiles") or _is_needed(case.stack, service.name):  # compose adds to them
            continue
        member = Member(name=service.name, memory=memory, config=config, variable=variable)
        members = groups.setdefault(str(group), [])
        if all(_goes_with(case, member, other) for other in members):
            members.append(member)
    return {group: members for group, members in groups.items() if len(members) > 1}


def _is_needed(stack: Stack, name: str) -> bool:
    """Say whether another service waits for this one, and so for a container of its own."""
    return any(name in service.depends_on for service in stack.services)


def _goes_with(case: Case, first: Member, second: Member) -> bool:
    """Say whether two services ask for the same, so that one container can give it to both.

    What only one of them asks for is written into the change.
    """
    if first.variable != second.variable or _command(first) != _command(second):
        return False
    keys = (first.config.keys() | second.config.keys()) - _MAY_DIFFER
    ours, theirs = _environment(first), _environment(second)
    shared = (ours.keys() & theirs.keys()) - {first.variable}
    added = (value for name, value in {**ours, **theirs}.items() if name not in shared)
    return (
        all(first.config.get(key) == second.config.get(key) for key in keys)
        and all(ours[name] == theirs[name] for name in shared)
        and all(map(case.is_literal, added))
    )


def _command(member: Member) -> tuple[Any, Any]:
    return member.config.get("entrypoint"), member.config.get("command")


def _environment(member: Member) -> Config:
    return member.config.get("environment") or {}


def _action(case: Case, group: str, members: Sequence[Member]) -> Action:
    names = [member.name for member in members]
    *merged, host = members
    guests = [plain(member.name) for member in merged]
    saving = _saving(case, members)
    removed = tuple(member.name for member in merged)
    containers = sum(service.containers for service in case.memory.services)
    return Action(
        id=f"merge:{group}",
        option=Letter.CONSOLIDATE,
        title=f"Run {format_list(guests, 3)} in the container of {plain(host.name)}",
        saving=Saving(
            bytes=saving.bytes,
            low_bytes=saving.low_bytes,
            high_bytes=saving.high_bytes,
            basis=Basis.PREDICTED,
            source="their interpreters and libraries, the engine's shims, and the kernel's memory",
        ),
        cost=f"{len(names)} services share one process: a crash of it stops them all for a moment",
        loss=max(member.loss for member in members),
        changes=(_change(host, merged),),
        services=tuple(names),
        removes=removed,
        excludes=tuple(f"off:{name}" for name in names),
        start_bytes=saving.bytes + start_excess(case.memory) * len(merged) // containers,
    )


def _saving(case: Case, members: Sequence[Member]) -> Estimate:
    """Return what one container for these services saves, by the metric of the budget."""
    metric = case.budgets.memory.metric
    engine = container_bytes(case.memory, metric).times(len(members) - 1)
    return _process_saving(members, metric) + engine


def _process_saving(members: Sequence[Member], metric: Metric) -> Estimate:
    """Return what the processes save.

    Anonymous memory: each has that of an interpreter with the same modules, at most as much as the
    smallest of them. Files: pages that the group maps stay once; where other services map them,
    too, the members' PSS adds up to less than that, and nothing is saved.
    """
    services = [member.memory for member in members]
    fewer = len(services) - 1
    anonymous = fewer * min(service.anon_bytes for service in services)
    total = anonymous
    if metric is not Metric.CHARGED:
        rss = [max(0, service.rss_bytes - service.anon_bytes) for service in services]
        pss = [max(0, service.pss_bytes - service.anon_bytes) for service in services]
        total += max(0, sum(rss if metric is Metric.RSS else pss) - max(rss))
    if metric in (Metric.COST, Metric.CHARGED):
        kernel = [service.kernel_bytes for service in services]
        total += max(0, sum(kernel) - max(kernel) - fewer * THREAD_KERNEL_BYTES)
    return Estimate(
        bytes=total, low_bytes=total - anonymous // 10, high_bytes=total + anonymous // 50
    )


def _change(host: Member, merged: Sequence[Member]) -> Change:
    """Return what makes the host run the others, and keeps their own containers from starting."""
    members = (host, *merged)
    added: dict[str, Any] = {}
    for member in merged:
        added |= {
            name: value
            for name, value in _environment(member).items()
            if name not in _environment(host)
        }
    added[host.variable] = ",".join(member.name for member in members)
    change = {"environment": added, **_limit(members, host)}
    services = {host.name: change} | {member.name: {"profiles": [PROFILE]} for member in merged}
    return Change(kind=ChangeKind.COMPOSE, text=json.dumps({"services": services}))


def _limit(members: Sequence[Member], host: Member) -> dict[str, Any]:
    """Return the host's new memory limit, where the present one is too low for all members."""
    limit = host.memory.limit_bytes
    if limit is None:
        return {}
    took = sum(member.memory.rss_bytes for member in members)
    saved = _process_saving(members, Metric.RSS).bytes
    needed = round((took - saved) * _ROOM)
    steps = -(-needed // _STEP_BYTES)
    return {} if needed <= limit else limit_keys(host.config, steps * _STEP_BYTES)
