"""How long `onegig inspect` takes beside trivy and dive on the same images in the same run.

    python tests/benchmarks/inspecting.py [--rounds 3] [--parts files,stack] [--stack REPOSITORY]

Two parts: an image of 20,000 files in 650 MB, and fifteen images (`--stack`, or fifteen made here)
that share their base. trivy alone gets each image from the engine, one after the other, from a
cache that is empty at first; so does dive. `onegig inspect` runs as its users run it: cold (nothing
kept) with dive and trivy, and warm. All take turns in every round, and the medians are shown: the
machine may be busy with other things, but so it is for all. Peak memory is onegig's own process.
Any user that may talk to the engine can run it.
"""

import argparse
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from made_images import PARTS
from onegig.engine.engine import connect
from onegig.images import dive, trivy
from onegig.images.scan import SCANNERS

GOALS = {"files": 1.3, "stack": 0.6}  # of the time that trivy takes alone
WARM_SECONDS, PEAK_MB = 1.0, 300
INSPECT = """
import atexit, os, pathlib, re
from onegig.cli import main
status = pathlib.Path("/proc/self/status")
peak = pathlib.Path(os.environ["PEAK"])
atexit.register(lambda: peak.write_text(re.search(r"VmHWM:\\s+(\\d+)", status.read_text())[1]))
main()
"""
PEAKS: list[float] = []  # of onegig's own process, in MB
Way = Callable[[Path], None]


def main() -> None:
    """Make what is missing, take turns, print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--parts", default="files,stack")
    parser.add_argument("--stack", default="", help="repository prefix of images on the engine")
    options = parser.parse_args()
    scanner, program = trivy.find(), dive.find()
    if not isinstance(scanner, trivy.Scanner) or not isinstance(program, dive.Program):
        parser.error("trivy and dive must be installed")
    user = f"uid {os.getuid()}, {os.cpu_count()} CPUs, median of {options.rounds} rounds"
    print(f"trivy {scanner.version}, dive {program.version}, {user}\n")
    with connect() as engine, tempfile.TemporaryDirectory() as folder:
        for part in options.parts.split(","):
            with PARTS[part](engine.client, options.stack) as (title, references):
                print(title)
                ways = ways_of(references, scanner.path, program.path, Path(folder))
                report(part, measure(ways, Path(folder), options.rounds))


def ways_of(
    references: Sequence[str], trivy_path: str, dive_path: str, folder: Path
) -> dict[str, Way]:
    """Return the ways to look at some images; each gets a folder for its cache."""
    project = folder / f"project{len(references)}"
    project.mkdir()
    (project / "budgets.yml").write_text("version: 1\n")
    services = [f"  s{n}:\n    image: {one}\n" for n, one in enumerate(references)]
    (project / "compose.yml").write_text("services:\n" + "".join(services))
    options = [f"--scanners={','.join(SCANNERS)}", f"--image-config-scanners={','.join(SCANNERS)}"]
    options += ["--list-all-pkgs", "--format=json", "--output=/dev/null", "--offline-scan"]
    options += ["--skip-check-update", "--skip-version-check", "--disable-telemetry", "--quiet"]

    def ask_trivy(cache: Path) -> None:
        for one in references:
            run([trivy_path, "image", *options, f"--cache-dir={cache}", one])

    def ask_dive(cache: Path) -> None:
        for one in references:
            run([dive_path, one, "--json", str(cache / "dive.json")])

    def inspect(cache: Path) -> None:
        run(
            [sys.executable, "-c", INSPECT, "inspect", "--quiet"],
            cwd=project,
            env={**os.environ, "XDG_CACHE_HOME": str(cache), "PEAK": str(folder / "peak")},
        )
        PEAKS.append(int((folder / "peak").read_text()) / 1024)

    kept = folder / f"kept{len(references)}"
    kept.mkdir()
    inspect(kept)
    return {
        "trivy alone": ask_trivy,
        "dive alone": ask_dive,
        "onegig inspect, cold": inspect,
        "onegig inspect, warm": lambda _cache: inspect(kept),
    }


def run(argv: Sequence[str], cwd: Path = Path("/"), env: Mapping[str, str] | None = None) -> None:
    """Run a program to its end."""
    child = subprocess.Popen(argv, cwd=cwd, env=env, stdout=subprocess.DEVNULL)
    if child.wait():
        raise SystemExit(f"{argv} failed with code {child.returncode}")


Medians = Mapping[str, tuple[float, float]]


def measure(ways: Mapping[str, Way], folder: Path, rounds: int) -> Medians:
    """Return the median seconds of each way, by the clock and of CPUs; all take turns."""
    seconds: dict[str, list[float]] = {name: [] for name in ways}
    cpu_seconds: dict[str, list[float]] = {name: [] for name in ways}
    for _ in range(rounds):
        for name, way in ways.items():
            with tempfile.TemporaryDirectory(dir=folder) as cache:
                began, used = time.perf_counter(), sum(os.times()[2:4])
                way(Path(cache))
                seconds[name].append(time.perf_counter() - began)
                cpu_seconds[name].append(sum(os.times()[2:4]) - used)
    median = statistics.median
    return {name: (median(seconds[name]), median(cpu_seconds[name])) for name in ways}


def report(part: str, medians: Medians) -> None:
    """Print a line for each way, with its time over that of trivy alone."""
    alone, _ = medians["trivy alone"]
    for name, (median, cpu) in medians.items():
        print(f"  {name:24} {median:8.2f} s  {median / alone:6.2f}x trivy alone  {cpu:8.2f} CPU s")
    goals = f"cold <= {GOALS[part]}x, warm < {WARM_SECONDS} s, peak < {PEAK_MB} MB"
    print(f"  peak memory {max(PEAKS):.0f} MB; goals: {goals}\n")
    PEAKS.clear()


if __name__ == "__main__":
    main()
