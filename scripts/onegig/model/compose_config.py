"""A resolved compose project as text: JSON that compose reads back, and the dollars in it. Pure."""

import json
import re
from collections.abc import Mapping
from typing import Any

_BEYOND_ASCII = re.compile("[\x7f-\uffff]")


def dump_config(config: Mapping[str, Any]) -> str:
    """Return JSON that compose can read back.

    Compose reads it as YAML: that knows no surrogate pairs, and takes some characters beyond ASCII
    for line breaks.
    """
    text = json.dumps(config, ensure_ascii=False)
    return _BEYOND_ASCII.sub(lambda match: f"\\u{ord(match[0]):04x}", text)


def unescape(value: Any) -> Any:
    """Return the value with the dollars that compose writes twice written once, at any depth."""
    if isinstance(value, str):
        return value.replace("$$", "$")
    if isinstance(value, dict):
        return {unescape(key): unescape(inner) for key, inner in value.items()}
    return [unescape(inner) for inner in value] if isinstance(value, list) else value
