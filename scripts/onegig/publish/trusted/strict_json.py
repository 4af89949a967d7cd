"""JSON of a stranger: what other parsers let pass (duplicate keys, NaN, huge numbers) is refused.

Two parsers may read one text differently where it is not quite JSON. What passes here means the
same to all of them.
"""

import json
from typing import Any, NoReturn

MOST_NUMBER = 2**50  # a petabyte, thirty million years: nothing measured is larger
MOST_DIGITS = 24
MOST_CHARACTERS = 65_536  # of one string: a log's tail
MOST_VALUES = 500_000  # two thousand services at 15 s of 10 Hz are 300,000
MOST_OBJECTS = 100_000  # each may be wrong in many ways, and every one is noted


class StrictJsonError(ValueError):
    """Why a text is refused, as the end of a sentence that names it."""


def parse_strictly(text: bytes) -> dict[str, Any]:
    """The object in `text`, its numbers between 0 and MOST_NUMBER; StrictJsonError otherwise."""
    for sign, what, most in ((b",", "values", MOST_VALUES), (b"{", "objects", MOST_OBJECTS)):
        if text.count(sign) > most:
            raise StrictJsonError(f"has more than {most:,} {what}")
    try:
        value = json.loads(
            text.decode("utf-8"),
            object_pairs_hook=_mapping,
            parse_int=_integer,
            parse_float=_fraction,
            parse_constant=_constant,
        )
    except UnicodeDecodeError:
        raise StrictJsonError("is not UTF-8 text") from None
    except json.JSONDecodeError as error:
        raise StrictJsonError(f"is not JSON (line {error.lineno}: {error.msg})") from None
    except RecursionError:
        raise StrictJsonError("is nested too deeply") from None
    if not isinstance(value, dict):
        raise StrictJsonError("is not a JSON object")
    return value


def _mapping(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise StrictJsonError("has a key twice in one object")
    for key, value in pairs:
        _check_text(key)
        for item in value if isinstance(value, list) else (value,):
            if isinstance(item, str):
                _check_text(item)
    return found


def _check_text(text: str) -> None:
    if len(text) > MOST_CHARACTERS:
        raise StrictJsonError(f"has a string of {len(text):,} characters")


def _integer(digits: str) -> int:
    return int(_check_number(int(digits) if len(digits) <= MOST_DIGITS else float("inf")))


def _fraction(digits: str) -> float:
    return float(_check_number(float(digits) if len(digits) <= MOST_DIGITS * 2 else float("inf")))


def _check_number(value: float) -> float:
    if value < 0:
        raise StrictJsonError("has a negative number")
    if value > MOST_NUMBER:
        raise StrictJsonError("has a number that is too large to be true")
    return value


def _constant(name: str) -> NoReturn:
    raise StrictJsonError(f"has the number {name}")
