"""Values that may be missing, with the reason: never None, never 0.

Where numbers were measured: a number without its environment is not worth comparing.
"""

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


@dataclass(frozen=True, kw_only=True, slots=True)
class Environment:
    """The machine, engine and tools behind a measurement."""

    onegig_version: str
    os: str
    kernel: str
    architecture: str
    cpus: int
    memory_bytes: int
    engine_version: str
    cgroup_version: int
    cgroup_driver: str
    storage_driver: str
    runner: str  # GitHub's runner image and version, or "local"
    bases: str  # "official", "assembled locally" or "mixed"
