"""One line per occurrence on standard output; the engine adds the time.

The standard `logging` costs 2 MiB per process and can do nothing more that the desk needs.
"""

import sys
from _thread import get_ident

_thread_names: dict[int, str] = {}


def name_thread(name: str) -> None:
    """Name the service that the calling thread logs for, where a process runs several."""
    _thread_names[get_ident()] = f"{name}: "


def log(level: str, text: str) -> None:
    """Write `level: text`; the text stays one line whatever it quotes."""
    source = _thread_names.get(get_ident(), "")
    line = " ".join(f"{level}: {source}{text}".splitlines())
    sys.stdout.write(line + "\n")
    sys.stdout.flush()


def info(text: str) -> None:
    """Log what was done."""
    log("info", text)


def warn(text: str) -> None:
    """Log what went wrong, and the reaction to it."""
    log("warning", text)
