"""Whole runs of `onegig check`, one for each stack of tests/stacks.

    pytest tests/end_to_end [-k NAME]

A run takes 15 to 20 s, so scripts/test leaves them out. Each prints a line with its verdict, its
total and its duration. No stack needs a registry: they run the images that scripts/setup provides.
"""

import json
import os
import re
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
import yaml

import onegig
from onegig.engine.engine import connect

pytestmark = pytest.mark.engine

STACKS = Path(__file__).parents[1] / "stacks"
FOLDERS = sorted(path.parent for path in STACKS.glob("*/expect.yml"))
EXPECTATION = "expect.yml"
BUDGETS = "version: 1\nmeasure: {settle: 1s, window: 3s, healthy_timeout: 60s}\n"
IMAGE_PREFIX = "onegig-stack"
MIB = 1024**2


@dataclass(frozen=True, kw_only=True, slots=True)
class Expectation:
    """How `onegig check` must end for a stack; ranges in MiB, texts as regular expressions."""

    exit: int
    services: dict[str, str] = field(default_factory=dict)  # every service, with its state
    text: tuple[str, ...] = ()
    not_text: tuple[str, ...] = ()
    total_mb: tuple[int, int] | None = None
    service_mb: dict[str, tuple[int, int]] = field(default_factory=dict)
    absent: tuple[str, ...] = ()  # paths that must not appear on this machine
    arguments: tuple[str, ...] = ()
    environment: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True, slots=True)
class Outcome:
    """What a run left: its exit code, all it printed, and the report if there is one."""

    exit: int
    text: str
    report: dict[str, Any]
    seconds: float

    @property
    def verdict(self) -> str:
        """The state of the verdict, or `-` where the run ended without a verdict."""
        return str(self.report.get("verdict", {}).get("state", "-"))

    @property
    def total_mb(self) -> float | None:
        """The headline number."""
        total = self.report.get("verdict", {}).get("total_bytes")
        return total / MIB if isinstance(total, int | float) else None

    @property
    def services(self) -> dict[str, dict[str, Any]]:
        """The measured services by name."""
        memory = self.report.get("memory") or {}
        return {service["name"]: service for service in memory.get("services", ())}


@pytest.fixture(autouse=True)
def _built_images_are_removed() -> Iterator[None]:
    yield
    with connect() as engine:
        tags = [tag for image in engine.client.images.list() for tag in image.tags]
        for tag in tags:
            if tag.startswith(IMAGE_PREFIX):
                engine.client.images.remove(tag, force=True)


@pytest.mark.parametrize("folder", FOLDERS, ids=lambda folder: folder.name)
def test_a_stack(folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    expected = Expectation(**yaml.safe_load((folder / EXPECTATION).read_text(encoding="utf-8")))
    project = tmp_path / folder.name
    shutil.copytree(folder, project)
    if not (project / "budgets.yml").exists():
        (project / "budgets.yml").write_text(BUDGETS, encoding="utf-8")
    outcome = check(project, expected)
    differences = list(compare(outcome, expected))
    with capsys.disabled():
        print(describe(folder.name, outcome, differences), flush=True)
    assert not differences, outcome.text


def check(project: Path, expected: Expectation) -> Outcome:
    """Run `onegig check` in the project as its user would."""
    package = str(Path(onegig.__file__).parents[1])
    settings = {"PYTHONPATH": package, "NO_COLOR": "1", "COLUMNS": "200"}
    started = time.monotonic()
    done = subprocess.run(
        [sys.executable, "-m", "onegig.cli", "check", *expected.arguments],
        cwd=project,
        capture_output=True,
        text=True,
        env={**os.environ, **settings, **expected.environment},
        timeout=400,
        check=False,
    )
    report, comment = project / "report" / "report.json", project / "report" / "comment.md"
    written = comment.read_text(encoding="utf-8") if comment.exists() else ""
    return Outcome(
        exit=done.returncode,
        text=f"{done.stdout}\n{done.stderr}\n{written}",
        report=json.loads(report.read_text(encoding="utf-8")) if report.exists() else {},
        seconds=time.monotonic() - started,
    )


def compare(outcome: Outcome, expected: Expectation) -> Iterator[str]:
    """Describe each difference."""
    if outcome.exit != expected.exit:
        yield f"exit {outcome.exit}, not {expected.exit}"
    states = {name: service["state"] for name, service in outcome.services.items()}
    for name in sorted({*expected.services, *(states if expected.services else ())}):
        state, right = states.get(name, "absent"), expected.services.get(name, "absent")
        if state != right:
            yield f"{name} {state}, not {right}"
    if expected.total_mb and not is_within(outcome.total_mb, expected.total_mb):
        yield f"total {format_mb(outcome.total_mb)}, not {expected.total_mb}"
    for name, limits in expected.service_mb.items():
        rss_mb = outcome.services.get(name, {}).get("rss_bytes", 0) / MIB
        if not is_within(rss_mb, limits):
            yield f"{name} {format_mb(rss_mb)}, not {limits}"
    yield from (f"no /{text}/" for text in expected.text if not re.search(text, outcome.text))
    yield from (f"/{text}/" for text in expected.not_text if re.search(text, outcome.text))
    yield from (f"{path} exists" for path in expected.absent if Path(path).exists())


def is_within(mib: float | None, limits: tuple[int, int]) -> bool:
    return mib is not None and limits[0] <= mib <= limits[1]


def format_mb(mib: float | None) -> str:
    return "no total" if mib is None else f"{mib:.0f} MB"


def describe(name: str, outcome: Outcome, differences: list[str]) -> str:
    """Return the line to print for a stack."""
    result = "; ".join(differences) or "as expected"
    verdict = f"{outcome.verdict:10} {format_mb(outcome.total_mb):>8} {outcome.seconds:4.0f} s"
    return f"\n{name:24} {verdict}  {result}"
