"""Which findings of a scan a limit counts, and which of those are let pass."""

from dataclasses import dataclass

from onegig.judge.contents import Known
from onegig.judge.finding_waivers import FindingWaivers
from onegig.judge.scan_rules import RANKS, ScanRule
from onegig.model.budgets import Waiver
from onegig.model.measured import Missing
from onegig.model.scan import Finding, Scan


@dataclass(frozen=True, kw_only=True, slots=True)
class Counted:
    """What counts in one image, the gravest first, and what of it is let pass."""

    all: tuple[Finding, ...]
    waived: dict[Finding, Waiver]
    expired: tuple[Waiver, ...]
    inherited: frozenset[Finding]

    @property
    def unwaived(self) -> tuple[Finding, ...]:
        """Those that no waiver lets pass."""
        return tuple(one for one in self.all if one not in self.waived)

    @property
    def introduced(self) -> tuple[Finding, ...]:
        """Those of them that the baseline does not have."""
        return tuple(one for one in self.unwaived if one not in self.inherited)


def count(rule: ScanRule, scan: Scan, waivers: FindingWaivers, known: Known | Missing) -> Counted:
    """What the rule counts; `known` is what the baseline's image has."""
    counted = sorted(filter(rule.counts, scan.findings), key=lambda one: -RANKS[one.severity])
    inherited = [] if isinstance(known, Missing) else [one for one in counted if known.has(one)]
    in_force = {one: waivers.in_force(one.id) for one in counted}
    expired = dict.fromkeys(waivers.expired(one.id) for one in counted)
    return Counted(
        all=tuple(counted),
        waived={one: waiver for one, waiver in in_force.items() if waiver},
        expired=tuple(waiver for waiver in expired if waiver),
        inherited=frozenset(inherited),
    )
