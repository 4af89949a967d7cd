"""Workflows run by act on this machine, with stand-ins for the actions of others."""

import json
import os
import re
import subprocess
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from tempfile import mkdtemp
from typing import Any
from zipfile import ZipFile

from forge import Forge
from github.state import REPOSITORY, TOKEN
from trivy_database import make_database

STAND_INS = Path(__file__).parent / "stand_ins"
RUNNER = "ubuntu-24.04"
SECONDS = 900
USED = re.compile(r"uses: ([\w-]+)/([\w-]+)[\w./-]*@([0-9a-f]{40})")
# A job on GitHub sees nothing of these.
UNSEEN = re.compile(r"^(GITHUB|ACTIONS|RUNNER|ONEGIG|COMPOSE|PYTEST)_")


@dataclass(frozen=True, kw_only=True, slots=True)
class Ran:
    """What a workflow did: each job's result, what was printed, what was kept."""

    events: tuple[Mapping[str, Any], ...]
    artifacts: Path

    @property
    def jobs(self) -> dict[str, str]:
        """The result of each job that ran; a matrix counts as one, failed when any did."""
        results: dict[str, str] = {}
        for event in self.events:
            if "jobResult" in event and results.get(event["jobID"]) != "failure":
                results[event["jobID"]] = event["jobResult"]
        return results

    @property
    def log(self) -> str:
        """What all steps printed, and act about them."""
        return "\n".join(event["msg"].rstrip("\n") for event in self.events)

    @property
    def summary(self) -> str:
        """What the jobs wrote into their summaries."""
        kept = (event for event in self.events if event.get("command") == "summary")
        return "\n".join(event["content"] for event in kept)

    def steps(self, job: str) -> list[tuple[str, str]]:
        """A job's steps in the order in which they ended, each with its result."""
        ended = (event for event in self.events if "stepResult" in event and event["jobID"] == job)
        return [(event["step"], event["stepResult"]) for event in ended]

    def artifact(self, name: str) -> dict[str, bytes]:
        """The files of an artifact."""
        with ZipFile(self.artifacts / f"{name}.zip") as archive:
            return {entry: archive.read(entry) for entry in archive.namelist()}


@dataclass(frozen=True, kw_only=True, slots=True)
class Act:
    """act with its folders below `root`, so that nothing is left on the machine."""

    root: Path
    forge: Forge
    api_url: str

    def run(
        self, workflow: str, event: str, payload: Mapping[str, Any], sha: str, **settings: str
    ) -> Ran:
        """Run a workflow for an event whose GITHUB_SHA is `sha`."""
        artifacts = Path(mkdtemp(prefix="artifacts-", dir=self.root))
        path = self.root / "event.json"
        path.write_text(json.dumps(payload))
        make_database(self.root / "trivy", "alpine 3.23", {})  # so that none is fetched
        settings = {
            "ARTIFACTS": str(artifacts),
            "GITHUB_API_URL": self.api_url,
            "GITHUB_REPOSITORY": REPOSITORY,
            "GITHUB_SERVER_URL": self.forge.root.as_uri(),
            "ONEGIG_PYTHON": str(STAND_INS / "python"),
            "RUNNER_TEMP": str(self.root),
            "SHA_REF": sha,  # act's name for GITHUB_SHA
            "TESTS_PYTHON": sys.executable,
            "TRIVY_CACHE_DIR": str(self.root / "trivy"),
            **settings,
        }
        command = [
            *("act", event, "--json", "--eventpath", str(path)),
            *("--directory", str(self.forge.tree), "--workflows", f".github/workflows/{workflow}"),
            *("--platform", f"{RUNNER}=-self-hosted", "--no-skip-checkout", "--no-cache-server"),
            *("--action-offline-mode", "--action-cache-path", str(self.root / "act")),
            *(f"--local-repository={use}={folder}" for use, folder in self._stand_ins()),
            *("--secret", f"GITHUB_TOKEN={TOKEN}"),
            *(word for item in settings.items() for word in ("--env", "=".join(item))),
        ]
        done = subprocess.run(
            command,
            env=_environment(),
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=SECONDS,
            check=False,
        )
        assert done.stdout or done.returncode == 0, done.stderr  # nothing at all: no job ran
        events = tuple(json.loads(line) for line in done.stdout.splitlines())
        return Ran(events=events, artifacts=artifacts)

    def _stand_ins(self) -> Iterator[tuple[str, Path]]:
        """Each action of others that is used, and the folder that stands in for it."""
        roots = (self.forge.tree, self.forge.action)
        text = "".join(path.read_text() for one in roots for path in one.glob(".github/**/*.yml"))
        for owner, name, commit in sorted(set(USED.findall(text))):
            folder = self.forge.action if name == "onegig" else STAND_INS / name
            yield f"{self.forge.root.as_uri()}/{owner}/{name}@{commit}", folder


def _environment() -> dict[str, str]:
    """What a job sees of this process's environment, with a sudo where there is none."""
    seen = {key: value for key, value in os.environ.items() if not UNSEEN.match(key)}
    return seen | {"PATH": f"{seen['PATH']}:{STAND_INS / 'bin'}"}
