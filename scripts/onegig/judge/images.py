"""Images judged: their sizes, dive's rules, dead bytes, and the issues of their Dockerfiles."""

from collections.abc import Iterator
from dataclasses import replace

from onegig.judge.checks import Case, compare, percent_of_limit, reason, subject_of
from onegig.model.budgets import Budgets, Policy
from onegig.model.images import Accounting, DockerfilePolicy, Image, ImagesReport
from onegig.model.measured import Missing
from onegig.model.sizes import Convention, format_mb, percent
from onegig.model.state import State
from onegig.model.verdict import CHECK_KINDS, Check, CheckKind, Unit, make_check
from onegig.text import format_list, plain

NOT_COUNTED = "not counted: what containers write, logs, volumes, engine and OS"
SHOWN = 2  # issues of a Dockerfile in a message
INSTRUCTION_LENGTH = 80
POLICY_STATES = {Policy.WARN: State.WARN, Policy.ERROR: State.NO_GO}


def check_images(case: Case) -> Iterator[Check]:
    """Yield every check of images; those of the whole stack say why, if none was inspected."""
    budgets, report = case.budgets, case.images
    if isinstance(report, Missing):
        message, state = reason(report, "images", "inspected"), State.INCOMPLETE
        for id_, limit, key in (
            ("images.total", budgets.images.total_bytes, "images.total"),
            ("disk.total", budgets.disk.limit_bytes, "disk.limit"),
        ):
            yield make_check(id_, "stack", report, limit, state, message, budgets.where(key))
        return
    sizes, where = (report.total_bytes, budgets.images.total_bytes), budgets.where("images.total")
    total = _check_size("images.total", "stack", *sizes, where, "images added up take")
    is_mild = total.state is State.NO_GO and where == "default"
    yield replace(total, state=State.WARN) if is_mild else total
    sizes, where = (report.disk_bytes, budgets.disk.limit_bytes), budgets.where("disk.limit")
    tail = f" on disk; {NOT_COUNTED}"
    yield _check_size("disk.total", "stack", *sizes, where, "images take", tail)
    for image in report.images:
        yield from _check_sizes(budgets, image)
        yield from _check_dive(budgets, image)
        yield from _check_dead(budgets, image)
    yield from _check_dockerfiles(budgets, report)


def _check_size(
    id_: str, subject: str, value: int, limit: int, where: str, lead: str, tail: str = ""
) -> Check:
    state = State.GO if value <= limit else State.NO_GO
    message = f"{lead} {compare(value, limit, Convention.STORAGE)}{tail}"
    return make_check(id_, subject, value, limit, state, message, where)


def _check_sizes(budgets: Budgets, image: Image) -> Iterator[Check]:
    """Yield a check for every service that an image serves; for itself when it serves none."""
    for name in image.services or (image.reference,):
        own = budgets.service(name).image_bytes
        limit = budgets.images.each_bytes if own is None else own
        if limit is not None:
            where = budgets.where("images.each" if own is None else f"services.{name}.image")
            lead = f"the image of {name} takes"
            yield _check_size("service.image", name, image.size_bytes, limit, where, lead)


def _check_dive(budgets: Budgets, image: Image) -> Iterator[Check]:
    """Apply dive's three rules for CI, which `dive --json` does not check."""
    limits = budgets.images
    for id_, key, limit in (
        ("image.efficiency", "images.min_efficiency", limits.min_efficiency),
        ("image.wasted", "images.max_wasted", limits.max_wasted_bytes),
        ("image.user_wasted", "images.max_user_wasted", limits.max_user_wasted_share),
    ):
        if limit is not None:
            yield _check_rule(budgets, image, CHECK_KINDS[id_], limit, budgets.where(key))


def _check_rule(budgets: Budgets, image: Image, kind: CheckKind, limit: float, where: str) -> Check:
    """Return NO-GO for a broken rule in budgets.yml, but only WARN for a default.

    An image that dive could not read is never better than one that breaks the rule.
    """
    subject, dive, is_default = subject_of(image), image.dive, where == "default"
    if isinstance(dive, Missing):
        state = State.WARN if is_default else State.INCOMPLETE
        message = reason(dive, f"the image of {subject}", "read by dive")
        return make_check(kind.id, subject, dive, limit, state, message, where)
    value = {
        "image.efficiency": dive.efficiency,
        "image.wasted": dive.wasted_bytes,
        "image.user_wasted": dive.user_wasted_share,
    }[kind.id]
    least = budgets.images.ignore_user_wasted_below_bytes
    broken = value > limit if kind.at_most else value < limit
    ignored = broken and kind.id == "image.user_wasted" and dive.wasted_bytes < least
    state, remark = State.GO, ""
    if broken and not ignored:
        state = State.WARN if is_default else State.NO_GO
        remark = f"; most of it in {plain(dive.worst[0].path)}" if dive.worst else ""
    waste = _describe_waste(kind, value, limit, least if ignored else None)
    message, most = f"the image of {subject} {waste}{remark}", None if ignored else limit
    return make_check(kind.id, subject, value, most, state, message, where)


def _describe_waste(kind: CheckKind, value: float, limit: float, ignored: int | None) -> str:
    if kind.unit is Unit.STORAGE:
        return f"wastes {compare(int(value), int(limit), Convention.STORAGE)}"
    shown = percent_of_limit(value, limit, at_most=kind.at_most)
    if not kind.at_most:
        return f"is {shown} efficient, at least {percent(limit)} required"
    if ignored is not None:
        below = format_mb(ignored, Convention.STORAGE)
        return f"wastes {shown} of what it adds, ignored below {below}"
    return f"wastes {shown} of what it adds, at most {percent(limit)} allowed"


def _check_dead(budgets: Budgets, image: Image) -> Iterator[Check]:
    """Check the image's own dead bytes, and its base's if they are limited.

    They are what dive's wasted bytes are meant to be: exact, and with what a removed directory
    held. What came with FROM has a limit of its own: only a smaller base helps there. An image that
    is not accounted for has a check only if something limits it.
    """
    account, subject, limits = image.accounting, subject_of(image), budgets.images
    for id_, key, limit in (
        ("image.dead", "images.max_dead", limits.max_dead_bytes),
        ("image.base_dead", "images.max_base_dead", limits.max_base_dead_bytes),
    ):
        of_base, state = id_ == "image.base_dead", State.GO
        if limit is None and (of_base or isinstance(account, Missing)):
            continue
        if isinstance(account, Missing):
            value: int | Missing = account
            state = State.INCOMPLETE
            message = reason(account, f"the bytes of the image of {subject}", "accounted for")
        else:
            value = account.base_dead_bytes if of_base else account.own_dead_bytes
            lead, unknown = _describe_dead(account, of_base=of_base)
            figures = format_mb(value, Convention.STORAGE)
            if limit is not None:
                figures = str(compare(value, limit, Convention.STORAGE))
            if limit is not None and value > limit:
                state = State.NO_GO
                figures += _describe_largest(account, image, of_base=of_base)
            message = f"the image of {subject} has {lead}: {figures}{unknown}"
        where = "" if limit is None else budgets.where(key)
        check = make_check(id_, subject, value, limit, state, message, where)
        yield replace(check, blocking=limit is not None)


def _describe_dead(account: Accounting, *, of_base: bool) -> tuple[str, str]:
    """Return the owner of the dead bytes, and a remark if it is not known."""
    known = account.base_layers is not None
    if of_base:
        return (
            "dead bytes of its base",
            "" if known else "; which layers are the base's is not known",
        )
    if known:
        return "dead bytes of its own", ""
    return "dead bytes", "; the base's layers are not known, so all bytes count"


def _describe_largest(account: Accounting, image: Image, *, of_base: bool) -> str:
    dead = [part for part in account.dead if account.is_of_base(part) is of_base]
    if not dead:
        return ""
    worst = dead[0]
    instruction = plain(image.layers[worst.killer].instruction)[:INSTRUCTION_LENGTH]
    where = f"layer {worst.layer + 1}, {worst.fate.value} by layer {worst.killer + 1}"
    return f"; most was in {where} ({instruction})"


def _check_dockerfiles(budgets: Budgets, report: ImagesReport) -> Iterator[Check]:
    """Check each Dockerfile, if `images.policy` is `error` or `warn`.

    Hints (hadolint's info and style) never count. A Dockerfile that hadolint did not look at is not
    clean: it warns.
    """
    failed = POLICY_STATES.get(budgets.images.policy)
    for file in report.dockerfiles if failed else ():
        value: int | Missing = len(file.counted)
        if file.counted:
            listed = [f"{plain(r.text)} (line {r.line:,}, {r.rule})" for r in file.counted]
            text = f"{_issues(file)}: {format_list(listed, SHOWN, separator='; ')}"
            state = failed or State.GO
        elif isinstance(file.hadolint, Missing):
            state, text, value = State.WARN, plain(file.hadolint.reason), file.hadolint
        else:
            ignored = f", {len(file.ignored):,} ignored by comments" if file.ignored else ""
            state, text = State.GO, f"no issues{ignored}"
        path, where = plain(file.path), budgets.where("images.policy")
        subject, message = file.services[0] if len(file.services) == 1 else path, f"{path}: {text}"
        yield make_check("image.dockerfile", subject, value, 0, state, message, where, about=path)


def dockerfile_notes(case: Case) -> Iterator[str]:
    """Yield the number of issues of each Dockerfile when the policy is `note`."""
    if case.budgets.images.policy is Policy.NOTE and not isinstance(case.images, Missing):
        for file in filter(lambda file: file.counted, case.images.dockerfiles):
            yield f"{plain(file.path)}: {_issues(file)} (listed in the report)"


def _issues(file: DockerfilePolicy) -> str:
    return f"{len(file.counted):,} issue{'' if len(file.counted) == 1 else 's'}"
