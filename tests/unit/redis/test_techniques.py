"""Techniques keep the contents of keys, whatever those are."""

import json
from itertools import chain
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from onegig.redis.documents import Form, Shape, convert, pack, parse, same
from onegig.redis.encodings import Settings
from onegig.redis.samples import Sample, predicted_bytes
from onegig.redis.techniques import TECHNIQUES, configure, rewrite

PLAIN = st.one_of(
    st.none(), st.booleans(), st.integers(), st.floats(allow_nan=False), st.text(max_size=8)
)
NAMES = st.sampled_from(("price", "symbol", "meta", "", "ünï"))
JSON = st.recursive(
    PLAIN,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(NAMES, inner, max_size=4),
    max_leaves=12,
)
DOCUMENTS = st.lists(st.dictionaries(NAMES, JSON, max_size=4), min_size=1, max_size=12)
FORMS = [
    Form(positional=positional, coded=coded, scaled=scaled)
    for positional in (False, True)
    for coded in (False, True)
    for scaled in (False, True)
]
ALL = [technique.name for technique in TECHNIQUES]
SETS = [*(frozenset({name}) for name in ALL), frozenset(ALL)]


@pytest.mark.parametrize("form", FORMS, ids=str)
@settings(max_examples=50)
@given(documents=DOCUMENTS)
@example(documents=[{"price": 0}, *[{"price": ["0000000", "0000000"]}] * 2])
def test_documents_come_back(form: Form, documents: list[Any]) -> None:
    parsed = [parse(json.dumps(document).encode()) for document in documents]
    if convert(parsed, form) is None:
        return  # left as they are
    shape = Shape.learn(parsed, form)
    for document in parsed:
        assert same(shape.decode(shape.encode(document, form), form), document)


def test_usual_documents_are_rewritten() -> None:
    documents = [
        parse(json.dumps({"price": n / 4, "meta": {"source": "websocket"}, "n": n}).encode())
        for n in range(20)
    ]
    sizes = []
    for form in (Form(), Form(positional=True), Form(positional=True, coded=True)):
        converted = convert(documents, form)
        assert converted is not None
        sizes.append(sum(map(len, converted[0])))
    assert sizes == sorted(sizes, reverse=True)
    converted = convert(documents, Form(positional=True, coded=True, scaled=True))
    assert converted is not None
    assert converted[0][7] == b"\x93\xcc\xaf\x00\x07"  # 1.75 as 175, a code, 7
    assert converted[1] == ['{"source":"websocket"}']


@pytest.mark.parametrize(
    ("value", "packed"),
    [
        (None, b"\xc0"),
        (127, b"\x7f"),
        (-33, b"\xd0\xdf"),
        (300, b"\xcd\x01\x2c"),
        ("a", b"\xa1a"),
        (["x" * 40], b"\x91\xd9\x28" + b"x" * 40),
        ({"a": True}, b"\x81\xa1a\xc3"),
    ],
)
def test_messagepack(value: object, packed: bytes) -> None:
    assert pack(value) == packed


TEXTS = st.one_of(
    st.binary(max_size=12),
    st.sampled_from((b"1.50", b"", b"\0", b"1e5", b"-0.25", b"x" * 300, b'{"a":', b"[1]")),
    st.dictionaries(NAMES, JSON, max_size=3).map(lambda value: json.dumps(value).encode()),
)


@pytest.mark.parametrize("techniques", SETS, ids=lambda some: "+".join(sorted(some))[:60])
@settings(max_examples=30)
@given(values=st.lists(TEXTS, min_size=1, max_size=8), count=st.integers(1, 30))
def test_any_content_is_rewritten(
    techniques: frozenset[str], values: list[bytes], count: int
) -> None:
    entries = tuple(
        ((1_700_000_000_000 + n, 0), (b"data", values[n % len(values)], b"n", b"%d" % n))
        for n in range(count)
    )
    pairs = tuple(chain.from_iterable((b"f%d" % n, value) for n, value in enumerate(values)))
    samples = [
        Sample(name=b"stream", type="stream", entries=entries),
        Sample(name=b"hash", type="hash", content=pairs),
        Sample(name=b"list", type="list", content=tuple(values)),
        *(Sample(name=b"s%d" % n, type="string", content=(v,)) for n, v in enumerate(values)),
    ]
    result = rewrite(samples, techniques)
    (stream,) = (sample for sample in result if sample.type == "stream")
    assert [entry_id for entry_id, _ in stream.entries] == [entry_id for entry_id, _ in entries]
    assert predicted_bytes(result, Settings()) > 0


def test_settings_never_become_stricter() -> None:
    config = {"stream-node-max-bytes": "65536", "stream-node-max-entries": "0"}
    assert configure(frozenset({"node-limits"}), config) == {}
    config = {"stream-node-max-bytes": "4096", "stream-node-max-entries": "100"}
    assert configure(frozenset({"node-limits"}), config) == {
        "stream-node-max-bytes": "16384",
        "stream-node-max-entries": "400",
    }
