"""The container's health check: Redis was heard from within the last five seconds."""

import sys
import time

from momentum import HEARTBEAT

FRESH_SECONDS = 5.0

try:
    age = time.monotonic() - float(HEARTBEAT.read_text(encoding="ascii"))
except (OSError, ValueError):
    sys.exit("Redis was never heard from")
if age > FRESH_SECONDS:
    sys.exit(f"Redis was last heard from {age:.0f} s ago")
