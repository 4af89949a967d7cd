"""Waivers of single findings: honoured where findings are counted, unlike those of whole checks."""

from collections.abc import Iterable
from datetime import date

from onegig.model.budgets import Waiver


class FindingWaivers:
    """The waivers of findings that one check of one subject may have."""

    def __init__(self, waivers: Iterable[Waiver], metric: str, subject: str, today: date) -> None:
        self._today = today
        self._last: dict[str, Waiver] = {}  # by finding, of several the one that ends last
        for one in waivers:
            if one.id and one.metric == metric and one.subject in (None, subject):
                known = self._last.setdefault(one.id, one)
                self._last[one.id] = max(known, one, key=lambda waiver: waiver.expires)

    def in_force(self, identity: str) -> Waiver | None:
        """The waiver that lets a finding pass today."""
        waiver = self._last.get(identity)
        return waiver if waiver and waiver.expires >= self._today else None

    def expired(self, identity: str) -> Waiver | None:
        """The waiver that let a finding pass until a day that is over."""
        waiver = self._last.get(identity)
        return waiver if waiver and waiver.expires < self._today else None
