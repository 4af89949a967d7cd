"""Settling: the wait between the start and the first window."""

import time
from collections.abc import Callable, Sequence

from onegig.memory.containers import Container

RETRY_SECONDS = 30.0  # for services that restart until what they need is there
LEAST_SECONDS = 2.0  # of quiet before a service that was restarted counts as up

Containers = Sequence[Container] | None  # None: the engine does not answer


def settle(
    look: Callable[[], Containers],
    seconds: float,
    say: Callable[[str], None],
    *,
    sleep: Callable[[float], None] = time.sleep,
    clock: Callable[[], float] = time.monotonic,
) -> Containers:
    """Wait `seconds`, and on while services restart, for RETRY_SECONDS at most.

    Between two attempts a service looks up for a moment: only a stretch without a restart tells
    that it is. Return the containers as they are at the end.
    """
    say(f"settling for {seconds:g} s")
    deadline = clock() + max(seconds, RETRY_SECONDS)
    before, waiting = look(), ""
    sleep(seconds)
    after = look()
    while names := _restarting(before, after):
        if clock() >= deadline:
            break
        if names != waiting:
            say(f"waiting for {names}: restarting")
            waiting = names
        before = after
        sleep(min(max(seconds, LEAST_SECONDS), max(0.0, deadline - clock())))
        after = look()
    return after


def _restarting(before: Containers, after: Containers) -> str:
    """Name the services that were restarted in between, or wait for their next attempt."""
    if before is None or after is None:
        return ""
    counts = {one.container_id: one.restarts for one in before}
    names = [
        one.service
        for one in after
        if one.status == "restarting" or one.restarts > counts.get(one.container_id, 0)
    ]
    return ", ".join(dict.fromkeys(names))
