"""Document of `build --measure`: the memory that building the stack's images takes."""

from dataclasses import dataclass

from onegig.model.measured import Environment, Missing
from onegig.model.memory import EnginePart
from onegig.model.settings import UNKNOWN, Settings
from onegig.model.state import State


@dataclass(frozen=True, kw_only=True, slots=True)
class BuildMemory:
    """One build from scratch, inside a machine capped at `cap_bytes`, as it was sampled.

    The highest real cost is that of the engine, BuildKit in it, and of the steps' processes. The
    client (compose and buildx) runs on the machine as well, but was not under the cap.
    """

    images: tuple[str, ...]
    seconds: float  # on the machine that measured
    cap_bytes: int
    cost_bytes: int  # engine and steps, where they were highest
    steps_bytes: int  # the part of it in the steps' processes
    client_bytes: int  # highest
    engine: tuple[EnginePart, ...]  # at the same moment as `cost_bytes`
    peak_seconds: float  # that moment, since the build began
    running: tuple[str, ...]  # the steps that ran at that moment: "[web 2/3] RUN npm ci"
    held_bytes: int  # highest, without page cache that could be dropped
    usage_bytes: int | Missing  # the kernel's own high-water mark, with page cache
    oom_kills: int
    failed: tuple[str, ...]  # steps that failed
    error: str = ""  # why the build failed
    settings: Settings = UNKNOWN
    notes: tuple[str, ...] = ()

    @property
    def used_bytes(self) -> int:
        """Return what the machine needs for the build besides its operating system."""
        return self.cost_bytes + self.client_bytes


@dataclass(frozen=True, kw_only=True, slots=True)
class BuildReport:
    """A build judged: the machine with the least room for it, and whether it fits there."""

    schema: str = "onegig/build/1"
    environment: Environment
    stack: str  # the compose project
    state: State
    sentence: str  # "GO: the build fits: 412 of 1,024 MB, 612 MB (59 %) to spare"
    machine: str  # "the budget's 1,024 MB", or the tier
    limit_bytes: int  # of that machine
    system_bytes: int  # of it for kernel and operating system
    stack_bytes: int = 0  # of it for the stack that runs meanwhile; 0: none does
    memory: BuildMemory

    @property
    def used_bytes(self) -> int:
        """Return what all that runs meanwhile takes of the machine."""
        return self.system_bytes + self.stack_bytes + self.memory.used_bytes
