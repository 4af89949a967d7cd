"""Images judged: each one's size, all together, and the disk (dive's rules: dive_checks).

What dive found in an image, judged by dive's own three rules (its --json leaves them out).

A rule that the user wrote blocks when broken; a default only warns.

Dockerfiles judged by `images.policy` of budgets.yml: what hadolint and our own rules remark.

By `error` remarks block, by `warn` they warn; by `note`, the default, they are only told: how a
Dockerfile is written does not decide whether a stack fits. Hints (hadolint's info and style) never
count. A Dockerfile that hadolint did not look at is not clean: by a policy it warns.
"""

from collections.abc import Iterator
from dataclasses import dataclass, replace

from onegig.judge.figures import compare, percent, percent_beside, reason
from onegig.judge.service_checks import check_dead
from onegig.model.budgets import Budgets, Policy
from onegig.model.dockerfiles import DockerfilePolicy, Remark
from onegig.model.images import Dive, Image, ImagesReport
from onegig.model.measured import Missing
from onegig.model.sizes import Convention, format_mb
from onegig.model.state import State
from onegig.model.verdict import Check, Unit
from onegig.text import format_list, plain


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
        lost = f"; most is lost in {plain(dive.worst[0].path)}"
    if rule.unit is Unit.STORAGE:
        figures = compare(dive.wasted_bytes, int(rule.limit), Convention.STORAGE)
        return f"wastes {figures.of}, {figures.room}{lost}"
    shown = percent_beside(value, rule.limit, at_most=rule.at_most)
    if rule.at_most:
        return f"wastes {shown} of what it adds, at most {percent(rule.limit)} wanted{lost}"
    return f"is {shown} efficient, at least {percent(rule.limit)} wanted{lost}"


SHOWN = 2  # remarks in a message
_STATES = {Policy.WARN: State.WARN, Policy.ERROR: State.NO_GO}


def check_dockerfiles(budgets: Budgets, report: ImagesReport) -> Iterator[Check]:
    """A check for each Dockerfile of the stack, where a policy makes one."""
    if budgets.images.policy not in _STATES:
        return
    where = budgets.where("images.policy")
    for one in report.dockerfiles:
        if one.counted:
            text = f"{len(one.counted):,} to mend: {_first(one.counted)}"
            yield _check(one, len(one.counted), _STATES[budgets.images.policy], text, where)
        elif not isinstance(one.hadolint, Missing):
            ignored = f", {len(one.ignored):,} ignored by comments" if one.ignored else ""
            yield _check(one, 0, State.GO, f"nothing to mend{ignored}", where)
        else:
            yield _check(one, one.hadolint, State.WARN, plain(one.hadolint.reason), where)


def dockerfile_notes(budgets: Budgets, report: ImagesReport) -> Iterator[str]:
    """How much there is to mend, where it is only told; what it is has a section of its own."""
    if budgets.images.policy is Policy.NOTE:
        for one in report.dockerfiles:
            if one.counted:
                yield f"{plain(one.path)}: {len(one.counted):,} to mend (listed in the report)"


def _first(remarks: tuple[Remark, ...]) -> str:
    shown = [f"{plain(one.text)} (line {one.line:,}, {one.rule})" for one in remarks]
    return format_list(shown, SHOWN, separator="; ")


def _check(
    one: DockerfilePolicy, value: int | Missing, state: State, text: str, where: str
) -> Check:
    path = plain(one.path)
    return Check(
        id="image.dockerfile",
        subject=one.services[0] if len(one.services) == 1 else path,
        title=f"Dockerfile {path}",
        unit=Unit.COUNT,
        value=value,
        limit=0,
        state=state,
        message=f"{path}: {text}",
        where=where,
    )


NOT_COUNTED = "what containers write, logs, volumes, the engine and the OS come on top"


def check_images(budgets: Budgets, report: ImagesReport) -> Iterator[Check]:
    """Yield every check of images that were inspected."""
    total = check_storage(
        "images.total",
        "stack",
        "Images added up",
        (report.total_bytes, budgets.images.total_bytes),
        budgets.where("images.total"),
        lead="images added up take ",
    )
    over_default = total.state is State.NO_GO and total.where == "default"
    yield replace(total, state=State.WARN) if over_default else total
    yield check_storage(
        "disk.total",
        "stack",
        "Disk",
        (report.disk_bytes, budgets.disk_bytes),
        budgets.where("disk.limit"),
        lead="images take ",
        tail=f" on disk; {NOT_COUNTED}",
    )
    for image in report.images:
        yield from _sizes(budgets, image)
        yield from check_dive(budgets, image)
        yield from check_dead(budgets, image)
    yield from check_dockerfiles(budgets, report)


def missing_images(budgets: Budgets, missing: Missing) -> Iterator[Check]:
    """The checks of images that were not inspected."""
    for identity, title, limit, key in (
        ("images.total", "Images added up", budgets.images.total_bytes, "images.total"),
        ("disk.total", "Disk", budgets.disk_bytes, "disk.limit"),
    ):
        yield Check(
            id=identity,
            subject="stack",
            title=title,
            unit=Unit.STORAGE,
            value=missing,
            limit=limit,
            state=State.INCOMPLETE,
            message=reason(missing, "images", "inspected"),
            where=budgets.where(key),
        )


def check_storage(
    identity: str,
    subject: str,
    title: str,
    value_and_limit: tuple[int, int],
    where: str,
    *,
    lead: str,
    tail: str = "",
) -> Check:
    """A size against its limit; the message is `lead`, the figures and `tail`."""
    value, limit = value_and_limit
    figures = compare(value, limit, Convention.STORAGE)
    return Check(
        id=identity,
        subject=subject,
        title=title,
        unit=Unit.STORAGE,
        value=value,
        limit=limit,
        state=State.GO if value <= limit else State.NO_GO,
        message=f"{lead}{figures.of}, {figures.room}{tail}",
        where=where,
    )


def _sizes(budgets: Budgets, image: Image) -> Iterator[Check]:
    """One check for every service the image serves; for the image itself when it serves none."""
    for name in image.services or (image.reference,):
        own = budgets.service(name).image_bytes
        limit = budgets.images.each_bytes if own is None else own
        if limit is not None:
            key = "images.each" if own is None else f"services.{name}.image"
            yield check_storage(
                "service.image",
                name,
                f"Image of {name}",
                (image.size_bytes, limit),
                budgets.where(key),
                lead=f"the image of {name} takes ",
            )
