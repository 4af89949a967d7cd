"""Settings that every service reads from its environment."""

import os
from collections.abc import Mapping
from typing import NamedTuple

from desk.heartbeat import DEFAULT_PATH
from desk.redis import parse_address

DEFAULT_REDIS = "redis-coordinator:6379"


class Common(NamedTuple):
    """The address of Redis, this process's name as a consumer, and its heartbeat's path."""

    redis: tuple[str, int]
    consumer: str
    heartbeat_path: str


def read_common(environ: Mapping[str, str]) -> Common:
    """Read REDIS_ADDRESS, CONSUMER and HEARTBEAT; raises ValueError."""
    return Common(
        redis=parse_address(environ.get("REDIS_ADDRESS") or DEFAULT_REDIS),
        consumer=environ.get("CONSUMER") or os.uname().nodename,
        heartbeat_path=environ.get("HEARTBEAT") or DEFAULT_PATH,
    )
