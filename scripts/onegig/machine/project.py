"""The compose project as the box runs it: changed where a box has something else than a machine.

Pure: the resolved project goes in (`docker compose config --format json`); out come the project to
start, what must exist in the box before, and a remark for each change that its user should know of.
"""

import copy
import os.path
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from onegig.machine.cgroup import MEMINFO, meminfo_text
from onegig.machine.subnets import (
    DEFAULT_ADDRESSES,
    Addresses,
    Network,
    choose_addresses,
    project_subnets,
    stand_in_networks,
)

ENGINE_SOCKET = "/run/docker.sock"  # of the box's own engine, inside the box
MEMINFO_FILE = "/.onegig/meminfo"
SOCKET_NAMES = ("docker.sock", "podman.sock")
LOG_DRIVERS = ("none", "json-file", "local")
NETWORK_DRIVERS = ("", "default", "bridge", "host", "none", "null")
LOOPBACK = ("127.", "0.0.0.0", "::", "[::")  # noqa: S104 - compared, not bound to
_DIGEST = re.compile(r"(?:(?P<name>.+)@)?sha256:(?P<hex>[0-9a-f]{64})")

Config = dict[str, Any]


@dataclass(frozen=True, kw_only=True, slots=True)
class BoxProject:
    """A compose project made ready for the box."""

    directory: str  # the project's folder
    config: Config = field(default_factory=dict)
    networks: tuple[Network, ...] = ()  # to create before: the project expects them
    volumes: tuple[str, ...] = ()  # likewise
    folders: tuple[str, ...] = ()  # of the host that services mount; created where they are missing
    files: tuple[str, ...] = ()  # of the host: configs and secrets
    addresses: Addresses = DEFAULT_ADDRESSES
    meminfo: str = ""  # the text of /proc/meminfo
    remarks: tuple[str, ...] = ()


class _Remarks:
    """Remarks in the order of their first subject, with all subjects of the same remark."""

    def __init__(self) -> None:
        self._subjects: dict[str, list[str]] = {}

    def add(self, subject: str, text: str) -> None:
        self._subjects.setdefault(text, []).append(subject)

    def sentences(self) -> tuple[str, ...]:
        return tuple(
            f"{', '.join(dict.fromkeys(subjects))}: {text}"
            for text, subjects in self._subjects.items()
        )


def prepare_project(
    resolved: Mapping[str, Any], *, directory: str, machine_bytes: int, architecture: str
) -> BoxProject:
    """Return the project as it starts in a box that stands for a machine with `machine_bytes`.

    `architecture` is the engine's: "amd64", "arm64".
    """
    config: Config = copy.deepcopy(dict(resolved))
    services: dict[str, Config] = config.get("services") or {}
    remarks = _Remarks()
    references = box_references(image_of(config, name) for name in services)
    hosts: dict[str, str] = {}
    for name, service in services.items():
        image = image_of(config, name)
        service["image"] = references.get(image, image)
        _remove_what_reaches_outside(name, service, architecture, remarks)
        _publish_on_loopback(name, service, hosts, remarks)
        _redirect_sockets(name, service, remarks)
        _bind_recursively(service)
        _show_the_machines_memory(service, machine_bytes)
    for key, network in (config.get("networks") or {}).items():
        _replace_network_driver(key, network, remarks)
    for key, volume in (config.get("volumes") or {}).items():
        _replace_volume_driver(key, volume, remarks)
    networks = stand_in_networks(config)
    return BoxProject(
        directory=directory,
        config=config,
        networks=networks,
        volumes=_external_volumes(config),
        folders=_folders(config),
        files=_files(config),
        addresses=choose_addresses(project_subnets(config, networks)),
        meminfo=meminfo_text(machine_bytes),
        remarks=remarks.sentences(),
    )


def raise_oom_scores(config: Config, shift: int) -> Config:
    """Return the project with every service's OOM score raised, up to the kernel's highest."""
    services: dict[str, Config] = config.get("services") or {}
    raised = {
        name: {**service, "oom_score_adj": min(1000, int(service.get("oom_score_adj", 0)) + shift)}
        for name, service in services.items()
    }
    return {**config, "services": raised}


def image_of(config: Mapping[str, Any], service: str) -> str:
    """Return the service's image; one that names none has the image that compose would build."""
    return str(config["services"][service].get("image") or f"{config['name']}-{service}")


def box_references(images: Iterable[str]) -> dict[str, str]:
    """Map images given by digest or id to the tags by which the box knows them.

    `docker load` knows tags only. "web:1@sha256:…" is web:1, unless another image has that tag.
    """
    distinct = tuple(dict.fromkeys(images))
    references: dict[str, str] = {}
    for image in distinct:
        match = _DIGEST.fullmatch(image)
        if match is None:
            continue
        name = match["name"] or "onegig/image"
        tagged = ":" in name.rpartition("/")[2]
        tag = name if tagged else f"{name}:sha256-{match['hex'][:12]}"
        if tag in distinct or tag in references.values():
            tag = f"{tag}-{match['hex'][:12]}"
        references[image] = tag
    return references


def _remove_what_reaches_outside(
    name: str, service: Config, architecture: str, remarks: _Remarks
) -> None:
    """Remove what needs a registry, a plugin or a place outside the box."""
    for key in ("build", "develop", "pull_policy"):
        service.pop(key, None)
    if service.pop("cgroup_parent", None):
        remarks.add(name, "cgroup_parent does not apply in the box.")
    platform = service.pop("platform", None)
    if platform and platform.split("/")[1:2] != [architecture]:
        remarks.add(name, f"its platform is {platform}, this machine's is {architecture}.")
    driver = (service.get("logging") or {}).get("driver")
    if driver and driver not in LOG_DRIVERS:
        del service["logging"]
        remarks.add(name, f"the box logs to json-file instead of {driver}.")


def _publish_on_loopback(
    name: str, service: Config, hosts: dict[str, str], remarks: _Remarks
) -> None:
    """Give ports on an address of the machine, which the box lacks, a loopback address each."""
    for port in service.get("ports") or ():
        host = str(port.get("host_ip") or "")
        if host and not host.startswith(LOOPBACK):
            port["host_ip"] = hosts.setdefault(host, f"127.0.1.{len(hosts) + 1}")
            remarks.add(name, f"ports on {host} are on a loopback address in the box.")


def _redirect_sockets(name: str, service: Config, remarks: _Remarks) -> None:
    """Make a bind mount of an engine's socket one of the box's own engine's."""
    for mount in _binds(service):
        source = str(mount["source"])
        if os.path.basename(source) in SOCKET_NAMES:  # noqa: PTH119 - a text, not a file here
            mount["source"] = ENGINE_SOCKET
            remarks.add(name, f"{source} is the socket of the box's own engine.")
        elif ":" in source:  # compose would hand such a path on as SOURCE:TARGET
            mount["bind"] = {**(mount.get("bind") or {}), "create_host_path": False}


def _bind_recursively(service: Config) -> None:
    """Let no bind mount leave out what is mounted below its source.

    What the box mounts over parts of /proc and /sys keeps the stack from writing there.
    """
    for mount in _binds(service):
        if (mount.get("bind") or {}).get("recursive") == "disabled":
            del mount["bind"]["recursive"]


def _show_the_machines_memory(service: Config, machine_bytes: int) -> None:
    """Let programs see the machine's memory: in /proc/meminfo and as the limit of their cgroup."""
    mounts: list[Config] = service.get("volumes") or []
    targets = {str(mount.get("target", "")).rstrip("/") for mount in mounts}
    if not targets & {"/proc", MEMINFO}:
        shown = {"type": "bind", "source": MEMINFO_FILE, "target": MEMINFO, "read_only": True}
        service["volumes"] = [*mounts, shown]
    resources: Config = (service.get("deploy") or {}).get("resources") or {}
    limits: Config = resources.get("limits", {})
    reservations: Config = resources.get("reservations") or {}
    reserved = max(_bytes(service, "mem_reservation"), _bytes(reservations, "memory"))
    most = max(machine_bytes, reserved)  # the engine refuses a limit below the reservation
    limit = _bytes(limits, "memory") or _bytes(service, "mem_limit")
    if limit:
        for holder, key in ((limits, "memory"), (service, "mem_limit")):
            if _bytes(holder, key) > most:
                holder[key] = str(most)
    elif _bytes(service, "memswap_limit") <= 0:  # the engine refuses it without a limit
        holder, key = (limits, "memory") if "limits" in resources else (service, "mem_limit")
        holder[key] = str(most)


def _replace_network_driver(key: str, network: Config | None, remarks: _Remarks) -> None:
    """Make a bridge of a network that needs an interface, a swarm or a plugin."""
    if not network or network.get("external"):
        return
    driver = network.get("driver") or ""
    ipam: Config = network.get("ipam") or {}
    if ipam.get("driver", "default") != "default":
        remarks.add(f"network {key}", f"the box assigns addresses itself, not {ipam['driver']}.")
        network["ipam"] = {"config": ipam.get("config") or []}
    if driver not in NETWORK_DRIVERS:
        network["driver"] = "bridge"
        network.pop("driver_opts", None)
        remarks.add(f"network {key}", f"the box has a bridge instead of {driver}.")


def _replace_volume_driver(key: str, volume: Config | None, remarks: _Remarks) -> None:
    """Make a plain volume of one that needs a server, a device or a plugin.

    One that binds a folder binds it with all that is mounted below it, as a service's mounts do.
    """
    if not volume or volume.get("external"):
        return
    options: Config = volume.get("driver_opts") or {}
    driver = volume.get("driver") or "local"
    if driver == "local" and _is_bind(options):
        flags = str(options["o"]).split(",")
        options["o"] = ",".join("rbind" if flag == "bind" else flag for flag in flags)
        options["device"] = _from_root(str(options["device"]))
        return
    if driver == "local" and (not options or options.get("type") == "tmpfs"):
        return
    volume.pop("driver", None)
    volume.pop("driver_opts", None)
    kind = driver if driver != "local" else options.get("type") or "one with options"
    remarks.add(f"volume {key}", f"the box has an empty local volume instead of {kind}.")


def _external_volumes(config: Config) -> tuple[str, ...]:
    volumes = (config.get("volumes") or {}).values()
    return tuple(dict.fromkeys(v["name"] for v in volumes if v and v.get("external")))


def _folders(config: Config) -> tuple[str, ...]:
    """Return the host's paths that services and volumes bind, in order, without the box's own."""
    mounts = [mount for service in config.get("services", {}).values() for mount in _binds(service)]
    volumes = [volume for volume in (config.get("volumes") or {}).values() if volume]
    options = [volume.get("driver_opts") or {} for volume in volumes]
    paths = [str(mount["source"]) for mount in mounts]
    paths += [str(option["device"]) for option in options if _is_bind(option)]
    own = (ENGINE_SOCKET, MEMINFO_FILE)
    return tuple(dict.fromkeys(p for p in paths if p.startswith("/") and p not in own))


def _files(config: Config) -> tuple[str, ...]:
    files = [
        str(item["file"])
        for kind in ("configs", "secrets")
        for item in (config.get(kind) or {}).values()
        if item and item.get("file")
    ]
    return tuple(dict.fromkeys(files))


def _binds(service: Config) -> list[Config]:
    mounts: list[Config] = service.get("volumes") or []
    return [mount for mount in mounts if mount.get("type") == "bind" and mount.get("source")]


def _is_bind(options: Config) -> bool:
    """Return whether a local volume's driver_opts make it a bind mount."""
    flags = str(options.get("o") or "").split(",")
    return bool(options.get("device")) and not {"bind", "rbind"}.isdisjoint(flags)


def _from_root(path: str) -> str:
    """Return a path as the box's engine, which runs in the root, understands it."""
    return path if path.startswith("/") else os.path.normpath(f"/{path}")


def _bytes(holder: Config, key: str) -> int:
    return int(holder.get(key) or 0)
