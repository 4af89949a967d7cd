"""What dive found in an image, judged by dive's own three rules (its --json leaves them out).

A rule that the user wrote blocks when broken; a default only warns.
"""

from collections.abc import Iterator
from dataclasses import dataclass

from onegig.judge.words import compare, one_line, percent, percent_beside, reason
from onegig.model.budgets import Budgets
from onegig.model.images import Dive, Image
from onegig.model.measured import Missing
from onegig.model.sizes import Convention, format_mb
from onegig.model.verdict import Check, State, Unit


@dataclass(frozen=True, kw_only=True, slots=True)
class _Rule:
    """One of dive's rules with its limit."""

    id: str
    title: str
    unit: Unit
    at_most: bool
    limit: float
    where: str
    ignored_below: int = 0  # so many bytes wasted break no rule

    @property
    def broken(self) -> State:
        """The state of an image that breaks it."""
        return State.WARN if self.where == "default" else State.NO_GO

    @property
    def unknown(self) -> State:
        """The state of an image that dive could not read: never better than breaking the rule."""
        return State.WARN if self.broken is State.WARN else State.INCOMPLETE

    def keeps(self, value: float) -> bool:
        """Whether a value keeps to the rule."""
        return value <= self.limit if self.at_most else value >= self.limit


def check_dive(budgets: Budgets, image: Image) -> Iterator[Check]:
    """A check for each rule that has a limit."""
    subject = image.services[0] if len(image.services) == 1 else image.reference
    for rule in _rules(budgets):
        little = False
        if isinstance(image.dive, Missing):
            value: float | Missing = image.dive
            state = rule.unknown
            message = reason(image.dive, f"the image of {subject}", "read by dive")
        else:
            value = _value(rule, image.dive)
            little = image.dive.wasted_bytes < rule.ignored_below and not rule.keeps(value)
            state = State.GO if little or rule.keeps(value) else rule.broken
            finding = _little(rule, image.dive) if little else _finding(rule, image.dive)
            message = f"the image of {subject} {finding}"
        yield Check(
            id=rule.id,
            subject=subject,
            title=f"{rule.title} of {subject}",
            unit=rule.unit,
            value=value,
            limit=None if little else rule.limit,
            at_most=rule.at_most,
            state=state,
            message=message,
            where=rule.where,
        )


def _rules(budgets: Budgets) -> Iterator[_Rule]:
    limits = budgets.images
    for name, title, unit, key, limit in (
        ("efficiency", "Efficiency", Unit.SHARE, "min_efficiency", limits.min_efficiency),
        ("wasted", "Wasted bytes", Unit.STORAGE, "max_wasted", limits.max_wasted_bytes),
        (
            "user_wasted",
            "Wasted share",
            Unit.SHARE,
            "max_user_wasted",
            limits.max_user_wasted_share,
        ),
    ):
        if limit is not None:
            yield _Rule(
                id=f"image.{name}",
                title=title,
                unit=unit,
                at_most=name != "efficiency",
                limit=limit,
                where=budgets.where(f"images.{key}"),
                ignored_below=limits.ignore_user_wasted_below_bytes if name == "user_wasted" else 0,
            )


def _value(rule: _Rule, dive: Dive) -> float:
    return {
        "image.efficiency": dive.efficiency,
        "image.wasted": dive.wasted_bytes,
        "image.user_wasted": dive.user_wasted_share,
    }[rule.id]


def _little(rule: _Rule, dive: Dive) -> str:
    """Such as "wastes 15 % of what it adds, ignored below 1.0 MB"."""
    shown = percent_beside(_value(rule, dive), rule.limit, at_most=True)
    least = format_mb(rule.ignored_below, Convention.STORAGE)
    return f"wastes {shown} of what it adds, ignored below {least}"


def _finding(rule: _Rule, dive: Dive) -> str:
    """Such as "is 85 % efficient, at least 90 % wanted; most is lost in /usr/lib/x"."""
    value = _value(rule, dive)
    lost = ""
    if dive.worst and not rule.keeps(value):
        lost = f"; most is lost in {one_line(dive.worst[0].path)}"
    if rule.unit is Unit.STORAGE:
        figures = compare(dive.wasted_bytes, int(rule.limit), Convention.STORAGE)
        return f"wastes {figures.of}, {figures.room}{lost}"
    shown = percent_beside(value, rule.limit, at_most=rule.at_most)
    if rule.at_most:
        return f"wastes {shown} of what it adds, at most {percent(rule.limit)} wanted{lost}"
    return f"is {shown} efficient, at least {percent(rule.limit)} wanted{lost}"
