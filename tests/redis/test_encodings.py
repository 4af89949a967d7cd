"""Sizes of encodings, held against what real servers take for random contents."""

from collections.abc import Iterator
from dataclasses import replace

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from onegig.redis.encodings import allocated
from onegig.redis.samples import Sample, predicted_bytes
from onegig.redis.scratch import Scratch, product_of
from servers import Server

FEW = settings(  # each example is written to a server
    max_examples=12,
    deadline=None,
    phases=[Phase.explicit, Phase.generate],
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
NUMBERS = st.integers(-(2**63) - 2, 2**63 + 1).map(lambda number: b"%d" % number)
LENGTHS = st.sampled_from((10, 43, 44, 45, 63, 64, 65, 127, 200, 4095, 4096, 20_000))
SMALL = st.integers(-5000, 5000).map(lambda number: b"%d" % number)
SHORT = st.one_of(st.binary(min_size=1, max_size=40), NUMBERS, SMALL)
TEXTS = st.one_of(st.binary(max_size=70), LENGTHS.map(lambda n: b"x" * n), NUMBERS, SMALL)
NAMES = st.binary(min_size=1, max_size=150)
LONGEST_PACKED = 64  # bytes of a text; with a longer one nothing is packed
COPIES = 128  # of each example, so that what belongs to the server itself counts little


@pytest.fixture(scope="module")
def scratch(running: Server) -> Iterator[Scratch]:
    scratch = Scratch(running.socket, *product_of(running.client.info("server")))
    running.client.close()
    yield scratch
    scratch.close()


def varied(content: tuple[bytes, ...], number: int) -> tuple[bytes, ...]:
    """The same lengths with other bytes, where texts are stored as they are.

    Equal fields would fill the tables of all copies alike: by chance, each has a bucket more.
    """
    if max(map(len, content), default=0) <= LONGEST_PACKED:
        return content
    return tuple(bytes(byte ^ number for byte in text) for text in content)


def check(scratch: Scratch, sample: Sample, share: float, count: int = COPIES) -> None:
    """Fail where the predicted bytes of some copies are off by more than a share."""
    copies = [
        replace(sample, name=sample.name + b"%04d" % n, content=varied(sample.content, n))
        for n in range(count)
    ]
    measured = scratch.measure(copies, {})
    predicted = predicted_bytes(copies, scratch.settings)
    assert abs(predicted - measured) <= share * measured + 512, (predicted, measured)


@FEW
@given(name=NAMES, value=TEXTS, expires=st.booleans())
def test_strings(scratch: Scratch, name: bytes, value: bytes, expires: bool) -> None:
    sample = Sample(name=name, type="string", content=(value,), expires=expires)
    check(scratch, sample, 0.04)


@FEW
@given(content=st.lists(TEXTS, min_size=1, max_size=150))
def test_lists(scratch: Scratch, content: list[bytes]) -> None:
    check(scratch, Sample(name=b"list", type="list", content=tuple(content)), 0.04)


@FEW
@given(content=st.dictionaries(SHORT, TEXTS, min_size=1, max_size=150))
def test_hashes(scratch: Scratch, content: dict[bytes, bytes]) -> None:
    flat = tuple(text for pair in content.items() for text in pair)
    check(scratch, Sample(name=b"hash", type="hash", content=flat), 0.08)


@FEW
@given(content=st.one_of(st.sets(SHORT, min_size=1, max_size=150), st.sets(SMALL, min_size=1)))
def test_sets(scratch: Scratch, content: set[bytes]) -> None:
    check(scratch, Sample(name=b"set", type="set", content=tuple(content)), 0.08)


@FEW
@given(content=st.dictionaries(SHORT, SMALL, min_size=1, max_size=200))
def test_sorted_sets(scratch: Scratch, content: dict[bytes, bytes]) -> None:
    flat = tuple(text for pair in content.items() for text in pair)
    check(scratch, Sample(name=b"zset", type="zset", content=flat), 0.06)


@FEW
@given(data=st.data())
def test_streams(scratch: Scratch, data: st.DataObject) -> None:
    names = data.draw(st.lists(SHORT, min_size=1, max_size=6, unique=True))
    sets = st.lists(st.sampled_from(names), min_size=1, max_size=6, unique=True)
    kinds = data.draw(st.lists(sets, min_size=1, max_size=3))
    steps = data.draw(st.sampled_from((0, 1, 40, 5_000, 10_000_000)))
    values = data.draw(st.lists(TEXTS, min_size=1, max_size=7))
    entries = tuple(
        (
            (1_700_000_000_000 + n * steps, n),
            tuple(
                text for name in kinds[n % len(kinds)] for text in (name, values[n % len(values)])
            ),
        )
        for n in range(data.draw(st.integers(1, 500)))
    )
    check(scratch, Sample(name=b"stream", type="stream", entries=tuple(entries)), 0.02, count=16)


@pytest.mark.parametrize(
    ("size", "expected"),
    [(0, 0), (1, 8), (8, 8), (9, 16), (24, 32), (128, 128), (129, 160), (257, 320), (4097, 5120)],
)
def test_classes_of_the_allocator(size: int, expected: int) -> None:
    assert allocated(size) == expected
