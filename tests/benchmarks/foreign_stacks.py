"""Stacks of other runtimes, planned and tried: what each action was predicted to save, and saved.

    python tests/benchmarks/foreign_stacks.py [STACK ...] [--actions ID,ID] [--keep DIR]

Each folder of tests/foreign is checked in the box, and its plan's actions are booted one by one.
Needs mmdebstrap for the base image unless DEBIAN_IMAGE names one, and the Debian mirror.
"""

import argparse
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import onegig

STACKS = Path(__file__).parents[1] / "foreign"
NAMES = sorted(path.parent.name for path in STACKS.glob("*/budgets.yml"))
BASE = "onegig-foreign/debian"
TRIED = re.compile(r"runtime:.*|off:.*|limits")
SECONDS = 900  # for one run of onegig
MIB = 1024**2

Json = dict[str, Any]


def debian_image() -> str:
    """Return the image that the stacks are built on, made of Debian's packages if need be."""
    if given := os.environ.get("DEBIAN_IMAGE"):
        return given
    if subprocess.run(["docker", "image", "inspect", BASE], capture_output=True).returncode:
        with tempfile.TemporaryDirectory() as folder:
            archive = Path(folder) / "debian.tar"
            lean = [f"--dpkgopt=path-exclude=/usr/share/{part}/*" for part in ("doc", "locale")]
            quick = ["--quiet", "--dpkgopt=force-unsafe-io", *lean]
            packages = "--include=ca-certificates,curl"
            subprocess.run(
                ["mmdebstrap", "--variant=minbase", *quick, packages, "trixie", archive], check=True
            )
            subprocess.run(["docker", "import", archive, BASE], check=True, stdout=sys.stderr)
    return BASE


def onegig_run(folder: Path, *words: str) -> str:
    """Return what a command of onegig prints; its exit code says only how the stack fits."""
    package = str(Path(onegig.__file__).parents[1])
    done = subprocess.run(
        [sys.executable, "-m", "onegig.cli", *words],
        cwd=folder,
        env={**os.environ, "PYTHONPATH": package, "NO_COLOR": "1"},
        capture_output=True,
        text=True,
        timeout=SECONDS,
    )
    if done.returncode not in (0, 1, 4):
        raise SystemExit(f"onegig {' '.join(words)} in {folder.name}:\n{done.stderr}")
    return done.stdout


def plan_of(folder: Path, *words: str) -> Json:
    plan: Json = json.loads(onegig_run(folder, "plan", "report/report.json", "--json", *words))
    return plan


def rows(folder: Path, chosen: list[str]) -> Iterator[str]:
    """Yield a line for each action of a stack's plan."""
    onegig_run(folder, "check")
    before = plan_of(folder)
    yield f"| {folder.name} | {before['total_bytes'] / MIB:.0f} | today | | | |"
    for action in before["actions"]:
        name, predicted = action["id"], action["saving"]
        if not (name in chosen if chosen else TRIED.fullmatch(name)):
            continue
        after = plan_of(folder, "--verify", name)
        (tried,) = (each for each in after["actions"] if each["id"] == name)
        verified = tried["verified"]
        span = [predicted[key] / MIB for key in ("bytes", "low_bytes", "high_bytes")]
        total = verified.get("total_bytes")
        measured = f"{(after['total_bytes'] - total) / MIB:.1f}" if isinstance(total, int) else "-"
        expected = "{:.1f} ({:.1f} to {:.1f})".format(*span)
        how = verified.get("problem") or verified.get("reason") or "all up"
        yield f"| {folder.name} | | {name} | {expected} | {measured} | {how} |"


def main() -> None:
    """Print one row for each action of each stack."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("stacks", nargs="*", choices=[*NAMES, []], metavar="STACK")
    parser.add_argument("--actions", default="", help="ids, with commas between them")
    parser.add_argument("--keep", type=Path, help="a folder for the reports")
    options = parser.parse_args()
    os.environ["DEBIAN_IMAGE"] = debian_image()
    print("| stack | MB today | action | predicted | measured | boot |")
    print("|" + "--|" * 6, flush=True)
    with tempfile.TemporaryDirectory() as scratch:
        for name in options.stacks or NAMES:
            folder = (options.keep or Path(scratch)) / name
            shutil.copytree(STACKS / name, folder, dirs_exist_ok=True)
            for row in rows(folder, options.actions.split(",") if options.actions else []):
                print(row, flush=True)


if __name__ == "__main__":
    main()
