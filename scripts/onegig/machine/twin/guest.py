"""The guest's root disk, kernel and agent: built once from Debian's packages, then cached.

They lie in onegig's cache folder, by what they are made of: our scripts and the mirror's list of
packages, which changes with every release. Without a network the newest guest at hand is used.
"""

import hashlib
import os
import shutil
import time
from contextlib import suppress
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path

import requests

from onegig.engine.engine import Engine
from onegig.engine.owned import PREFIX, Run
from onegig.errors import BootError, OnegigError
from onegig.files import cache_folder, make_private
from onegig.machine.machine import BootPlan
from onegig.machine.twin import cloud, host, qemu
from onegig.process import run as run_program

SUITE = "trixie"
DEBIAN = "http://deb.debian.org/debian"
BUILD_SECONDS = 1200.0
FETCH_SECONDS = 15.0
MADE_OF = ("root.sh", "onegig.service")  # and the sources of the agent
AGENT, ROOT = "agent", "root.img"  # the former also the folder of its sources
PODMAN = "podman"
MOST_GUESTS = 2  # in the cache; older ones are removed
UNFINISHED_SECONDS = 24 * 3600.0  # after which a build was killed


@dataclass(frozen=True, kw_only=True, slots=True)
class Guest:
    """The system that a twin boots. `notes` is a folder for what is learned about it."""

    agent: Path  # the program that samples inside
    notes: Path
    podman: Path  # folder with the part of Podman that fills its storage
    root: qemu.Drive
    kernel: str = ""  # "": the disk has its own, and a boot loader
    initrd: str = ""
    seed: qemu.Drive | None = None  # a disk for cloud-init
    image: str = ""  # name of the cloud image


def ensure_guest(plan: BootPlan, empty_image: str) -> Guest:
    """Return the guest that the budgets ask for. Raises BootError and ConfigError.

    `empty_image` is for the container that builds one.
    """
    budgets, shelf = plan.budgets, cache_folder() / "onegig" / "twin"
    chosen = budgets.twin and cloud.check_image(budgets.twin, budgets.path)
    folder = _ensure_debian(plan, empty_image, shelf)
    if not (budgets.twin and chosen):
        return Guest(
            agent=folder / AGENT,
            notes=folder,
            podman=folder / PODMAN,
            root=qemu.Drive(path=str(folder / ROOT), keep=True),
            kernel=str(folder / "vmlinuz"),
            initrd=str(folder / "initrd.img"),
        )
    notes = shelf / "images" / budgets.twin.sha256[:16]
    notes.mkdir(parents=True, exist_ok=True)
    unit = our_file("onegig.service").decode()
    return Guest(
        agent=folder / AGENT,
        notes=notes,
        podman=folder / PODMAN,
        root=chosen,
        seed=cloud.make_seed(plan.run.directory / "seed", unit),
        image=Path(budgets.twin.image).name,
    )


def _ensure_debian(plan: BootPlan, empty_image: str, shelf: Path) -> Path:
    """Return the folder of the Debian guest, building it if it is not cached."""
    mirror = find_mirror()
    key, cached = _key(mirror), _newest_first(shelf)
    if key is None and cached:
        plan.say("Debian's mirror does not answer; using the existing guest image")
        return cached[0]
    folder = shelf / (key or "unknown")
    if not (folder / ROOT).exists():
        host.require_programs("mmdebstrap", "mke2fs")
        plan.say("building the twin's guest from Debian's packages (only once)")
        _build(plan.engine, plan.run, empty_image, mirror, folder)
    folder.touch()
    unfinished = (path for path in shelf.glob(f"*.{PREFIX}*") if _age(path) > UNFINISHED_SECONDS)
    for old in (*_newest_first(shelf)[MOST_GUESTS:], *unfinished):
        shutil.rmtree(old, ignore_errors=True)
    return folder


def find_mirror() -> str:
    """Return the mirror that apt uses here for the guest's suite, else Debian's own."""
    chosen = ["Created-By: Packages", f"Codename: {SUITE}", "Origin: Debian"]
    with suppress(OnegigError):
        printed = run_program(
            ["apt-get", "indextargets", "--format", "$(SITE)", *chosen], timeout_seconds=20
        ).stdout
        for site in sorted(set(printed.split())):
            if site.startswith(("http://", "https://")):
                return site
    return DEBIAN


def our_file(name: str) -> bytes:
    """Return a file of this package, b"" if there is none."""
    place = files("onegig.machine.twin").joinpath(name)
    return place.read_bytes() if place.is_file() else b""


def _key(mirror: str) -> str | None:
    """Return a name for a guest as it would be built now; None when the mirror does not answer."""
    try:
        response = requests.get(f"{mirror}/dists/{SUITE}/InRelease", timeout=FETCH_SECONDS)
        response.raise_for_status()
    except requests.RequestException:
        return None
    digest = hashlib.sha256(response.content)
    for name in _made_of():
        digest.update(name.encode() + b"\0" + our_file(name) + b"\0")
    return digest.hexdigest()[:16]


def _made_of() -> list[str]:
    sources = files("onegig.machine.twin").joinpath(AGENT).iterdir()
    return [*MADE_OF, *sorted(f"{AGENT}/{file.name}" for file in sources)]


def _age(path: Path) -> float:
    return time.time() - path.stat().st_mtime


def _newest_first(shelf: Path) -> list[Path]:
    guests = [path.parent for path in shelf.glob(f"*/{ROOT}") if not path.parent.suffix]
    return sorted(guests, key=lambda path: path.stat().st_mtime, reverse=True)


def _build(outer: Engine, run: Run, image: str, mirror: str, folder: Path) -> None:
    partial = folder.with_name(f"{folder.name}.{run.name}")
    volume, share = f"{run.name}-guest", run.directory / "guest"
    _make_folders(partial, share)
    outer.create_volume(volume, run.labels)
    environment = {
        "MIRROR": mirror,
        "SUITE": SUITE,
        "WORK": str(host.scratch(run)),
        "OUT": str(partial),
        "SHARE": str(share),
        "OWNER": f"{os.getuid()}:{os.getgid()}",
    }
    arguments = host.options(
        run,
        image,
        ("/bin/sh", f"{share}/root.sh"),
        folders=(partial, share),
        volume=volume,
        environment=environment,
        network="host",
    )
    purpose = "building the twin's guest"
    try:
        host.finish(outer, volume, arguments, seconds=BUILD_SECONDS, purpose=purpose)
        with suppress(OSError):  # another run was faster
            partial.rename(folder)
    finally:
        outer.remove_volume(volume)
        shutil.rmtree(partial, ignore_errors=True)


def _make_folders(partial: Path, share: Path) -> None:
    """Make the folder of the guest to be, and the one with our files. Raises BootError."""
    try:
        make_private(partial)
        (share / AGENT).mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise BootError(
            f"the twin's guest can't be stored in {partial.parent}: {error.strerror}",
            advice="set XDG_CACHE_HOME to a writable folder",
        ) from error
    for name in _made_of():
        (share / name).write_bytes(our_file(name))
