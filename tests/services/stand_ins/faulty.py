"""A service that fails while the file that FAULTY names is there."""

import os
from collections.abc import Iterable
from pathlib import Path
from typing import ClassVar

from desk.events import Event, Signal
from desk.series import Settings
from desk.service import Program


class Faulty:
    """Never signals."""

    streams: ClassVar[tuple[str, ...]] = ("trades",)

    def __init__(self, settings: Settings) -> None:
        if Path(os.environ["FAULTY"]).exists():
            raise RuntimeError("asked to fail")

    def update(self, event: Event) -> Iterable[Signal]:
        """Ignore the event."""
        return ()


PROGRAM = Program("faulty", Faulty)
