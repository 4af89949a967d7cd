"""Dead bytes of an image, judged where budgets.yml has a limit for them, and reported where not.

They are what dive's wasted bytes are meant to be: exact, and with what a removed directory held.
What came with FROM is the base image's and has a limit of its own: only a smaller base helps there.
"""

from collections.abc import Iterator
from dataclasses import dataclass

from onegig.judge.words import compare, one_line, reason
from onegig.model.accounting import Accounting
from onegig.model.budgets import Budgets
from onegig.model.images import Image
from onegig.model.measured import Missing
from onegig.model.sizes import Convention, format_mb
from onegig.model.verdict import Check, State, Unit

_INSTRUCTION_LENGTH = 80


@dataclass(frozen=True, kw_only=True, slots=True)
class _Kind:
    """Whose dead bytes a check is about."""

    id: str
    key: str
    title: str
    of_base: bool
    limit: int | None


def check_dead(budgets: Budgets, image: Image) -> Iterator[Check]:
    """Yield a check of the image's own dead bytes, and one of its base's where they are limited.

    None for an image that is not accounted for where nothing limits it.
    """
    account = image.accounting
    subject = image.services[0] if len(image.services) == 1 else image.reference
    for kind in _kinds(budgets):
        value: int | Missing
        if not isinstance(account, Missing):
            value = account.base_dead_bytes if kind.of_base else account.own_dead_bytes
            state, message = _judge(kind, value, account, image, subject)
        elif kind.limit is None:
            continue
        else:
            what = f"the bytes of the image of {subject}"
            value, state = account, State.INCOMPLETE
            message = reason(account, what, "accounted for")
        yield Check(
            id=kind.id,
            subject=subject,
            title=f"{kind.title} of {subject}",
            unit=Unit.STORAGE,
            value=value,
            limit=kind.limit,
            blocking=kind.limit is not None,
            state=state,
            message=message,
            where="" if kind.limit is None else budgets.where(kind.key),
        )


def _kinds(budgets: Budgets) -> Iterator[_Kind]:
    limits = budgets.images
    yield _Kind(
        id="image.dead",
        key="images.max_dead",
        title="Dead bytes",
        of_base=False,
        limit=limits.max_dead_bytes,
    )
    if limits.max_base_dead_bytes is not None:
        yield _Kind(
            id="image.base_dead",
            key="images.max_base_dead",
            title="Dead bytes in the base",
            of_base=True,
            limit=limits.max_base_dead_bytes,
        )


def _judge(
    kind: _Kind, value: int, account: Accounting, image: Image, subject: str
) -> tuple[State, str]:
    lead, tail = _lead(kind, account, subject)
    if kind.limit is None:
        return State.GO, f"{lead} {format_mb(value, Convention.STORAGE)}{tail}"
    figures = compare(value, kind.limit, Convention.STORAGE)
    over = value > kind.limit
    most = _most(kind, account, image) if over else ""
    return (State.NO_GO if over else State.GO), f"{lead} {figures.of}, {figures.room}{most}{tail}"


def _lead(kind: _Kind, account: Accounting, subject: str) -> tuple[str, str]:
    """Whose waste it is, and what to add where that is not known."""
    if kind.of_base:
        lead = f"the image of {subject} has dead bytes of its base:"
        return lead, "" if account.base_layers is not None else "; which layers are its is unknown"
    if account.base_layers is None:
        unknown = "; which layers are its base's is unknown, so all count"
        return f"the image of {subject} has dead bytes:", unknown
    return f"the image of {subject} has dead bytes of its own:", ""


def _most(kind: _Kind, account: Accounting, image: Image) -> str:
    """Where most of it came from, and which instruction killed it."""
    dead = [one for one in account.dead if account.is_of_base(one) is kind.of_base]
    if not dead:
        return ""
    worst = dead[0]
    instruction = one_line(image.layers[worst.killer].instruction)[:_INSTRUCTION_LENGTH]
    where = f"layer {worst.layer + 1}, {worst.fate.value} by layer {worst.killer + 1}"
    return f"; most was in {where} ({instruction})"
