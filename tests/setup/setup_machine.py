"""The set-up scripts run for real, against stand-ins for docker, apt and the rest of a machine."""

import os
import subprocess
from dataclasses import dataclass
from pathlib import Path

PROJECT = Path(__file__).parents[2]
# What a machine of these tests is told apart from the real one by.
UNSET = ("ALPINE_IMAGE", "PYTHON_IMAGE", "VALKEY_IMAGE", "DOCKER_HOST")
UNSET += ("ONEGIG_PYTHON", "ONEGIG_QUIET", "RUNNER_TEMP")


@dataclass(frozen=True, slots=True, kw_only=True)
class Machine:
    """A copy of the project beside a folder of programs that come first on PATH."""

    root: Path

    @property
    def project(self) -> Path:
        """The checkout; its path has a space."""
        return self.root / "a project"

    @property
    def state(self) -> Path:
        """What set-up remembers of the project."""
        printed = self.source("common.sh", 'printf %s "$STATE"').stdout
        return Path(printed)

    def program(self, name: str, script: str) -> None:
        """A program of this name; every call of it is noted first."""
        path = self.root / "bin" / name
        calls = self.root / "calls"
        path.write_text(f'#!/bin/bash\necho "{name} $*" >>"{calls}"\n{script}\n')
        path.chmod(0o755)

    def calls(self, start: str = "") -> list[str]:
        """The calls of those programs that start so."""
        calls = self.root / "calls"
        lines = calls.read_text().splitlines() if calls.exists() else []
        return [line for line in lines if line.startswith(start)]

    def environment(self, **extra: str) -> dict[str, str]:
        """The real one with this machine's programs, home and cache."""
        inherited = {key: value for key, value in os.environ.items() if key not in UNSET}
        return {
            **inherited,
            "PATH": f"{self.root / 'bin'}:{os.environ['PATH']}",
            "HOME": str(self.root / "home"),
            "XDG_CACHE_HOME": str(self.root / "cache"),
            "XDG_STATE_HOME": str(self.root / "state"),
            "TMPDIR": str(self.root / "tmp"),
            **extra,
        }

    def make_venv(self, *kinds: str, **programs: str) -> Path:
        """Put a virtual environment there that set-up made: Python, and programs with their text.

        It is up to date for these kinds. Return the folder of its programs.
        """
        tools = self.project / ".venv/bin"
        tools.mkdir(parents=True)
        for name, text in {"python": "#!/bin/sh\n", **programs}.items():
            (tools / name).write_text(text)
            (tools / name).chmod(0o755)
        marks = "".join(
            f'; printf %s "$(mark_of {kind})" >"$VENV/.onegig-{kind}"' for kind in kinds
        )
        assert self.source("venv.sh", f"claim_venv{marks}").returncode == 0
        return tools

    def run(self, *command: str | Path, **extra: str) -> subprocess.CompletedProcess[str]:
        """Run a command in the project."""
        return subprocess.run(
            [str(word) for word in command],
            cwd=self.project,
            env=self.environment(**extra),
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )

    def source(self, script: str, body: str, **extra: str) -> subprocess.CompletedProcess[str]:
        """Run lines of bash after sourcing one of the set-up scripts."""
        return self.run(
            "bash", "-c", f'set -euo pipefail; . "scripts/setup/{script}"\n{body}', **extra
        )


def refusal(result: subprocess.CompletedProcess[str]) -> str:
    """Return what set-up says when it ends with status 3."""
    assert result.returncode == 3, result.stderr
    return result.stderr
