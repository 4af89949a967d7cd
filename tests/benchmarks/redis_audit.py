"""Print a table: `onegig redis audit` beside `redis-cli --memkeys` and `--bigkeys`, in one run.

    python tests/benchmarks/redis_audit.py [--keys 1000000]

For each: seconds, our own processor time and memory, how much of used memory it explains, and how
long a second client, that sends a PING every two milliseconds, had to wait meanwhile.
"""

import argparse
import json
import random
import re
import resource
import shutil
import socket
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from threading import Event, Thread
from time import monotonic, perf_counter, sleep
from uuid import UUID

from redis import Redis

PAUSE_SECONDS = 0.002
SLOW_ENTRIES = 10_000
SERVERS = ("valkey-server", "redis-server")
CLIENTS = ("valkey-cli", "redis-cli")
SYMBOLS = [base + quote for base in ("BTC", "ETH", "SOL", "ADA") for quote in ("USDT", "EUR")]
ENTRIES, STREAMS = 20_000, 4
TOTALS = re.compile(r"^\d+ \w+ with (\d+) (bytes|\w+)", re.MULTILINE)


def commands(keys: int) -> Iterator[tuple[object, ...]]:
    """Yield the commands that make the keys: half prices, sessions, users, queues, ranks, tags."""
    some = random.Random(1)
    for number in range(keys):
        drawn = some.random()
        if drawn < 0.5:
            price = {"price": round(some.random() * 1e5, 2), "volume": round(some.random(), 4)}
            name = f"price:{some.choice(SYMBOLS)}:{1_700_000_000 + number}"
            yield "SET", name, json.dumps(price)
        elif drawn < 0.7:
            size = int(some.lognormvariate(4, 1))
            yield "SET", f"session:{UUID(int=some.getrandbits(128))}", "x" * size, "EX", 86_400
        elif drawn < 0.85:
            yield "HSET", f"user:{number}", "name", f"user {number}", "age", some.randrange(90)
        elif drawn < 0.9:
            yield "RPUSH", f"queue:{number}:items", *(some.random() for _ in range(5))
        elif drawn < 0.95:
            yield "SADD", f"tags:{number}", *(some.randrange(1000) for _ in range(5))
        else:
            yield "ZADD", f"rank:{number}:day", *(some.randrange(1000) for _ in range(10))
    for number in range(STREAMS * ENTRIES):
        name = f"stream:ticks:{SYMBOLS[number % STREAMS]}"
        yield "XADD", name, "*", "price", some.random(), "side", "buy"


def fill(client: Redis, keys: int) -> None:
    """Send the commands in pipelines."""
    every = commands(keys)
    while part := list(islice(every, 2000)):
        pipe = client.pipeline(transaction=False)
        for command in part:
            pipe.execute_command(*command)
        pipe.execute()


@dataclass(frozen=True, kw_only=True)
class Waits:
    """Milliseconds that the second client waited."""

    median: float
    most_of_100: float
    most: float


class Pinger:
    """A second client in a thread: nothing but a socket, so that it hardly needs a processor."""

    def __init__(self, path: Path) -> None:
        self._waits: list[float] = []
        self._stopped = Event()
        self._path = path
        self._thread = Thread(target=self._run)

    def __enter__(self) -> "Pinger":
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stopped.set()
        self._thread.join()

    def _run(self) -> None:
        with socket.socket(socket.AF_UNIX) as connection:
            connection.connect(str(self._path))
            while not self._stopped.is_set():
                began = perf_counter()
                connection.sendall(b"PING\r\n")
                connection.recv(64)
                self._waits.append(1000 * (perf_counter() - began))
                sleep(PAUSE_SECONDS)

    @property
    def waits(self) -> Waits:
        """Return them in short."""
        ordered = sorted(self._waits) or [0.0]
        return Waits(
            median=ordered[len(ordered) // 2],
            most_of_100=ordered[int(0.99 * (len(ordered) - 1))],
            most=ordered[-1],
        )


@contextmanager
def running_server(keys: int) -> Iterator[tuple[Redis, Path]]:
    """Yield a client of a filled server and its socket."""
    program = next(path for name in SERVERS if (path := shutil.which(name)))
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "socket"
        quiet = ("--port", "0", "--save", "", "--appendonly", "no", "--dir", folder)
        command = [program, "--unixsocket", str(path), *quiet]
        with subprocess.Popen(command, stdout=subprocess.DEVNULL) as process:
            while not path.exists():
                sleep(0.01)
            client = Redis(unix_socket_path=str(path))
            fill(client, keys)
            print(f"{Path(program).name} {client.info()['used_memory']:,} bytes, {keys:,} keys")
            yield client, path
            client.close()
            process.kill()


def measure(name: str, command: Sequence[str], path: Path, used: int) -> str:
    """Run a command and print its row; return its output."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    began = monotonic()
    with Pinger(path) as pinger:
        done = subprocess.run(command, capture_output=True, text=True, check=True)
    seconds = monotonic() - began
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    cpu = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    waits = pinger.waits
    print(
        f"{name:28} {seconds:8.1f} {cpu:6.1f} {explained(done.stdout, used):>12}"
        f" {waits.median:8.2f} {waits.most_of_100:8.1f} {waits.most:8.1f}",
        flush=True,
    )
    return done.stdout


def slowest(client: Redis) -> str:
    """Return the longest command by the server's own clock, without waiting for processors."""
    entries = client.slowlog_get(SLOW_ENTRIES)
    longest = max(entries, key=lambda each: each["duration"], default=None)
    if longest is None:
        return "no command took 1 ms"
    command = longest["command"].split()[0].decode()
    milliseconds = longest["duration"] / 1000
    return f"{len(entries)} commands over 1 ms, the longest {milliseconds:.1f} ms ({command})"


def explained(output: str, used: int) -> str:
    """Return the share of used memory that a command explains; sizes of values are no memory."""
    if output.startswith("{"):
        document = json.loads(output)
        return f"{100 - 100 * abs(document['unexplained_bytes']) / used:.1f} %"
    totals = TOTALS.findall(output)
    if not totals or any(unit != "bytes" for _, unit in totals):
        return "-"
    return f"{100 * sum(int(number) for number, _ in totals) / used:.1f} %"


def intervals(output: str, truth: str) -> str:
    """Return how far a sample was off, and how many intervals hold what a full audit says."""
    exact = {(p["name"], p["type"]): p["bytes"]["value"] for p in json.loads(truth)["patterns"]}
    rows = []
    for pattern in json.loads(output)["patterns"]:
        right, guess = exact[(pattern["name"], pattern["type"])], pattern["bytes"]
        holds = guess["low"] <= right <= guess["high"]
        rows.append((abs(guess["value"] - right) / right, holds))
    worst = max(error for error, _ in rows)
    return (
        f"sampled: off by {100 * worst:.1f} % at most, {sum(holds for _, holds in rows)} of "
        f"{len(rows)} intervals hold the bytes of the full audit"
    )


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--keys", type=int, default=1_000_000)
    keys = parser.parse_args().keys
    cli = next(path for name in CLIENTS if (path := shutil.which(name)))
    with running_server(keys) as (client, path):
        used = int(client.info("memory")["used_memory"])
        onegig = [sys.executable, "-m", "onegig.cli", "redis", "audit", f"unix://{path}", "--json"]
        print(f"{'':28} {'seconds':>8} {'CPU s':>6} {'explained':>12}  PING ms: 50 %, 99 %, most")
        measure("nothing", ["sleep", "5"], path, used)
        sampled = measure("onegig redis audit", [*onegig, "--quiet"], path, used)
        client.config_set("slowlog-log-slower-than", 1000)
        client.config_set("slowlog-max-len", SLOW_ENTRIES)
        client.slowlog_reset()
        full = measure("onegig redis audit --full", [*onegig, "--full", "--quiet"], path, used)
        print(f"  in the server: {slowest(client)}")
        measure(f"{Path(cli).name} --memkeys", [cli, "-s", str(path), "--memkeys"], path, used)
        measure(f"{Path(cli).name} --bigkeys", [cli, "-s", str(path), "--bigkeys"], path, used)
        print(intervals(sampled, full))
        peak = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss
        print(f"the largest of these processes: {peak // 1024} MB")


if __name__ == "__main__":
    main()
