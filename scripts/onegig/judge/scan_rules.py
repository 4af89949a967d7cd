"""The limits of `scan` in budgets.yml, one for each kind of findings."""

from collections.abc import Iterator
from dataclasses import dataclass

from onegig.model.budgets import Budgets, ScanBudget
from onegig.model.scan import Finding, FindingKind, LeftOut, Severity

RANKS = {severity: rank for rank, severity in enumerate(Severity)}


@dataclass(frozen=True, kw_only=True, slots=True)
class ScanRule:
    """The limit of one kind of findings."""

    kind: FindingKind
    name: str
    noun: str
    limit: int
    policy: ScanBudget
    where: str

    @property
    def id(self) -> str:
        """The check's."""
        return f"image.{self.name}"

    @property
    def is_default(self) -> bool:
        """Whether nobody wrote it."""
        return self.where == "default"

    def counts(self, finding: Finding | LeftOut) -> bool:
        """Whether a finding is of its kind and grave enough."""
        if finding.kind is not self.kind:
            return False
        if self.policy.ignore_unfixed and self._is_vulnerabilities and not finding.fixed:
            return False
        return RANKS[finding.severity] >= RANKS[self.policy.severity]

    def words(self, count: int) -> str:
        """Such as "3 fixable vulnerabilities of severity HIGH or above"."""
        fixable = "fixable " if self._is_vulnerabilities and self.policy.ignore_unfixed else ""
        grave = self.policy.severity.value
        above = "" if self.policy.severity is Severity.CRITICAL else " or above"
        number = f"{count:,}" if count else "no"
        noun = self.name if count > 1 else self.noun
        return f"{number} {fixable}{noun} of severity {grave}{above}"

    @property
    def _is_vulnerabilities(self) -> bool:
        return self.kind is FindingKind.VULNERABILITY


def rules_of(budgets: Budgets) -> Iterator[ScanRule]:
    """Those that have a limit, written or by default."""
    scan = budgets.scan
    for kind, name, noun, limit in (
        (FindingKind.SECRET, "secrets", "secret", scan.secrets),
        (FindingKind.VULNERABILITY, "vulnerabilities", "vulnerability", scan.vulnerabilities),
        (
            FindingKind.MISCONFIGURATION,
            "misconfigurations",
            "misconfiguration",
            scan.misconfigurations,
        ),
    ):
        if limit is not None:
            where = budgets.where(f"scan.{name}")
            yield ScanRule(kind=kind, name=name, noun=noun, limit=limit, policy=scan, where=where)
