"""The limits of memory that a plan must keep, and what is missing of them today."""

import math
from dataclasses import dataclass

from onegig.model.measured import Missing
from onegig.model.memory import MemoryReport
from onegig.model.plan import Action
from onegig.model.twin import MachineKind
from onegig.plan.case import Case

TOTAL, BOOT, TIER = "memory.total", "memory.boot", "memory.tier"
LIMITS = (TOTAL, BOOT, TIER)  # ids of checks
NEARLY_FULL = 0.75  # of a box; from there on the kernel was seen to push pages of programs out


@dataclass(frozen=True, kw_only=True, slots=True)
class Limit:
    """One limit of memory, with what is needed of it today."""

    title: str
    needed_bytes: int
    limit_bytes: int
    spare_bytes: int  # that must stay free
    is_start: bool  # what is needed is a peak while starting
    is_tier: bool

    @property
    def left_bytes(self) -> int:
        """Return what is left today; negative: over."""
        return self.limit_bytes - self.needed_bytes

    def saved_bytes(self, action: Action) -> int:
        """Return what an action saves of it."""
        if self.is_tier and action.tier_bytes is not None:
            return action.tier_bytes
        if self.is_start and action.start_bytes is not None:
            return action.start_bytes
        return action.saving.bytes


def find_limits(case: Case) -> tuple[Limit, ...]:
    """Return the limits that the verdict holds the stack to."""
    checks = [check for check in case.report.verdict.checks if check.id in LIMITS]
    starts = any(check.id == BOOT for check in checks)
    share = case.budgets.memory.headroom_share
    return tuple(
        Limit(
            title=check.title,
            needed_bytes=int(check.value),
            limit_bytes=int(check.limit),
            spare_bytes=math.ceil(check.limit * share),
            is_start=check.id == BOOT or (check.id == TIER and starts),
            is_tier=check.id == TIER,
        )
        for check in checks
        if check.limit is not None and isinstance(check.value, (int, float))
    )


def is_nearly_full(memory: MemoryReport) -> bool:
    """Return whether a box had so little room that less was measured than the stack would hold."""
    start = 0 if isinstance(memory.boot, Missing) else memory.boot.total_bytes
    used = max(memory.box.cost_bytes, start)
    return memory.machine is MachineKind.BOX and used >= memory.box.cap_bytes * NEARLY_FULL
