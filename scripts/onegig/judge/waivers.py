"""Waivers: failures that are let pass for a while, by somebody's name and for a reason.

A waiver holds until and including its last day (UTC). What it covers is still shown and never
better than a WARN; what could not be measured can't be waived. Waivers of single findings are
honoured where findings are counted (scan_checks).

Waivers of single findings: honoured where findings are counted, unlike those of whole checks.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from datetime import date

from onegig.judge.differences import missing_half
from onegig.judge.growth_checks import GROWTH_IDS
from onegig.model.budgets import Waiver
from onegig.model.measured import Missing
from onegig.model.state import State
from onegig.model.verdict import Check
from onegig.text import plain

SOON_DAYS = 14  # a waiver that ends within these is announced


def apply_waivers(
    checks: Sequence[Check], waivers: Sequence[Waiver], today: date
) -> tuple[Check, ...]:
    """The checks with every waiver that is in force honoured, and told of where it is not."""
    return tuple(_waived(check, waivers, today) for check in checks)


def waiver_notes(
    checks: Sequence[Check], waivers: Sequence[Waiver], today: date
) -> tuple[str, ...]:
    """Which waivers end soon, and which are not needed any more."""
    return tuple(_notes(checks, waivers, today))


def _waived(check: Check, waivers: Sequence[Waiver], today: date) -> Check:
    own = [waiver for waiver in waivers if _covers(waiver, check)]
    if check.state is State.GO or not own:
        return check
    waiver = max(own, key=lambda one: one.expires)
    if check.state is State.INCOMPLETE:
        return _told(check, "not waived: what was not measured cannot be")
    if waiver.expires < today:
        expired = f"the waiver by {_owner(waiver)} expired on {waiver.expires}"
        return _told(check, expired)
    told = _told(check, f"waived until {waiver.expires}")
    return replace(told, state=State.WARN, waived=terms(waiver, today))


def _notes(checks: Sequence[Check], waivers: Sequence[Waiver], today: date) -> Iterator[str]:
    for waiver in waivers:
        covered = list(_covered(waiver, checks))
        if waiver.metric in GROWTH_IDS and not covered:
            continue  # nothing was compared: whether it is needed is not known
        name = f"the waiver of {_what(waiver)} by {_owner(waiver)}"
        if all(check.state is State.GO for check in covered):
            if not missing_half(waiver.metric, checks) and not _unscanned(waiver, checks):
                yield f"{name} is unused: nothing it covers fails"
        elif 0 <= (waiver.expires - today).days <= SOON_DAYS:
            yield f"{name} ends on {waiver.expires}{_left(waiver, today)}"


def _covers(waiver: Waiver, check: Check) -> bool:
    return waiver.id is None and _is_about(waiver, check)


def _covered(waiver: Waiver, checks: Sequence[Check]) -> Iterator[Check]:
    """The checks that a waiver is about; with an id only where that was found."""
    for check in checks:
        if _is_about(waiver, check) and (waiver.id is None or _has(check, waiver.id)):
            yield check


def _is_about(waiver: Waiver, check: Check) -> bool:
    return waiver.metric == check.id and waiver.subject in (None, check.subject)


def _has(check: Check, identity: str) -> bool:
    return any(told.startswith(f"{identity} in ") for told in check.findings)


def _unscanned(waiver: Waiver, checks: Sequence[Check]) -> bool:
    """Whether it can't be told that a finding is gone, because nobody looked for it."""
    about = [check for check in checks if _is_about(waiver, check)]
    return bool(waiver.id) and all(isinstance(check.value, Missing) for check in about)


def _told(check: Check, remark: str) -> Check:
    return replace(check, message=f"{check.message}; {remark}")


def terms(waiver: Waiver, today: date) -> str:
    """Such as "until 2026-12-31 by @ops: the fix is on its way"."""
    left = _left(waiver, today)
    return f"until {waiver.expires}{left} by {_owner(waiver)}: {plain(waiver.reason)}"


def _left(waiver: Waiver, today: date) -> str:
    """How long a waiver still holds, where that is not long."""
    days = (waiver.expires - today).days
    if days > SOON_DAYS:
        return ""
    return f" ({days} day{'s' if days > 1 else ''} left)" if days else " (its last day)"


def _what(waiver: Waiver) -> str:
    subject = f" of {plain(waiver.subject)}" if waiver.subject else ""
    finding = f" {plain(waiver.id)}" if waiver.id else ""
    return f"{waiver.metric}{finding}{subject}"


def _owner(waiver: Waiver) -> str:
    return plain(waiver.owner)


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
