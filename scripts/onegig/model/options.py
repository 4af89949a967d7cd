"""The options of a check, as the command line or a library's caller sets them."""

import shlex
from dataclasses import dataclass
from pathlib import Path

from onegig.model.engines import EngineKind
from onegig.model.measuring import SqueezeMode
from onegig.model.sizes import plain_number
from onegig.model.twin import MachineKind


@dataclass(frozen=True, kw_only=True, slots=True)
class Options:
    """The stack to check, and how; None leaves the choice to budgets.yml."""

    budgets: Path = Path("budgets.yml")
    budgets_may_be_missing: bool = False  # the defaults count then
    compose: tuple[Path, ...] = ()
    profiles: tuple[str, ...] = ()
    tier: str | None = None
    machine: MachineKind | None = None
    engine: EngineKind | None = None
    window_seconds: float | None = None
    settle_seconds: float | None = None
    repeats: int | None = None
    rate: float | None = None
    squeeze: SqueezeMode | None = None
    throttled: bool | None = None
    reboot: bool | None = None
    verify: str = ""  # what of the plan to try: "best", "all", an option, an action; "": nothing
    services: tuple[str, ...] = ()  # only these services' images; (): all
    update_database: bool = False  # trivy's, before scanning: vulnerabilities must be looked for
    weigh: bool = False  # compress layers to learn what a pull moves
    inspected: tuple[Path, ...] = ()  # images.json of machines that inspected a part of them
    settings_commit: str | None = None  # whose settings of linters count; None: as they are here
    typed: str = ""  # the command line as it was typed, or "" if a job runs it

    @property
    def reproduce(self) -> str:
        """Return the command that gives the same result: the one that was typed, if one was."""
        pairs: list[tuple[str, Path | str | float | None]] = [
            ("--budgets", None if self.budgets == Options().budgets else self.budgets),
            *(("--compose", path) for path in self.compose),
            *(("--profile", name) for name in self.profiles),
            ("--tier", self.tier or None),
            ("--on", self.machine),
            ("--engine", self.engine),
            ("--window", self.window_seconds),
            ("--settle", self.settle_seconds),
            ("--repeats", self.repeats),
            ("--rate", self.rate),
            ("--squeeze", self.squeeze),
            ("--verify", self.verify or None),
        ]
        flags = ["--update-database"] * self.update_database + ["--weigh"] * self.weigh
        flags += ["--throttled"] * bool(self.throttled) + ["--reboot"] * bool(self.reboot)
        words = ["onegig", "check"]
        for name, value in pairs:
            if value is not None:
                text = plain_number(value) if isinstance(value, (int, float)) else str(value)
                words += [name, text]
        return self.typed or shlex.join(words + flags)
