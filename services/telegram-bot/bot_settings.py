"""Settings that the bot reads from its environment."""

from collections.abc import Mapping
from typing import NamedTuple

DEFAULT_URL = "https://api.telegram.org"
LEAST_CONFIDENCE = 0.3


class BotSettings(NamedTuple):
    """The chat that messages go to; without a token they are only logged."""

    url: str
    token: str
    chat: int
    least_confidence: float


def read_settings(environ: Mapping[str, str]) -> BotSettings:
    """Read TELEGRAM_*; raises ValueError. An absent or empty token file means no token."""
    path = environ.get("TELEGRAM_TOKEN_FILE", "")
    try:
        token = _read_token(path) if path else ""
    except (OSError, UnicodeDecodeError) as error:
        raise ValueError(f"the token file {path} can't be read: {error}") from error
    chat = environ.get("TELEGRAM_CHAT_ID", "").strip()
    if token and not chat.removeprefix("-").isdecimal():
        raise ValueError(f"TELEGRAM_CHAT_ID={chat!r} is not a valid chat number; a token needs one")
    confidence = environ.get("TELEGRAM_LEAST_CONFIDENCE") or str(LEAST_CONFIDENCE)
    return BotSettings(
        url=environ.get("TELEGRAM_API_URL") or DEFAULT_URL,
        token=token,
        chat=int(chat) if chat.removeprefix("-").isdecimal() else 0,
        least_confidence=float(confidence),
    )


def _read_token(path: str) -> str:
    try:
        with open(path, encoding="ascii") as file:  # noqa: PTH123 - pathlib costs 1 MiB
            return file.read().strip()
    except FileNotFoundError:
        return ""
