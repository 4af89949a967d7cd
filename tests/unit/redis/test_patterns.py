"""Patterns learned from names of keys, and how few of them are kept."""

import random
from dataclasses import dataclass
from typing import Self
from uuid import UUID

import pytest

from onegig.redis.patterns import MOST_PATTERNS, Patterns


@dataclass
class Count:
    keys: int = 0

    def merge(self, other: Self) -> None:
        self.keys += other.keys


def learn(names: list[bytes]) -> dict[str, int]:
    patterns: Patterns[Count] = Patterns()
    for name in names:
        patterns.leaf(name).counts.setdefault("string", Count()).keys += 1
    return {
        text.decode("utf-8", "backslashreplace"): counts["string"].keys for text, counts in patterns
    }


some = random.Random(1)
SYMBOLS = [f"{base}{quote}" for base in ("BTC", "ETH", "SOL") for quote in ("USDT", "EUR", "USD")]
WORDS = ["".join(some.choices("abcdefghijklmnopqrstuvwxyz", k=7)) for _ in range(300)]
KINDS = ["user", "order", "cart", "invoice", "product", "refund"]
NAMES = {
    "price:{symbol}:{time}": [
        f"price:{SYMBOLS[n % 9]}:{1_700_000_000 + n}".encode() for n in range(200)
    ],
    "session:{uuid}": [f"session:{UUID(int=some.getrandbits(128))}".encode() for _ in range(100)],
    "lock_{hex}": [f"lock_{some.getrandbits(160):040x}".encode() for _ in range(100)],
    "daily/{date}/{symbol}-USDT": [
        f"daily/2026-{n % 12 + 1:02}-17/{['BTC', 'ETH', 'SOL', 'ADA', 'XRP'][n % 5]}-USDT".encode()
        for n in range(100)
    ],
    "user:{name}:cart": [f"user:{word}:cart".encode() for word in WORDS],
    "cache:v1:{n}": [f"cache:v1:{n}".encode() for n in range(50)],
    "{user{n}}.following": [f"{{user{n}}}.following".encode() for n in range(50)],
    "ключ:{n}": [f"ключ:{n}".encode() for n in range(50)],
    "blob:{bytes}": [b"blob:" + some.randbytes(4) + b"\xff\xff" for _ in range(100)],
    "config:timeout": [b"config:timeout"],
    "candle:{symbol}:{n}": [
        f"candle:{SYMBOLS[n % 9]}:{29_928_206 + n}".encode() for n in range(99)
    ],
    "order:{n}": [b"order:%d" % some.randrange(10**14, 10**15) for _ in range(99)],
    "at:{time}": [b"at:%d" % (1_764_300_000_000 + 60_000 * n) for n in range(99)],
    "day:{time}": [b"day:2026%02d%02d" % (n % 12 + 1, n % 28 + 1) for n in range(99)],
    "commit:{hex}": [b"commit:%08x" % some.getrandbits(32) for _ in range(400)],
}


@pytest.mark.parametrize("pattern", NAMES)
def test_a_pattern_is_learned(pattern: str) -> None:
    assert learn(NAMES[pattern]) == {pattern: len(NAMES[pattern])}


def test_patterns_are_told_apart_in_any_order() -> None:
    names = [name for names in NAMES.values() for name in names]
    some.shuffle(names)
    assert learn(names) == {pattern: len(names) for pattern, names in NAMES.items()}


def test_a_few_kinds_of_things_stay_apart() -> None:
    names = [f"{kind}:{n}".encode() for kind in KINDS for n in range(30)]
    assert learn(names) == {f"{kind}:{{n}}": 30 for kind in KINDS}


@pytest.mark.parametrize(
    "name",
    [
        lambda n: some.randbytes(12),
        lambda n: ":".join(some.choices(WORDS, k=4)).encode(),
        lambda n: b":" * n,
        lambda n: b"a" * n,
        lambda n: b"%d:" % n * 200,
    ],
    ids=["random bytes", "random words", "separators", "long", "longer than is looked at"],
)
def test_names_without_a_pattern_take_little_memory_and_are_all_counted(name) -> None:
    names = [name(n) for n in range(3000)]
    found = learn(names)
    assert len(found) <= MOST_PATTERNS + 1
    assert sum(found.values()) >= len({*names}) * 0.9
