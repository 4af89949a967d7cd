"""Fills Redis with the desk's first layout, then with each technique, and prints what it takes.

    python shrink.py                                      the table, some minutes
    python shrink.py --scale 0.05                         the same with a twentieth of the data
    python shrink.py --fill before --redis localhost:6379
    python shrink.py --fill compact,ttl --redis localhost:6379

Every layout is read back whole and compared with what the first one holds. Without --redis each is
written to a server of its own (valkey-server or redis-server on PATH), which is stopped afterwards.
"""

import argparse
import shutil
import socket
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass, fields, replace
from itertools import zip_longest
from pathlib import Path
from time import monotonic, sleep

sys.path.insert(0, str(Path(__file__).parents[3] / "services"))

from layout import Layout, Reader, fill, has_expired

from desk.redis import Redis, RedisError, parse_address
from desk.streams import KINDS

MIB = 1 << 20
PATIENCE_SECONDS = 20.0


@dataclass(frozen=True, kw_only=True, slots=True)
class Technique:
    """A technique of layout.Layout, and what the desk's owners expected of it."""

    name: str
    title: str
    expected_mb: int | None = None


TECHNIQUES = (
    Technique(name="compact", title="compact stream entries", expected_mb=-60),
    Technique(name="ttl", title="TTL on temporary results", expected_mb=-30),
    Technique(name="eliminate", title="JSON field elimination", expected_mb=-40),
    Technique(name="deduplicate", title="metadata once in a hash", expected_mb=-20),
    Technique(name="hashes", title="hashes instead of strings"),
    Technique(name="nodes", title="larger stream nodes"),
)


@dataclass(frozen=True, kw_only=True, slots=True)
class Usage:
    """Bytes of a server: in use, of them data, and resident in its process."""

    used: int
    data: int
    resident: int


class Difference(Exception):  # noqa: N818 - names what was found
    """Two layouts that do not hold the same; the text says where."""


# ---- the table -----------------------------------------------------------------------------------


def print_table(scale: float, *, alone: bool) -> None:
    """Print what each technique saves, cumulative and, if asked for, alone."""
    write(
        f"{'':28}{'expected':>10}{'alone':>10}{'saves':>10}{'used':>10}{'data':>10}{'resident':>10}"
    )
    with server() as first:
        fill(first, Layout(), scale)
        before = measure(first)
        write_row("before", None, None, None, before)
        layout, last, expired = Layout(), before, 0
        for technique in TECHNIQUES:
            saved = None
            if alone:
                usage, _ = apply(first, replace(Layout(), **{technique.name: True}), scale)
                saved = usage.used - before.used
            layout = replace(layout, **{technique.name: True})
            usage, expired = apply(first, layout, scale)
            write_row(technique.title, technique.expected_mb, saved, usage.used - last.used, usage)
            last = usage
    expected = sum(technique.expected_mb or 0 for technique in TECHNIQUES)
    write_row("together", expected, None, last.used - before.used, last)
    write(f"MB of 2^20 bytes. Read back and equal: everything but {expired:,} expired results.")


def apply(first: Redis, layout: Layout, scale: float) -> tuple[Usage, int]:
    """Return what a layout takes, and how many results have expired; raises Difference."""
    with server() as other:
        fill(other, layout, scale)
        usage = measure(other)
        return usage, compare(Reader(first, Layout()), Reader(other, layout), expires=layout.ttl)


def compare(first: Reader, other: Reader, *, expires: bool) -> int:
    """Compare all that two layouts hold; return how many results have expired.

    Raises Difference.
    """
    for stream in KINDS:
        for one, two in zip_longest(first.entries(stream), other.entries(stream)):
            if one != two:
                raise Difference(f"{stream}: {one} is not {two}")
    left = dict(other.keyed())
    expired = 0
    for key, values in first.keyed():
        if expires and has_expired(key):
            expired += 1
        elif left.pop(key, None) != values:
            raise Difference(f"{key} is missing or different")
    if left:
        raise Difference(f"{len(left)} keys too many, such as {next(iter(left))}")
    return expired


def measure(redis: Redis) -> Usage:
    """Return what the server takes; raises RedisError."""
    lines = redis.call("INFO", "memory").decode().splitlines()
    info = dict(line.split(":", 1) for line in lines if ":" in line)
    names = ("used_memory", "used_memory_dataset", "used_memory_rss")
    used, data, resident = (int(info[name]) for name in names)
    return Usage(used=used, data=data, resident=resident)


def write_row(
    title: str, expected: int | None, alone: int | None, saved: int | None, usage: Usage
) -> None:
    """Print one line of the table; expected is in MB, the rest in bytes."""
    cells = [
        "" if expected is None else f"{expected:+}",
        *("" if size is None else f"{size / MIB:+.1f}" for size in (alone, saved)),
        *(f"{size / MIB:.1f}" for size in (usage.used, usage.data, usage.resident)),
    ]
    write(f"{title:28}" + "".join(f"{cell:>10}" for cell in cells))


def write(line: str) -> None:
    """Print a line at once."""
    sys.stdout.write(line + "\n")
    sys.stdout.flush()


# ---- servers -------------------------------------------------------------------------------------


@contextmanager
def server() -> Iterator[Redis]:
    """Start an empty server with the default configuration, without persistence; stop it again."""
    program = shutil.which("valkey-server") or shutil.which("redis-server")
    if program is None:
        raise FileNotFoundError("valkey-server or redis-server is needed on PATH")
    with socket.create_server(("127.0.0.1", 0)) as free:
        address: tuple[str, int] = free.getsockname()
    with tempfile.TemporaryDirectory() as folder:
        options = ["--bind", "127.0.0.1", "--port", str(address[1]), "--save", "", "--dir", folder]
        process = subprocess.Popen([program, *options], stdout=subprocess.DEVNULL)
        redis = Redis(address, "shrink")
        try:
            wait_for(redis)
            yield redis
        finally:
            redis.close()
            process.kill()
            process.wait()


def wait_for(redis: Redis) -> None:
    """Wait until the server answers; raises RedisError if it does not in time."""
    deadline = monotonic() + PATIENCE_SECONDS
    while True:
        try:
            redis.call("PING")
            return
        except RedisError:
            if monotonic() > deadline:
                raise
            sleep(0.05)


def fill_given(address: str, names: str, scale: float) -> None:
    """Write one layout to a server that is empty; raises RedisError and ValueError."""
    layout = Layout(**{name: True for name in names.split(",") if name != "before"})
    with closing(Redis(parse_address(address), "shrink")) as redis:
        if keys := redis.call("DBSIZE"):
            raise ValueError(f"{address} already has {keys} keys; give an empty server")
        fill(redis, layout, scale)
        write(f"{names}: {measure(redis).used / MIB:.1f} MB used")


def main(arguments: Sequence[str]) -> int:
    """Print the table or fill a server; return the exit code."""
    known = ",".join(field.name for field in fields(Layout))
    description, _, usage = (__doc__ or "").partition("\n\n")
    parser = argparse.ArgumentParser(
        description=description, epilog=usage, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--scale", type=float, default=1.0, help="share of the data (default: 1)")
    parser.add_argument("--alone", action="store_true", help="also measure each technique alone")
    parser.add_argument("--fill", metavar="LAYOUT", help=f"before, or some of {known}")
    parser.add_argument("--redis", metavar="HOST:PORT", help="the empty server to fill")
    options = parser.parse_args(arguments)
    if bool(options.fill) != bool(options.redis):
        parser.error("--fill and --redis belong together")
    try:
        if options.fill:
            fill_given(options.redis, options.fill, options.scale)
        else:
            print_table(options.scale, alone=options.alone)
    except (OSError, RedisError, TypeError, ValueError) as error:
        sys.stderr.write(f"{error}\n")
        return 2
    return 0


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
