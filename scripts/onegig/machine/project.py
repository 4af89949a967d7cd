"""The compose project as the box runs it: changed if a box has something else than a machine.

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
    folders: tuple[str, ...] = ()  # of the host that services mount; created if they are missing
    files: tuple[str, ...] = ()  # of the host: configs and secrets
    addresses: Addresses = DEFAULT_ADDRESSES
    meminfo: str = ""  # the text of /proc/meminfo
    remarks: tuple[str, ...] = ()


def prepare_project(
    resolved: Mapping[str, Any], *, directory: str, machine_bytes: int, architecture: str
) -> BoxProject:
    """Return the project as it starts in a box that stands for a machine with `machine_bytes`.

    0: the machine is a real one, which shows its own memory. `architecture` is the engine's:
    "amd64", "arm64".
    """
    preparation = _Preparation(resolved, machine_bytes, architecture)
    preparation.change()
    config = preparation.config
    networks = stand_in_networks(config)
    items = [item for kind in ("configs", "secrets") for item in (config.get(kind) or {}).values()]
    volumes = [volume for volume in (config.get("volumes") or {}).values() if volume]
    return BoxProject(
        directory=directory,
        config=config,
        networks=networks,
        volumes=_distinct(volume["name"] for volume in volumes if volume.get("external")),
        folders=_folders(config, volumes),
        files=_distinct(str(item["file"]) for item in items if item and item.get("file")),
        addresses=choose_addresses(project_subnets(config, networks)),
        meminfo=meminfo_text(machine_bytes),
        remarks=preparation.remarks(),
    )


class _Preparation:
    """A project on its way into the box, and the remarks: each with the subjects it is about."""

    def __init__(self, resolved: Mapping[str, Any], machine_bytes: int, architecture: str) -> None:
        self.config: Config = copy.deepcopy(dict(resolved))
        self.machine_bytes = machine_bytes
        self.architecture = architecture
        self._remarks: dict[str, list[str]] = {}
        self._addresses: dict[str, str] = {}  # of the box, by the machine's

    def remarks(self) -> tuple[str, ...]:
        """Return the remarks in the order of their first subject."""
        return tuple(
            f"{', '.join(dict.fromkeys(subjects))}: {text}"
            for text, subjects in self._remarks.items()
        )

    def change(self) -> None:
        """Change everything that a box has differently from a machine."""
        services: dict[str, Config] = self.config.get("services") or {}
        for name, service in services.items():  # what compose would call an image without a name
            service["image"] = str(service.get("image") or f"{self.config['name']}-{name}")
        references = box_references(service["image"] for service in services.values())
        for name, service in services.items():
            service["image"] = references.get(service["image"], service["image"])
            self._remove_what_reaches_outside(name, service)
            self._publish_on_loopback(name, service)
            self._redirect_binds(name, service)
            if self.machine_bytes:
                self._show_memory(service)
                _limit_tmpfs(service, self.machine_bytes)
        for key, network in (self.config.get("networks") or {}).items():
            if network and not network.get("external"):
                self._replace_network_driver(f"network {key}", network)
        for key, volume in (self.config.get("volumes") or {}).items():
            if volume and not volume.get("external"):
                self._replace_volume_driver(f"volume {key}", volume)
                options = volume.get("driver_opts") or {}
                if self.machine_bytes and options.get("type") == "tmpfs" and not _is_bind(options):
                    options["o"] = limit_tmpfs(str(options.get("o") or ""), self.machine_bytes)

    def _remark(self, subject: str, text: str) -> None:
        self._remarks.setdefault(text, []).append(subject)

    def _remove_what_reaches_outside(self, name: str, service: Config) -> None:
        """Remove keys that need a registry, a plugin or a place outside the box."""
        for key in ("build", "develop", "pull_policy"):
            service.pop(key, None)
        if service.pop("cgroup_parent", None):
            self._remark(name, "cgroup_parent is ignored in the box.")
        platform, own = service.pop("platform", None), self.architecture
        if platform and platform.split("/")[1:2] != [own]:
            self._remark(name, f"its platform is {platform}, this machine's is {own}.")
        driver = (service.get("logging") or {}).get("driver")
        if driver and driver not in LOG_DRIVERS:
            del service["logging"]
            self._remark(name, f"the box logs to json-file instead of {driver}.")

    def _publish_on_loopback(self, name: str, service: Config) -> None:
        """Publish ports on a loopback address if they are on an address that the box lacks."""
        for port in service.get("ports") or ():
            host = str(port.get("host_ip") or "")
            if host and not host.startswith(LOOPBACK):
                address = f"127.0.1.{len(self._addresses) + 1}"
                port["host_ip"] = self._addresses.setdefault(host, address)
                self._remark(name, f"ports on {host} are on a loopback address in the box.")

    def _redirect_binds(self, name: str, service: Config) -> None:
        """Replace bind mounts of an engine's socket by the box's own engine's.

        No bind mount may leave out what is mounted below its source: what the box mounts over parts
        of /proc and /sys keeps the stack from writing there.
        """
        for mount in _binds(service):
            source = str(mount["source"])
            if os.path.basename(source) in SOCKET_NAMES:  # noqa: PTH119 - a text, not a file here
                mount["source"] = ENGINE_SOCKET
                self._remark(name, f"{source} is the socket of the box's own engine.")
            elif ":" in source:  # compose would hand such a path on as SOURCE:TARGET
                mount["bind"] = {**(mount.get("bind") or {}), "create_host_path": False}
            if (mount.get("bind") or {}).get("recursive") == "disabled":
                del mount["bind"]["recursive"]

    def _show_memory(self, service: Config) -> None:
        """Show services the machine's memory, in /proc/meminfo and as their cgroup's limit."""
        mounts: list[Config] = service.get("volumes") or []
        targets = {str(mount.get("target", "")).rstrip("/") for mount in mounts}
        if not targets & {"/proc", MEMINFO}:
            shown = {"type": "bind", "source": MEMINFO_FILE, "target": MEMINFO, "read_only": True}
            service["volumes"] = [*mounts, shown]
        resources: Config = (service.get("deploy") or {}).get("resources") or {}
        limits: Config = resources.get("limits", {})
        reservations: Config = resources.get("reservations") or {}
        reserved = max(_bytes(service, "mem_reservation"), _bytes(reservations, "memory"))
        most = max(self.machine_bytes, reserved)  # the engine refuses less than the reservation
        holders = ((limits, "memory"), (service, "mem_limit"))
        if any(_bytes(*holder) for holder in holders):
            for holder, key in holders:
                if _bytes(holder, key) > most:
                    holder[key] = str(most)
        elif _bytes(service, "memswap_limit") <= 0:  # the engine refuses it without a limit
            holder, key = holders[0 if "limits" in resources else 1]
            holder[key] = str(most)

    def _replace_network_driver(self, subject: str, network: Config) -> None:
        """Replace a network that needs an interface, a swarm or a plugin by a bridge."""
        driver = network.get("driver") or ""
        ipam: Config = network.get("ipam") or {}
        if ipam.get("driver", "default") != "default":
            self._remark(subject, f"the box assigns addresses itself, not {ipam['driver']}.")
            network["ipam"] = {"config": ipam.get("config") or []}
        if driver not in NETWORK_DRIVERS:
            network["driver"] = "bridge"
            network.pop("driver_opts", None)
            self._remark(subject, f"the box has a bridge instead of {driver}.")

    def _replace_volume_driver(self, subject: str, volume: Config) -> None:
        """Replace a volume that needs a server, a device or a plugin by a plain one.

        One that binds a folder binds it with all that is mounted below it, as services' mounts do.
        """
        options: Config = volume.get("driver_opts") or {}
        driver = volume.get("driver") or "local"
        if driver == "local" and _is_bind(options):
            flags = str(options["o"]).split(",")
            options["o"] = ",".join("rbind" if flag == "bind" else flag for flag in flags)
            device = str(options["device"])  # the box's engine runs in the root
            options["device"] = device if device[0] == "/" else os.path.normpath(f"/{device}")
        elif driver != "local" or (options and options.get("type") != "tmpfs"):
            volume.pop("driver", None)
            volume.pop("driver_opts", None)
            kind = driver if driver != "local" else options.get("type") or "one with options"
            self._remark(subject, f"the box has an empty local volume instead of {kind}.")


def _limit_tmpfs(service: Config, machine_bytes: int) -> None:
    """Give each tmpfs without a size the one that it has on the machine."""
    mounts = service.get("tmpfs") or []
    paths = (mount.partition(":") for mount in ([mounts] if isinstance(mounts, str) else mounts))
    sized = [f"{path}:{limit_tmpfs(options, machine_bytes)}" for path, _, options in paths]
    if sized:
        service["tmpfs"] = sized
    for volume in service.get("volumes") or ():
        if volume["type"] == "tmpfs" and not (volume.get("tmpfs") or {}).get("size"):
            volume["tmpfs"] = {**(volume.get("tmpfs") or {}), "size": str(machine_bytes // 2)}


def limit_tmpfs(options: str, machine_bytes: int) -> str:
    """Return a tmpfs's mount options with the size that they mean on a machine.

    Without one it is half of the memory, and a percentage is one of the memory (Linux,
    Documentation/filesystems/tmpfs.rst): the box's kernel would take those of its host.
    """
    flags = [flag for flag in options.split(",") if flag]
    sizes = [flag.removeprefix("size=") for flag in flags if flag.startswith("size=")]
    size = sizes[-1] if sizes else "50%"
    if not re.fullmatch(r"[0-9]+%", size):
        return options
    others = [flag for flag in flags if not flag.startswith("size=")]
    return ",".join([*others, f"size={machine_bytes * int(size[:-1]) // 100}"])


def raise_oom_scores(config: Config, shift: int) -> Config:
    """Return the project with every service's OOM score raised, up to the kernel's highest."""
    services: dict[str, Config] = config.get("services") or {}
    raised = {
        name: {**service, "oom_score_adj": min(1000, int(service.get("oom_score_adj", 0)) + shift)}
        for name, service in services.items()
    }
    return {**config, "services": raised}


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


def _folders(config: Config, volumes: Iterable[Config]) -> tuple[str, ...]:
    """Return the host's paths that services and volumes bind, in order, without the box's own."""
    services: dict[str, Config] = config.get("services") or {}
    options = [volume.get("driver_opts") or {} for volume in volumes]
    paths = [str(mount["source"]) for service in services.values() for mount in _binds(service)]
    paths += [str(option["device"]) for option in options if _is_bind(option)]
    own = (ENGINE_SOCKET, MEMINFO_FILE)
    return _distinct(path for path in paths if path.startswith("/") and path not in own)


def _distinct(names: Iterable[str]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(names))


def _binds(service: Config) -> list[Config]:
    mounts: list[Config] = service.get("volumes") or []
    return [mount for mount in mounts if mount.get("type") == "bind" and mount.get("source")]


def _is_bind(options: Config) -> bool:
    """Return whether a local volume's driver_opts make it a bind mount."""
    flags = str(options.get("o") or "").split(",")
    return bool(options.get("device")) and not {"bind", "rbind"}.isdisjoint(flags)


def _bytes(holder: Config, key: str) -> int:
    return int(holder.get(key) or 0)
