"""Counts of a service's work, in the Redis hash `stats:<service>` while it runs."""

from desk.redis import Command

EXPIRY_SECONDS = 60


class Counters:
    """Named counts since the process started."""

    __slots__ = ("_counts", "_key")

    def __init__(self, service: str, *names: str) -> None:
        self._key = f"stats:{service}"
        self._counts = dict.fromkeys(names, 0)

    def __getitem__(self, name: str) -> int:
        return self._counts[name]

    def add(self, name: str, count: int = 1) -> None:
        """Count occurrences."""
        self._counts[name] += count

    def commands(self) -> list[Command]:
        """Return the commands that write the counts and let them expire with the service."""
        pairs = [part for pair in self._counts.items() for part in pair]
        return [("HSET", self._key, *pairs), ("EXPIRE", self._key, EXPIRY_SECONDS)]

    def __str__(self) -> str:
        return ", ".join(f"{name} {count}" for name, count in self._counts.items())
