"""Mishaps on demand: the next requests that match are refused, lost, or done and then lost."""

import re
import threading
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

DROP = 0  # the status of a connection that is closed without an answer


@dataclass(kw_only=True, slots=True)
class Fault:
    """`path` is a regular expression; `applied`: the request is carried out, then goes wrong."""

    method: str = ".*"
    path: str = ""
    times: int = 1
    status: int = 500
    body: Any = None  # JSON, or bytes as they are
    headers: Mapping[str, str] = field(default_factory=dict)
    applied: bool = False
    cut: int | None = None  # send only so many bytes of the body, then close

    def matches(self, method: str, path: str) -> bool:
        """Whether the request meets with it."""
        return bool(re.fullmatch(self.method, method) and re.search(self.path, path))


class Faults:
    """What will go wrong, in the order in which it was asked for."""

    def __init__(self) -> None:
        self._waiting: list[Fault] = []
        self._lock = threading.Lock()

    def add(self, fault: Fault) -> None:
        """From now on."""
        with self._lock:
            self._waiting.append(fault)

    def take(self, method: str, path: str) -> Fault | None:
        """The fault that this request meets with, used up by it."""
        with self._lock:
            for fault in self._waiting:
                if fault.times > 0 and fault.matches(method, path):
                    fault.times -= 1
                    return fault
        return None
