"""The pace of an audit: batches so small that the server is never busy with one for long."""

from collections import deque

TARGET_SECONDS = 0.003  # that the server may take for a batch
LEAST, FIRST, MOST = 10, 50, 500  # keys in a batch
REMEMBERED = 5


class Pace:
    """The number of keys that the next batch may have, by how long the last ones took.

    What a key costs is the least of the last few batches, without the round trip of a PING: pauses
    of ours and of the machine are not the server's work. A batch is at most twice as large as the
    last.
    """

    def __init__(self, ping_seconds: float) -> None:
        self._ping_seconds = ping_seconds
        self._costs: deque[float] = deque(maxlen=REMEMBERED)
        self.keys = FIRST
        self.busy: list[float] = []  # seconds of batches, thinned out
        self._batches = 0

    def note(self, keys: int, seconds: float) -> None:
        """Learn from a batch of so many keys."""
        busy = max(seconds - self._ping_seconds, 1e-6)
        self._costs.append(busy / max(keys, 1))
        allowed = int(TARGET_SECONDS / min(self._costs))
        self.keys = max(LEAST, min(MOST, 2 * self.keys, allowed))
        if self._batches % (1 + self._batches // 1000) == 0:
            self.busy.append(busy)
        self._batches += 1

    @property
    def busy_ms(self) -> float:
        """Return the milliseconds that 99 of 100 batches kept within."""
        ordered = sorted(self.busy)
        return 1000 * ordered[int(0.99 * (len(ordered) - 1))] if ordered else 0.0
