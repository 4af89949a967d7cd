"""One line per occurrence on standard output; the engine adds the time.

The standard `logging` costs 2 MiB per process and can do nothing more that the desk needs.
"""

import sys


def log(level: str, text: str) -> None:
    """Write `level: text`; the text stays one line whatever it quotes."""
    line = " ".join(f"{level}: {text}".splitlines())
    sys.stdout.write(line + "\n")
    sys.stdout.flush()


def info(text: str) -> None:
    """Log what was done."""
    log("info", text)


def warn(text: str) -> None:
    """Log what went wrong, and the reaction to it."""
    log("warning", text)
