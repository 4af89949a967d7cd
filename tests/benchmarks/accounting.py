"""How long the account of images takes, beside dive on the same images in the same run.

    python tests/benchmarks/accounting.py [--rounds 3] [--parts files,whiteouts,stack]

Three parts: an image of 20,000 files in 650 MB, one in which 6,000 files are deleted by a whiteout
each, and fifteen images (`--stack REPOSITORY`, or fifteen made here) that share their base.

dive has one way, which is to read everything each time; here it gets the image from the engine
(`dive IMAGE --json`), as its users do, and from an archive that was saved before. onegig is timed
cold (nothing kept) for what dive tells and the exact account besides: from the engine's folders,
from `docker save` (all there is for who may not read those), and from the archive; then with what
comes after, when every byte is read, compressed and checked against its digest, for which dive has
no equal; and warm. All take their turns in every round, and the medians are shown: the machine may
be busy with other things, but so it is for all. onegig runs without dive and trivy here.
"""

import argparse
import os
import statistics
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from unittest.mock import patch

from docker import DockerClient

from made_images import PARTS
from onegig.engine import engine as engines
from onegig.engine.engine import connect
from onegig.engine.images import EngineImage, Images
from onegig.images import dive, examine
from onegig.images.archive import Archive
from onegig.images.cache import Cache
from onegig.images.inspect import inspect_images
from onegig.images.spool import ImageSource
from onegig.model.measured import Unknown
from onegig.process import run

WITHOUT_DIVE = Unknown(reason="dive is timed by itself")

Way = Callable[[], object]


def main() -> None:
    """Make what is missing, take turns, print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--parts", default="files,whiteouts,stack")
    parser.add_argument("--stack", default="", help="repository prefix of images on the engine")
    options = parser.parse_args()
    program = dive.find()
    if isinstance(program, Unknown):
        parser.error(program.reason)
    print(f"dive {program.version}, {os.cpu_count()} CPUs, median of {options.rounds} rounds\n")
    print(f"{'':34} {'seconds':>9}  {'dive / onegig':>14}")
    with connect() as engine, tempfile.TemporaryDirectory() as folder:
        for part in options.parts.split(","):
            with PARTS[part](engine.client, options.stack) as (title, references):
                measure(title, references, engine.client, program, Path(folder), options.rounds)


def measure(
    title: str,
    references: Sequence[str],
    client: DockerClient,
    program: dive.Program,
    folder: Path,
    rounds: int,
) -> None:
    """One part: every way in turn, `rounds` times; a line each."""
    archives = [folder / f"{place}.tar" for place, _ in enumerate(references)]
    for reference, archive in zip(references, archives, strict=True):
        run(["docker", "save", "--output", str(archive), reference], timeout_seconds=600)
    ways = ways_of(references, archives, client, program, folder)
    seconds: dict[str, list[float]] = {name: [] for name in ways}
    for _ in range(rounds):
        for name, way in ways.items():
            began = time.perf_counter()
            way()
            seconds[name].append(time.perf_counter() - began)
    print(title)
    medians = {name: statistics.median(taken) for name, taken in seconds.items()}
    from_engine, from_archive = (medians[name] for name in list(ways)[:2])
    for name, median in medians.items():
        peer = from_archive if "archive" in name else from_engine
        ratio = f"{peer / median:13.1f}x" if name.startswith("onegig") else ""
        print(f"  {name:32} {median:9.3f}  {ratio:>14}")
    print()
    for archive in archives:
        archive.unlink()


def ways_of(
    references: Sequence[str],
    archives: Sequence[Path],
    client: DockerClient,
    program: dive.Program,
    folder: Path,
) -> dict[str, Way]:
    """The ways to look at some images; dive's come first."""
    report = folder / "dive.json"
    environment = engines.Engine(client).describe(references)

    def look(source: ImageSource, names: Sequence[str], cache: Path) -> None:
        found = inspect_images(
            dict.fromkeys(names, ()),
            engine=source,
            cache=Cache(cache),
            environment=environment,
            progress=lambda _line: None,
            program=WITHOUT_DIVE,
        )
        assert not found.problems, found.problems

    def cold(source: ImageSource, names: Sequence[str], *, weighing: bool = False) -> None:
        with tempfile.TemporaryDirectory(dir=folder) as cache, as_told(weighing=weighing):
            look(source, names, Path(cache))

    def from_archives() -> None:
        for archive in map(Archive, archives):
            cold(archive, archive.references)

    def ask_dive(names: Sequence[str]) -> None:
        for name in names:
            run([program.path, name, "--json", str(report)], timeout_seconds=1200)

    kept = folder / "kept"
    look(Images(client), references, kept)
    return {
        "dive, from the engine": lambda: ask_dive([f"docker://{one}" for one in references]),
        "dive, from an archive": lambda: ask_dive([f"docker-archive://{one}" for one in archives]),
        "onegig, from the folders": lambda: cold(Images(client), references),
        "onegig, docker save": lambda: cold(SavingEngine(client), references),
        "onegig, from an archive": from_archives,
        "onegig, folders, weighed": lambda: cold(Images(client), references, weighing=True),
        "onegig, warm": lambda: look(Images(client), references, kept),
    }


class SavingEngine(Images):
    """An engine whose folders are not ours to read."""

    def unpacked(self, image: EngineImage) -> None:
        """Never."""


@contextmanager
def as_told(*, weighing: bool) -> Iterator[None]:
    """Whether all layers are compressed and checked after the account."""
    if weighing:
        yield
        return
    with patch.object(examine, "weigh", lambda _layer: 0):
        yield


if __name__ == "__main__":
    main()
