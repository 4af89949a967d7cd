"""The registry of action makers. To add one, write a module in this room and name it here.

A maker is pure: it reads a case and yields the actions that this stack could take. It does not look
at other actions: which of them go together is decided in options.py.
"""

from collections.abc import Callable, Iterable, Mapping

from onegig.model.plan import Action
from onegig.plan.case import Case
from onegig.plan.consolidate import merged_services
from onegig.plan.engine import other_engines
from onegig.plan.images import image_fixes
from onegig.plan.limits import right_sized_limits
from onegig.plan.machine import machine_settings
from onegig.plan.optional import optional_services
from onegig.plan.pace import fewer_starts, rarer_health_checks
from onegig.plan.redis import redis_savings
from onegig.plan.runtimes import runtime_settings
from onegig.plan.shim import shared_shim

Maker = Callable[[Case], Iterable[Action]]
MAKERS: Mapping[str, Maker] = {
    "optional": optional_services,
    "machine": machine_settings,
    "redis": redis_savings,
    "images": image_fixes,
    "consolidate": merged_services,
    "shim": shared_shim,
    "engines": other_engines,
    "limits": right_sized_limits,
    "runtimes": runtime_settings,
    "health": rarer_health_checks,
    "starts": fewer_starts,
}


def make_actions(case: Case) -> tuple[Action, ...]:
    """Return the actions of all makers, the one that saves most first; each id once."""
    found = (action for make in MAKERS.values() for action in make(case))
    unique = {action.id: action for action in reversed(list(found))}
    return tuple(sorted(unique.values(), key=lambda action: (-action.saving.bytes, action.id)))
