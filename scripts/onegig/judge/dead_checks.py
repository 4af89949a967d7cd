"""Dead bytes of an image, judged where budgets.yml has a limit for them, and told where not.

They are what dive's wasted bytes are meant to be: exact, and with what a removed directory held.
"""

from collections.abc import Iterator

from onegig.judge.words import compare, one_line, reason
from onegig.model.accounting import Accounting
from onegig.model.budgets import Budgets
from onegig.model.images import Image
from onegig.model.measured import Missing
from onegig.model.sizes import Convention, format_mb
from onegig.model.verdict import Check, State, Unit

KEY = "images.max_dead"
_INSTRUCTION_LENGTH = 80


def check_dead(budgets: Budgets, image: Image) -> Iterator[Check]:
    """One check; none for an image that is not accounted for where nothing limits it."""
    limit, account = budgets.images.max_dead_bytes, image.accounting
    subject = image.services[0] if len(image.services) == 1 else image.reference
    value: int | Missing
    if not isinstance(account, Missing):
        value, state, message = account.dead_bytes, *_judged(account, image, subject, limit)
    elif limit is None:
        return
    else:
        what = f"the bytes of the image of {subject}"
        value, state, message = account, State.INCOMPLETE, reason(account, what, "accounted for")
    yield Check(
        id="image.dead",
        subject=subject,
        title=f"Dead bytes of {subject}",
        unit=Unit.STORAGE,
        value=value,
        limit=limit,
        blocking=limit is not None,
        state=state,
        message=message,
        where="" if limit is None else budgets.where(KEY),
    )


def _judged(
    account: Accounting, image: Image, subject: str, limit: int | None
) -> tuple[State, str]:
    lead = f"the image of {subject} has dead bytes:"
    if limit is None:
        return State.GO, f"{lead} {format_mb(account.dead_bytes, Convention.STORAGE)}"
    figures = compare(account.dead_bytes, limit, Convention.STORAGE)
    over = account.dead_bytes > limit
    most = _most(account, image) if over else ""
    return (State.NO_GO if over else State.GO), f"{lead} {figures.of}, {figures.room}{most}"


def _most(account: Accounting, image: Image) -> str:
    """Where most of it came from, and which instruction killed it."""
    if not account.dead:
        return ""
    worst = account.dead[0]
    instruction = one_line(image.layers[worst.killer].instruction)[:_INSTRUCTION_LENGTH]
    where = f"layer {worst.layer + 1}, {worst.fate.value} by layer {worst.killer + 1}"
    return f"; most was in {where} ({instruction})"
