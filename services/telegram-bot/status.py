"""The answer to /status: the state of the desk, from its services' counters in Redis."""

from collections.abc import Mapping, Sequence

from desk.redis import CommandError, Redis, Reply
from desk.streams import FUSED, entries

MIB = 1 << 20


def read_status(redis: Redis, now_ms: int) -> str:
    """Read the figures and format them; raises RedisError."""
    keys = sorted(key.decode() for key in _scan(redis, "stats:*"))
    answers = redis.pipeline([("HGETALL", key) for key in keys])
    stats = {
        key.removeprefix("stats:"): _mapping(answer)
        for key, answer in zip(keys, answers, strict=True)
        if not isinstance(answer, CommandError)
    }
    newest = entries(FUSED, redis.call("XREVRANGE", FUSED, "+", "-", "COUNT", 1))
    last_ms = newest[0].position[0] if newest else None
    memory = _info(redis.call("INFO", "memory"))
    return format_status(stats, last_ms, memory, now_ms)


def format_status(
    stats: Mapping[str, Mapping[str, int]],
    last_signal_ms: int | None,
    memory: Mapping[str, str],
    now_ms: int,
) -> str:
    """Format the status: last signal, each service's counters, Redis memory."""
    if last_signal_ms is None:
        last = "none yet"
    else:
        last = f"{max(0, now_ms - last_signal_ms) // 1000} s ago"
    used = int(memory.get("used_memory", 0)) / MIB
    most = int(memory.get("maxmemory", 0)) / MIB
    lines = [f"Last signal: {last}", f"Redis: {used:.1f} of {most:.0f} MiB"]
    lines.append(f"Services reporting: {len(stats)}")
    for service, counts in stats.items():
        shown = ", ".join(f"{name} {count}" for name, count in counts.items() if count)
        lines.append(f"{service}: {shown or 'nothing yet'}")
    return "\n".join(lines)


def _scan(redis: Redis, pattern: str) -> list[bytes]:
    keys: list[bytes] = []
    cursor = b"0"
    while True:
        cursor, page = redis.call("SCAN", cursor, "MATCH", pattern, "COUNT", 1_000)
        keys += page
        if cursor == b"0":
            return list(dict.fromkeys(keys))


def _mapping(flat: Sequence[bytes]) -> dict[str, int]:
    pairs = zip(flat[::2], flat[1::2], strict=True)
    return {name.decode(): int(value) for name, value in pairs}


def _info(reply: Reply) -> dict[str, str]:
    lines = reply.decode().splitlines()
    return dict(line.split(":", 1) for line in lines if ":" in line)
