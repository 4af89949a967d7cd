"""Savings in the desk's first Redis: predicted, replayed by the audit, and applied for real.

    PYTHONPATH=tests python tests/benchmarks/redis_reference.py [--scale 0.2]

Fills a server with the first layout of examples/before/redis, audits it once without and once with
replaying samples, then applies the techniques for real in the order that the audit chose, each
to all that came before. Prints, asserts nothing.
"""

import argparse
import json
import subprocess
import sys
from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[2]
sys.path[:0] = [str(ROOT / "examples/before/redis"), str(ROOT / "services")]

from layout import Layout, fill  # noqa: E402 - found only now
from shrink import MIB, apply, measure, server  # noqa: E402

# The audit's techniques, and the switches of the example that do the same.
SWITCHES: Mapping[str, str] = {
    "compact-entries": "compact",
    "ttl": "ttl",
    "json-fields": "eliminate",
    "deduplicate": "deduplicate",
    "hash-buckets": "hashes",
    "node-limits": "nodes",
}


def audit(port: int, *options: str) -> dict[str, Any]:
    """Return the audit of the server on a port."""
    url = f"redis://127.0.0.1:{port}"
    command = [sys.executable, "-m", "onegig.cli", "redis", "audit", url, "--json", *options]
    finished = subprocess.run(command, check=True, capture_output=True, text=True)
    document: dict[str, Any] = json.loads(finished.stdout)
    return document


def savings(document: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """Yield the savings of an audit, if it has any."""
    listed = document["savings"]
    yield from listed if isinstance(listed, list) else ()


def main() -> None:
    """Fill, audit, replay, apply; print one line for each technique."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--scale", type=float, default=0.2, help="share of the data (default: 0.2)")
    options = parser.parse_args()
    with server() as first:
        fill(first, Layout(), options.scale)
        before = measure(first)
        port = int(first.call("CONFIG", "GET", "port")[1])
        predicted = {saving["technique"]: saving for saving in savings(audit(port))}
        document = audit(port, "--replay")
        print(f"before: {before.used / MIB:.1f} MB used; audit in {document['seconds']:.1f} s")
        print(f"{'':28}{'predicted':>12}{'replayed':>22}{'applied':>12}{'left':>18}{'applied':>12}")
        layout, last = Layout(), before
        for saving in savings(document):
            technique = saving["technique"]
            applied, left = "", ""
            if switch := SWITCHES.get(technique):
                layout = replace(layout, **{switch: True})
                usage, _ = apply(first, layout, options.scale)
                applied, left = f"{(last.used - usage.used) / MIB:.1f}", f"{usage.used / MIB:.1f}"
                last = usage
            guess = predicted.get(technique)
            low, high = saving["low_bytes"] / MIB, saving["high_bytes"] / MIB
            print(
                f"{technique:28}"
                f"{'' if guess is None else format(guess['saved_bytes'] / MIB, '.1f'):>12}"
                f"{saving['saved_bytes'] / MIB:>8.1f} ({low:.1f} to {high:.1f})".ljust(62)
                + f"{applied:>12}{saving['left_bytes'] / MIB:>18.1f}{left:>12}"
            )


if __name__ == "__main__":
    main()
