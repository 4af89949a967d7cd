"""Starting a real server, Redis or Valkey, for a test."""

import subprocess
from dataclasses import dataclass
from pathlib import Path

from redis.exceptions import RedisError

from redis import Redis

PROGRAMS = ("valkey-server", "redis-server")


@dataclass(frozen=True)
class Server:
    """A server that runs; `call(NAME, ...)` asks it, bytes in and out."""

    program: str
    socket: Path
    client: Redis

    def used_bytes(self) -> int:
        return int(self.client.info("memory")["used_memory"])


def start(program: str, folder: Path, *options: str) -> tuple[subprocess.Popen[bytes], Server]:
    """Start a server and wait until it answers; `options` are settings."""
    socket = folder / "socket"
    quiet = ("--port", "0", "--save", "", "--appendonly", "no", "--dir", str(folder))
    command = [program, "--unixsocket", str(socket), *quiet, *options]
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL)
    client = Redis(unix_socket_path=str(socket))
    while process.poll() is None:
        try:
            client.ping()
        except RedisError:
            continue
        return process, Server(program, socket, client)
    raise AssertionError(f"{command} ended with {process.returncode}")
