"""Values that may be missing, with the reason: never None, never 0."""

from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True, kw_only=True, slots=True)
class Unknown:
    """Something that should have been measured and could not be."""

    kind: Literal["unknown"] = "unknown"
    reason: str


@dataclass(frozen=True, kw_only=True, slots=True)
class Skipped:
    """Something that was left out on purpose (switched off, not applicable here)."""

    kind: Literal["skipped"] = "skipped"
    reason: str


Missing = Unknown | Skipped
