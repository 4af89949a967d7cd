"""Values that stand in one place of many keys or entries, written in less room.

A column is what one field of a stream, one field of a hash or one pattern of strings holds. The
table of what its values have in common is kept once, and counts with them.
"""

import re
import zlib
from collections.abc import Sequence
from decimal import Decimal

from onegig.redis.documents import Form, choose_codes, convert, decimals_of, parse, scale

COMPRESSED_FROM = 100  # bytes; shorter values have too little that repeats
WORTHWHILE = 0.8  # of its bytes, at most, compression leaves
_DATE = re.compile(rb"(?<!\d)(1[0-9]{9}|1[0-9]{12})(?!\d)")  # seconds or milliseconds of the epoch

Column = tuple[Sequence[bytes], Sequence[str]]  # values, and what is kept once


def rewrite_column(values: Sequence[bytes], techniques: frozenset[str]) -> Column:
    """Return the values after the techniques that apply to them, and what is kept once."""
    shared: list[str] = []
    documents = [parse(value) for value in values]
    if "deduplicate" in techniques:
        codes = choose_codes([value.decode("latin-1") for value in values])
        if codes:
            return [b"%d" % codes[value.decode("latin-1")] for value in values], [*codes]
    form = Form(
        positional="json-fields" in techniques,
        coded="deduplicate" in techniques,
        scaled="pack-numbers" in techniques,
    )
    if form != Form() and values and all(document is not None for document in documents):
        converted = convert(documents, form)
        if converted is not None:
            values, shared = converted
    elif "pack-numbers" in techniques:
        values = _scaled(values)
    return _compressed(values) if "compress" in techniques else values, shared


def _scaled(values: Sequence[bytes]) -> Sequence[bytes]:
    """Return decimals as whole numbers of the last decimal that any of them has."""
    texts = [value.decode("latin-1") for value in values]
    places = [decimals_of(text) for text in texts if text]
    most = max((each for each in places if each is not None), default=0)
    if not most or None in places:
        return values
    whole = [scale(text, most) if text else None for text in texts]
    for text, number in zip(texts, whole, strict=True):
        if number is not None and Decimal(number).scaleb(-most) != Decimal(text):
            return values
    return [b"" if number is None else b"%d" % number for number in whole]


def _compressed(values: Sequence[bytes]) -> Sequence[bytes]:
    long = [len(value) >= COMPRESSED_FROM for value in values]
    packed = [zlib.compress(v) if is_long else v for v, is_long in zip(values, long, strict=True)]
    before = sum(len(value) for value, is_long in zip(values, long, strict=True) if is_long)
    after = sum(len(value) for value, is_long in zip(packed, long, strict=True) if is_long)
    return packed if before and after <= WORTHWHILE * before else values


def date_of(text: bytes) -> int:
    """Return the seconds of the epoch that a text names, the last one; 0 where it names none."""
    found = _DATE.findall(text)
    if not found:
        return 0
    return int(found[-1]) // (1000 if len(found[-1]) == 13 else 1)
