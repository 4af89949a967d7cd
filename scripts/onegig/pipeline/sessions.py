"""What the steps on an engine need: the engine itself, and a run that leaves nothing behind."""

import signal
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

from onegig.engine.engine import Engine, connect
from onegig.engine.owned import Run, new_run, remove_leftovers, remove_run
from onegig.progress import Progress


@contextmanager
def session(progress: Progress) -> Iterator[tuple[Engine, Run]]:
    """Yield an engine and a run on it; nothing of the run, nor of dead ones, is left behind."""
    with connect() as engine, _terminable(), new_run() as current:
        left = remove_leftovers(engine)
        if left:
            with progress.step("remove what an earlier run left behind") as say:
                for thing in left:
                    say(f"removed {thing}")
        try:
            yield engine, current
        finally:
            remove_run(engine, current)


@contextmanager
def _terminable() -> Iterator[None]:
    """Let SIGTERM and SIGHUP end the run as Ctrl-C does: through every clean-up."""

    def interrupt(_number: int, _frame: FrameType | None) -> None:
        raise KeyboardInterrupt

    kept = {one: signal.signal(one, interrupt) for one in (signal.SIGTERM, signal.SIGHUP)}
    try:
        yield
    finally:
        for one, handler in kept.items():
            signal.signal(one, handler)
