"""Mistakes in a file the user wrote: collected, then told all at once with file and line."""

from dataclasses import dataclass

from onegig.errors import ConfigError

ADVICE = "correct what is listed and run again"

Key = tuple[str | int, ...]


@dataclass(frozen=True, kw_only=True, slots=True)
class Problem:
    """One mistake in the file; `key` is where in the document it is, () for the whole."""

    line: int
    key: Key = ()
    message: str


def mistakes(path: str, problems: list[Problem], advice: str = ADVICE) -> ConfigError:
    """One error for all problems, a line each, in the order of the file."""
    lines = [
        f"{path}:{problem.line}: {prefix}{problem.message}"
        for problem in sorted(problems, key=lambda problem: problem.line)
        for prefix in [f"{dotted(problem.key)}: " if problem.key else ""]
    ]
    count = f"{len(lines)} mistake{'s' if len(lines) > 1 else ''}"
    return ConfigError(f"{path} has {count}", advice=advice, detail="\n".join(lines))


def dotted(key: Key) -> str:
    """Such as "services.redis.memory", "load.command[2]"; control characters made visible."""
    text = ""
    for part in key:
        text += f"[{part}]" if isinstance(part, int) else f".{part}"
    return visible(text.lstrip("."))


def kind_of(value: object) -> str:
    """What a value is, in words: "a list", "the number 90"."""
    if isinstance(value, dict):
        return "a mapping"
    if isinstance(value, list):
        return "a list"
    if value is None:
        return "empty"
    if isinstance(value, bool):
        return str(value).lower()
    return f"the number {value}" if isinstance(value, (int, float)) else shorten(repr(value))


def shorten(text: str, length: int = 80) -> str:
    """The text, cut where it would fill the screen."""
    return text if len(text) <= length else text[: length - 1] + "…"


def visible(text: str) -> str:
    """The text with control characters written out, so that a terminal cannot be misled."""
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in text)
