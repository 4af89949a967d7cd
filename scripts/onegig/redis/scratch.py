"""A server of our own to try things in: version and configuration of the audited one.

It listens on a unix socket in a temporary folder, writes no file and dies with onegig. Where no
program of that version is installed, the audited image's own is run in a container without network.
"""

import re
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from subprocess import DEVNULL, Popen
from typing import Any

from redis.exceptions import ConnectionError as RedisConnectionError
from redis.exceptions import RedisError, ResponseError

from onegig.engine.engine import connect
from onegig.engine.owned import Run, new_run, remove_run
from onegig.errors import MeasureError
from onegig.process import CommandError, close, find_program, run, spawn
from onegig.redis.encodings import Settings
from onegig.redis.samples import Client, Sample, write_samples
from redis import Redis

COPIED = re.compile(
    r"(hash|set|zset|list)-(max|compress)-.*|stream-node-max-.*|set-max-intset-entries"
)
QUIET = ("--port", "0", "--save", "", "--appendonly", "no", "--loglevel", "warning", "--hz", "100")
START_SECONDS = 120.0  # a server that fails ends at once
PAUSE_SECONDS = 0.012  # longer than the server waits before it works on its tables (hz)
FOLDER = "/scratch"  # in a container


class Scratch:
    """A running server that holds nothing but what is measured."""

    def __init__(self, socket: Path, product: str, version: str) -> None:
        self.version = version
        self.socket = socket
        self._client: Client = Redis(unix_socket_path=str(socket), socket_timeout=60)
        self.config = read_config(self._client)
        self.settings = settings_of(product, version, self.config)
        self._changed: dict[str, str] = {}

    def measure(self, samples: Sequence[Sample], config: Mapping[str, str]) -> int:
        """Return what these keys add to used memory, in bytes, under settings of their own.

        The empty server is read afterwards: by then its buffers have grown as the data needed.
        """
        self._empty()
        self._configure(config)
        write_samples(self._client, samples)
        with_keys = self._used_bytes()
        self._empty()
        return with_keys - self._used_bytes()

    def close(self) -> None:
        """Close the connection."""
        self._client.close()

    def _empty(self) -> None:
        """Remove all keys and free them at once; Redis 6.0 always does and knows no SYNC."""
        try:
            self._client.execute_command("FLUSHALL", "SYNC")
        except ResponseError:
            self._client.flushall()

    def _configure(self, config: Mapping[str, str]) -> None:
        """Set what differs from the audited server; what the last measurement set is undone."""
        for name in self._changed.keys() | config.keys():
            value = config.get(name, self.config.get(name, ""))
            if value != self._changed.get(name, self.config.get(name)):
                self._client.config_set(name, value)
        self._changed = dict(config)

    def _used_bytes(self) -> int:
        """Return used memory without any client's buffers, once it has stayed the same."""
        seen: list[int] = []
        while len(seen) < 3 or len(set(seen[-3:])) > 1:
            time.sleep(PAUSE_SECONDS)
            self._client.connection_pool.disconnect()
            seen.append(int(self._client.info("memory")["used_memory"]))
        return seen[-1]


def read_config(client: Client) -> dict[str, str]:
    """Return the settings that encodings depend on; none where CONFIG GET is denied."""
    try:
        config = client.config_get("*-max-*") | client.config_get("list-compress-depth")
    except RedisError:
        return {}
    return {name: value for name, value in config.items() if COPIED.fullmatch(name)}


def product_of(info: Mapping[str, Any]) -> tuple[str, str]:
    """Return product and version that INFO states; Valkey has a version of its own there."""
    if "valkey_version" in info:
        return "valkey", str(info["valkey_version"])
    return "redis", str(info["redis_version"])


def settings_of(product: str, version: str, config: Mapping[str, str]) -> Settings:
    """Return the settings that predictions take: those of CONFIG GET and of the version."""
    is_valkey, series = product == "valkey", _series(version)
    embeds, packs = is_valkey and series >= (8, 1), is_valkey or series >= (7, 2)
    return Settings.read(config, embeds_keys=embeds, packs_lists=packs)


@contextmanager
def start_scratch(
    product: str, version: str, config: Mapping[str, str], image: str = ""
) -> Iterator[Scratch]:
    """Run a server of the same series (8.1) for as long as the context lasts.

    Raises MeasureError where there is none, or it does not start.
    """
    program = find_server(product, version)
    settings = [word for name, value in config.items() for word in (f"--{name}", value)]
    with new_run() as owned:
        socket = owned.directory / "socket"
        arguments = (*QUIET, *settings)
        if program:
            folder = str(owned.directory)
            command = [program, "--unixsocket", str(socket), "--dir", folder, *arguments]
            with _child(spawn(command, stdout=DEVNULL, stderr=DEVNULL), socket) as scratch:
                yield scratch
        elif image:
            with _container(image, product, owned, arguments) as scratch:
                yield scratch
        else:
            raise MeasureError(
                f"no {product}-server {version} to replay the savings in",
                advice=f"install {product}-server {version}, or audit a compose service",
            )


def find_server(product: str, version: str) -> str:
    """Return the program of this product and series on this machine, "" where there is none."""
    program = find_program(f"{product}-server")
    if program is None:
        return ""
    try:
        text = run([program, "--version"]).stdout
    except CommandError:
        return ""
    match = re.search(r"\bv=(\d[\w.]*)", text)
    return program if match and _series(match[1]) == _series(version) else ""


def _series(version: str) -> tuple[int, ...]:
    return tuple(int(part) for part in re.findall(r"\d+", version)[:2])


@contextmanager
def _container(image: str, product: str, owned: Run, arguments: Sequence[str]) -> Iterator[Scratch]:
    """Run the server of an image; only the folder of its socket is shared with it."""
    folder = owned.directory / "shared"
    folder.mkdir()
    folder.chmod(0o777)
    with connect() as engine:
        options = ["--network", "none", "--entrypoint", f"{product}-server"]
        options += ["--volume", f"{folder}:{FOLDER}", *owned.label_options, image]
        inside = ["--unixsocket", f"{FOLDER}/socket", "--unixsocketperm", "777"]
        inside += ["--dir", FOLDER, *arguments]
        try:
            name = f"{owned.name}-scratch"
            child = engine.run(name, [*options, *inside], stdout=DEVNULL, stderr=DEVNULL)
            with _child(child, folder / "socket") as scratch:
                yield scratch
        finally:
            remove_run(engine, owned)


@contextmanager
def _child(child: Popen[bytes], socket: Path) -> Iterator[Scratch]:
    """Wait until a server answers, and kill it whatever happens."""
    try:
        product, version = _await(child, socket)
        scratch = Scratch(socket, product, version)
        try:
            yield scratch
        finally:
            scratch.close()
    finally:
        close(child)


def _await(child: Popen[bytes], socket: Path) -> tuple[str, str]:
    """Return product and version of a server once it answers."""
    deadline = time.monotonic() + START_SECONDS
    client: Client = Redis(unix_socket_path=str(socket))
    while child.poll() is None and time.monotonic() < deadline:
        try:
            info = client.info("server")
        except RedisConnectionError:
            time.sleep(PAUSE_SECONDS)
            continue
        finally:
            client.close()
        return product_of(info)
    raise MeasureError(
        "the scratch server did not start",
        command=" ".join(map(str, child.args)) if isinstance(child.args, list) else "",
        advice="start it by hand to see why",
    )
