"""What a command is asked for."""

import shlex
from dataclasses import dataclass
from pathlib import Path

from onegig.model.sizes import plain_number


@dataclass(frozen=True, kw_only=True, slots=True)
class Options:
    """What the command line asks for; None leaves the choice to budgets.yml."""

    budgets: Path = Path("budgets.yml")
    budgets_may_be_missing: bool = False  # the defaults count then
    compose: tuple[Path, ...] = ()
    profiles: tuple[str, ...] = ()
    tier: str | None = None
    window_seconds: float | None = None
    settle_seconds: float | None = None
    repeats: int | None = None
    rate: float | None = None
    services: tuple[str, ...] = ()  # only these services' images; (): all
    update_database: bool = False  # trivy's, before scanning: vulnerabilities must be looked for
    weigh: bool = False  # compress layers to learn what a pull moves
    inspected: tuple[Path, ...] = ()  # images.json of machines that inspected a part of them
    settings_commit: str | None = None  # whose settings of linters count; None: as they are here
    typed: str = ""  # the command line as it was typed; "" where a job runs it

    @property
    def reproduce(self) -> str:
        """Return the command that gives the same result: the one that was typed, if one was."""
        return self.typed or self._command

    @property
    def _command(self) -> str:
        words = ["onegig", "check"]
        if self.budgets != Path("budgets.yml"):
            words += ["--budgets", str(self.budgets)]
        for path in self.compose:
            words += ["--compose", str(path)]
        for name in self.profiles:
            words += ["--profile", name]
        if self.tier:
            words += ["--tier", self.tier]
        for name, value in (
            ("--window", self.window_seconds),
            ("--settle", self.settle_seconds),
            ("--repeats", self.repeats),
            ("--rate", self.rate),
        ):
            if value is not None:
                words += [name, plain_number(value)]
        if self.update_database:
            words += ["--update-database"]
        if self.weigh:
            words += ["--weigh"]
        return shlex.join(words)
