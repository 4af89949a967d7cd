"""Which findings of a scan a limit counts, and which of those are let pass."""

from collections.abc import Iterable
from dataclasses import dataclass
from enum import IntEnum

from onegig.judge.contents import Known
from onegig.judge.finding_waivers import FindingWaivers
from onegig.judge.scan_rules import RANKS, ScanRule
from onegig.model.budgets import Waiver
from onegig.model.measured import Missing
from onegig.model.scan import Finding, FindingKind, LeftOut, Scan


class Weight(IntEnum):
    """What a finding that a limit counts is to the verdict, and what must be known of it first."""

    NAMED = 0  # let pass by its name: waived, or a secret or misconfiguration of the baseline's
    BLOCKS = 1
    INHERITED = 2  # let pass because the baseline has its package


@dataclass(frozen=True, kw_only=True, slots=True)
class Counted:
    """What counts in one image, the gravest first, and what of it is let pass.

    Of what a report had no room for that is inherited of which all is known that it takes; nothing
    of it is waived.
    """

    all: tuple[Finding | LeftOut, ...]
    waived: dict[Finding, Waiver]
    expired: tuple[Waiver, ...]
    inherited: frozenset[Finding | LeftOut]

    @property
    def count(self) -> int:
        """How many there are."""
        return how_many(self.all)

    @property
    def unwaived_count(self) -> int:
        """How many of them no waiver lets pass."""
        return self.count - len(self.waived)

    @property
    def introduced(self) -> tuple[Finding | LeftOut, ...]:
        """Those of them that the baseline does not have."""
        let_pass = {*self.waived, *self.inherited}
        return tuple(one for one in self.all if one not in let_pass)

    def weight(self, one: Finding) -> Weight:
        """What one of them is to the verdict."""
        if one in self.waived:
            return Weight.NAMED
        if one not in self.inherited:
            return Weight.BLOCKS
        is_package = one.kind is FindingKind.VULNERABILITY
        return Weight.INHERITED if is_package else Weight.NAMED


def count(rule: ScanRule, scan: Scan, waivers: FindingWaivers, known: Known | Missing) -> Counted:
    """What the rule counts; `known` is what the baseline's image has."""
    counted = sorted(filter(rule.counts, scan.everything), key=lambda one: -RANKS[one.severity])
    inherited = () if isinstance(known, Missing) else filter(known.has, counted)
    named = [one for one in counted if isinstance(one, Finding)]
    in_force = {one: waivers.in_force(one.id) for one in named}
    expired = dict.fromkeys(waivers.expired(one.id) for one in named)
    return Counted(
        all=tuple(counted),
        waived={one: waiver for one, waiver in in_force.items() if waiver},
        expired=tuple(waiver for waiver in expired if waiver),
        inherited=frozenset(inherited),
    )


def how_many(found: Iterable[Finding | LeftOut]) -> int:
    """Those that were left out are several each."""
    return sum(one.count if isinstance(one, LeftOut) else 1 for one in found)
