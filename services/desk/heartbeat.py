"""The file the health check reads: until when the service may be called healthy, and its state.

The check is two `read`s of a shell, since another Python in each container would cost 8 MiB and a
tenth of a second every time. Seconds are those of /proc/uptime, which no clock change disturbs.
Plain paths: `pathlib` would cost each service another MiB.
"""

import os

UPTIME = "/proc/uptime"
DEFAULT_PATH = "/tmp/heartbeat"  # noqa: S108 - a tmpfs of the container's own
EVERY_SECONDS = 1.0
FRESH_SECONDS = 15


def uptime_seconds() -> float:
    """Return the seconds since the machine started, as the health check reads them."""
    with open(UPTIME, encoding="ascii") as file:  # noqa: PTH123 - see above
        return float(file.read().partition(" ")[0])


def read_heartbeat(path: str) -> tuple[int, str]:
    """Return until when a service is healthy, and its state; 0 before its first beat."""
    try:
        with open(path, encoding="utf-8") as file:  # noqa: PTH123
            until, _, state = file.read().strip().partition(" ")
    except FileNotFoundError:
        return 0, "starting"
    return int(until), state


class Heartbeat:
    """Writes the file, at most once a second."""

    __slots__ = ("_next", "_path")

    def __init__(self, path: str) -> None:
        self._path = path
        self._next = 0.0

    def beat(self, state: str = "ok", until: int | None = None) -> None:
        """Call the service healthy for the next seconds, or until then."""
        now = uptime_seconds()
        if now < self._next:
            return
        self._next = now + EVERY_SECONDS
        self._write(int(now) + FRESH_SECONDS if until is None else until, state)

    def fail(self, reason: str) -> None:
        """Call the service unhealthy from now on, until it beats again."""
        self._next = 0.0
        self._write(0, reason)

    def _write(self, until: int, state: str) -> None:
        draft = f"{self._path}.new"
        with open(draft, "w", encoding="utf-8") as file:  # noqa: PTH123
            file.write(f"{until} {' '.join(state.split())}\n")
        os.replace(draft, self._path)  # noqa: PTH105
