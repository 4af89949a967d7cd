"""Services that are switched on: FEATURES lists them, comma separated; `all` is the default."""

import os
from collections.abc import Mapping

IDLE = """trap 'exit 0' TERM INT
while read -r now rest </proc/uptime; do
    echo "$((${now%.*} + 120)) disabled" >"$1.new" && mv "$1.new" "$1"
    sleep 60 & wait $!
done"""


def is_enabled(name: str, environ: Mapping[str, str]) -> bool:
    """Return whether FEATURES switches the service on."""
    listed = {part.strip() for part in environ.get("FEATURES", "all").split(",")}
    return name in listed or "all" in listed or listed == {""}


def idle(heartbeat_path: str) -> None:
    """Become a shell that stays healthy and does nothing: 1 MiB where Python takes 8."""
    arguments = ["sh", "-c", IDLE, "idle", heartbeat_path]
    os.execv("/bin/sh", arguments)  # noqa: S606 - a shell is wanted
