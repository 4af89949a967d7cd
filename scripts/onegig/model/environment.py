"""Where numbers were measured: a number without its environment is not worth comparing."""

from dataclasses import dataclass


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
