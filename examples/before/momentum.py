"""Is the price gaining speed: two moving averages of every trade, a signal where they cross.

Reads the stream `trades` of Redis, writes to `signals`, and says when it last heard from Redis.
"""

import asyncio
import os
import signal
import sys
import time
from pathlib import Path

from redis.asyncio import Redis
from redis.exceptions import RedisError

ADDRESS = os.environ.get("REDIS_ADDRESS", "localhost:6379")
HEARTBEAT = Path(os.environ.get("HEARTBEAT", "/tmp/heartbeat"))  # noqa: S108 - a container's own
FAST, SLOW = 0.2, 0.02  # weights of the newest price


class Crossing:
    """Two exponential averages of a price; tells when the fast one crosses the slow one."""

    def __init__(self) -> None:
        self._fast = self._slow = 0.0
        self._side = 0

    def add(self, price: float) -> int:
        """1 when the fast average rises above the slow one, -1 when it falls below, else 0."""
        if not self._slow:
            self._fast = self._slow = price
        self._fast += FAST * (price - self._fast)
        self._slow += SLOW * (price - self._slow)
        side = (self._fast > self._slow) - (self._fast < self._slow)
        crossed = side != self._side
        self._side = side
        return side if crossed else 0


async def follow(redis: "Redis[str]") -> None:
    """Read trades and write signals until cancelled."""
    last, crossings = "$", {}
    while True:
        streams = await redis.xread({"trades": last}, count=100, block=1000)
        HEARTBEAT.write_text(str(time.monotonic()), encoding="ascii")
        for _, entries in streams or ():
            for last, fields in entries:  # noqa: B007 - where to go on from
                symbol, price = fields["symbol"], float(fields["price"])
                side = crossings.setdefault(symbol, Crossing()).add(price)
                if side:
                    await redis.xadd("signals", {"symbol": symbol, "side": side}, maxlen=1000)


async def main() -> None:
    """Follow, and start again a second after Redis was gone; SIGTERM ends it."""
    host, _, port = ADDRESS.partition(":")
    stop = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stop.set)
    ending = asyncio.create_task(stop.wait())
    async with Redis(host=host, port=int(port or 6379), decode_responses=True) as redis:
        while not ending.done():
            following = asyncio.create_task(follow(redis))
            await asyncio.wait((following, ending), return_when=asyncio.FIRST_COMPLETED)
            following.cancel()
            try:
                await following
            except asyncio.CancelledError:
                return
            except RedisError as error:
                sys.stderr.write(f"Redis: {error}\n")
                await asyncio.wait((ending,), timeout=1)


if __name__ == "__main__":
    asyncio.run(main())
