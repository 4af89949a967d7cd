"""The `waivers` of budgets.yml: each needs an owner, a reason and an end not too far away."""

from collections.abc import Iterator
from datetime import date

from onegig.load.mistakes import Key
from onegig.load.values import Values, day
from onegig.model.budgets import Waiver

OF_FINDINGS = ("image.vulnerabilities", "image.secrets", "image.misconfigurations")
MOST_DAYS = 366  # a waiver for longer than a year is a limit that nobody dares to write down

WAIVERS: Key = ("waivers",)


def read_waivers(values: Values, today: date) -> tuple[Waiver, ...]:
    """Those that are whole; `values` notes what is wrong with the others."""
    written = values.raw(WAIVERS)
    count = len(written) if isinstance(written, list) else 0
    found: dict[tuple[str, str | None, str | None], tuple[int, Waiver]] = {}
    for index in range(count):
        for waiver in _waiver(values, (*WAIVERS, index), today):
            name = waiver.metric, waiver.subject, waiver.id
            if name in found:
                first = f"already waived by waivers[{found[name][0]}]"
                values.problem((*WAIVERS, index), f"{_what(waiver)} is {first}")
            else:
                found[name] = index, waiver
    return tuple(waiver for _, waiver in found.values())


def _waiver(values: Values, key: Key, today: date) -> Iterator[Waiver]:
    texts = {name: _text(values, (*key, name)) for name in ("metric", "reason", "owner")}
    expires = values.read((*key, "expires"), day, None)
    subject, finding = (values.written((*key, name)) for name in ("subject", "id"))
    if finding and texts["metric"] not in OF_FINDINGS:
        values.problem((*key, "id"), f"only findings have one: {', '.join(OF_FINDINGS)}")
    if expires is None or not all(texts.values()):
        return
    if (expires - today).days > MOST_DAYS:
        values.problem((*key, "expires"), f"{expires} is more than a year away; waive for less")
    yield Waiver(**texts, subject=subject or None, id=finding or None, expires=expires)


def _text(values: Values, key: Key) -> str:
    """A text that must not be blank; the schema has complained where it is missing."""
    text = values.written(key)
    if not text and isinstance(values.raw(key), str):
        values.problem(key, "is empty")
    return text


def _what(waiver: Waiver) -> str:
    finding = f" {waiver.id}" if waiver.id else ""
    return f"{waiver.metric}{finding}" + (f" of {waiver.subject}" if waiver.subject else "")
