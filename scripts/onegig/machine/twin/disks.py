"""The data disk: images in the engine's own store, its programs, and what the stack mounts."""

import os.path
import shlex
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from onegig.engine.owned import Run
from onegig.machine.box import read_remarks
from onegig.machine.machine import BootPlan
from onegig.machine.nesting import Nesting
from onegig.machine.project import BoxProject, box_references
from onegig.machine.twin import host, qemu
from onegig.machine.twin.engines import (
    CONTAINERS_CONF,
    GuestEngine,
    containers_conf,
    guest_engine,
)
from onegig.machine.twin.guest import Guest, our_file
from onegig.model.tiers import tier_for

BUILD_SECONDS = 1800.0
LEAST_BYTES = 8 * 1000**3  # of the disk, if the tier names none or less
MOST_SOURCE_KIB = 2 * 1024**2  # of the host's files and folders that the stack mounts, in all
DATA = "data.img"  # in the volume
UNNAMED = "tags"  # file that names the archives of images given by digest


def make_data_disk(
    plan: BootPlan, nesting: Nesting, project: BoxProject, guest: Guest, settings: Mapping[str, Any]
) -> tuple[str, ...]:
    """Make the disk DATA in the way's volume; return remarks on what it lacks.

    Raises BootError.
    """
    engine = guest_engine(plan.budgets.engine)
    share = _share(plan.run, guest, engine, project, settings)
    environment, folders = _environment(plan, project, share), [share.parent]
    if engine.kind.is_podman:
        images = _save_images(plan, share.with_name("images"))
        environment |= {"PODMAN": str(guest.podman), "IMAGES": str(images)}
        folders.append(guest.podman)
    script = share.with_name("data.sh")
    script.write_bytes(our_file("data.sh"))
    arguments = host.options(
        plan.run,
        nesting.image_name,
        ("/bin/sh", str(script)),
        folders=folders,
        volume=nesting.volume,
        environment=environment,
    )
    name, purpose = f"{plan.run.name}-data", "making the twin's disk"
    printed = host.finish(plan.engine, name, arguments, seconds=BUILD_SECONDS, purpose=purpose)
    return read_remarks(printed)


def _environment(plan: BootPlan, project: BoxProject, share: Path) -> dict[str, str]:
    """Return the variables of data.sh, but for Podman's."""
    paths = (*project.folders, *project.files)
    return {
        "WORK": str(host.scratch(plan.run)),
        "SHARE": str(share),
        "SOURCES": "\n".join(dict.fromkeys(map(os.path.normpath, paths))),
        "DISK_BYTES": str(max(LEAST_BYTES, disk_bytes(plan))),
        "MOST_KIB": str(MOST_SOURCE_KIB),
    }


def disk_bytes(plan: BootPlan) -> int:
    """Return the size of the tier's disk; without a tier, of the one that the budgets allow."""
    budgets = plan.budgets
    tier = tier_for(budgets.tier, budgets.memory.limit_bytes, plan.engine.architecture)
    return (tier.disk_bytes if tier else None) or budgets.disk.limit_bytes


def settings_text(settings: Mapping[str, Any]) -> str:
    """Return variables for a shell and for systemd, one per line."""
    return "".join(f"{key}={shlex.quote(str(value))}\n" for key, value in settings.items())


def published_ports(config: Mapping[str, Any]) -> tuple[qemu.Port, ...]:
    """Return the ports that the stack's services publish; of a range, the first."""
    services = (config.get("services") or {}).values()
    ports = (_port(entry) for service in services for entry in service.get("ports") or ())
    distinct = dict.fromkeys(ports)
    return tuple(port for port in distinct if port.number and port.protocol in ("tcp", "udp"))


def _port(entry: Mapping[str, Any]) -> qemu.Port:
    address = str(entry.get("host_ip") or "")
    return qemu.Port(
        number=int(str(entry.get("published") or "0").partition("-")[0]),
        protocol=str(entry.get("protocol") or "tcp"),
        address=address if address.startswith("127.") else "",
    )


def _save_images(plan: BootPlan, folder: Path) -> Path:
    """Save the stack's images as archives, and the names of those given by digest; see data.sh."""
    folder.mkdir(parents=True, exist_ok=True)
    images, tags = plan.stack.images, box_references(plan.stack.images)
    archives = {f"{number}.tar": image for number, image in enumerate(tags)}
    names = [f"{archive} {tags[image]}\n" for archive, image in archives.items()]
    (folder / UNNAMED).write_text("".join(names))
    groups = {archive: [image] for archive, image in archives.items()}
    groups["named.tar"] = [image for image in images if image not in tags]
    for archive, group in groups.items():
        if group:
            with plan.engine.images.save(group) as stream, (folder / archive).open("wb") as file:
                shutil.copyfileobj(stream, file)
    return folder


def _share(
    run: Run, guest: Guest, engine: GuestEngine, project: BoxProject, settings: Mapping[str, Any]
) -> Path:
    """Write the files of ours that belong on the disk; return their folder."""
    share = run.directory / "twin" / "disk"
    share.mkdir(parents=True, exist_ok=True)
    for name in ("guest.sh", *engine.files):
        (share / name).write_bytes(our_file(name))
    if engine.kind.is_podman:
        (share / CONTAINERS_CONF).write_text(containers_conf(engine.kind, project.addresses))
    (share / "agent").write_bytes(guest.agent.read_bytes())
    (share / "agent").chmod(0o755)
    (share / "settings").write_text(settings_text(settings))
    return share
