"""Savings in the desk's first Redis: predicted, replayed with samples, and applied to everything.

    PYTHONPATH=tests python tests/benchmarks/redis_reference.py [--scale 0.2]

Fills a server with the first layout of examples/before/redis, audits it without and with replaying
samples, then rewrites every key with the techniques that the audit chose, one after the other, and
measures each step in a server of its own. The last line is the example's own new layout, which
knows what follows from what. Prints, asserts nothing.
"""

import argparse
import json
import subprocess
import sys
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from itertools import chain
from pathlib import Path
from typing import Any

import redis
from onegig.redis.samples import Sample, write_samples
from onegig.redis.techniques import SHARED, configure, rewrite

ROOT = Path(__file__).parents[2]
sys.path[:0] = [str(ROOT / "examples/before/redis"), str(ROOT / "services")]

from layout import Layout, fill  # noqa: E402 - found only now
from shrink import MIB, apply, measure, server  # noqa: E402

PAGE = 5_000
ALL = Layout(compact=True, ttl=True, eliminate=True, deduplicate=True, nodes=True, hashes=True)


def audit(port: int, *options: str) -> dict[str, Any]:
    """Return the audit of the server on a port."""
    url = f"redis://127.0.0.1:{port}"
    command = [sys.executable, "-m", "onegig.cli", "redis", "audit", url, "--json", *options]
    finished = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True)
    document: dict[str, Any] = json.loads(finished.stdout)
    return document


def read_all(client: "redis.Redis", patterns: Iterable[str]) -> dict[str, list[Sample]]:
    """Return every key with all of its contents, by pattern."""
    beginnings = {name.partition("{")[0].encode(): name for name in patterns}
    by_length = sorted(beginnings, key=len, reverse=True)
    read: dict[str, list[Sample]] = {name: [] for name in beginnings.values()}
    keys = sorted(client.scan_iter(count=PAGE))
    for key in keys:
        name = beginnings[next(start for start in by_length if key.startswith(start))]
        kind = client.type(key).decode()
        if kind == "stream":
            sample = Sample(name=key, type=kind, entries=tuple(read_entries(client, key)))
        else:
            sample = Sample(name=key, type=kind, content=(client.get(key),))
        read[name].append(sample)
    return read


def read_entries(client: "redis.Redis", key: bytes) -> Iterator[tuple[tuple[int, int], Any]]:
    """Yield a stream's entries as the audit's samples have them."""
    after = "-"
    while page := client.xrange(key, min=after, count=PAGE):
        for identifier, fields in page:
            milliseconds, _, number = identifier.partition(b"-")
            yield (int(milliseconds), int(number)), tuple(chain.from_iterable(fields.items()))
        after = f"({page[-1][0].decode()}"


def apply_all(
    data: Mapping[str, list[Sample]], chosen: Mapping[str, frozenset[str]], config: dict[str, str]
) -> int:
    """Return the bytes in use after rewriting all data, each pattern by its techniques."""
    with server() as other:
        client = redis.Redis(port=port_of(other))
        settings = configure(frozenset(chain.from_iterable(chosen.values())), config)
        for name, value in settings.items():
            client.config_set(name, value)
        for pattern, samples in data.items():
            rewritten = rewrite(samples, chosen[pattern])
            shared = SHARED + pattern.encode()  # each pattern has its own
            write_samples(
                client,
                (replace(s, name=shared) if s.name == SHARED else s for s in rewritten),
            )
        client.close()
        return measure(other).used


def port_of(client: Any) -> int:
    """Return the port of a server."""
    return int(client.call("CONFIG", "GET", "port")[1])


def mb(size: float) -> str:
    """Return bytes as MB of 2^20."""
    return f"{size / MIB:.1f}"


def main() -> None:
    """Fill, audit, replay, apply; print one line for each technique."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--scale", type=float, default=0.2, help="share of the data (default: 0.2)")
    options = parser.parse_args()
    with server() as first:
        fill(first, Layout(), options.scale)
        before = measure(first).used
        port = port_of(first)
        guessed = {saving["technique"]: saving for saving in audit(port)["savings"]}
        document = audit(port, "--replay")
        client = redis.Redis(port=port)
        config = client.config_get("*")
        data = read_all(client, [pattern["name"] for pattern in document["patterns"]])
        print(f"before: {mb(before)} MB used; audit with replay in {document['seconds']:.0f} s")
        print(f"{'':20}{'predicted':>12}{'replayed':>24}{'applied':>12}{'left':>12}{'applied':>12}")
        chosen = dict.fromkeys(data, frozenset[str]())
        last = apply_all(data, chosen, config)
        print(f"{'copied':20}{'':60}{mb(last):>12}")
        for saving in document["savings"]:
            technique = saving["technique"]
            for pattern in saving["patterns"]:
                chosen[pattern] |= {technique}
            left = apply_all(data, chosen, config)
            guess = guessed.get(technique)
            interval = f"{mb(saving['low_bytes'])} to {mb(saving['high_bytes'])}"
            cells = (
                f"{technique:20}{'' if guess is None else mb(guess['saved_bytes']):>12}",
                f"{mb(saving['saved_bytes']) + f' ({interval})':>24}{mb(last - left):>12}",
                f"{mb(saving['left_bytes']):>12}{mb(left):>12}",
            )
            print("".join(cells), flush=True)
            last = left
        client.close()
        print(f"{'example, by hand':20}{'':60}{mb(apply(first, ALL, options.scale)[0].used):>12}")


if __name__ == "__main__":
    main()
