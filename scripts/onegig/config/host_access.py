"""Services with access to the machine they run on, according to the resolved compose project.

Neither plain Docker nor the box is a boundary for these. Other bind mounts, wherever they lie, are
no reason: the box shows them copy-on-write.
"""

import os.path
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from onegig.model.stack import HostAccess

Config = Mapping[str, Any]
RealPath = Callable[[str], str]

FOREIGN = "container:"  # before the name of a container that is not the project's
NAMESPACES = ("network_mode", "pid", "ipc", "uts", "userns_mode", "cgroup")
# https://docs.docker.com/engine/containers/run/#runtime-privilege-and-linux-capabilities
DEFAULT_CAPABILITIES = (
    *("AUDIT_WRITE", "CHOWN", "DAC_OVERRIDE", "FOWNER", "FSETID", "KILL", "MKNOD"),
    *("NET_BIND_SERVICE", "NET_RAW", "SETFCAP", "SETGID", "SETPCAP", "SETUID", "SYS_CHROOT"),
)
SOCKETS = (
    *("docker.sock", "docker.raw.sock", "containerd.sock", "containerd.sock.ttrpc"),
    *("podman.sock", "buildkitd.sock", "crio.sock"),
)
SOCKET_FOLDERS = ("docker", "containerd", "podman", "buildkit", "crio", "user")  # in /run
BOX_FOLDER = "/.onegig"  # in it, the data of the box's engine
HARMLESS_DEVICES = ("/dev/null", "/dev/zero", "/dev/full", "/dev/random", "/dev/urandom")
KERNEL_FOLDERS = ("/proc", "/sys", "/dev")
RUN_FOLDERS = ("/run", "/var/run")
FILE_SYSTEMS = ("", "none", "tmpfs", "nfs", "nfs4", "cifs")  # that lead to no kernel and no disk


def find_host_access(
    config: Config, real_path: RealPath = os.path.realpath
) -> tuple[HostAccess, ...]:
    """Return each service's requests for access to the machine, in the file's order.

    `config` is what `docker compose config` resolves, with single dollars. Paths count by their own
    name and by what symbolic links make of them.
    """
    services: Config = config.get("services") or {}
    reasons_of = {
        name: dict.fromkeys(_reasons(service or {}, config, real_path))
        for name, service in services.items()
    }
    for _ in services:  # what is shared may be shared again
        for name, service in services.items():
            shared = _shared(service or {})
            reasons_of[name] |= dict.fromkeys(
                reason
                for reason, other in shared
                if other.startswith(FOREIGN) or reasons_of.get(other)
            )
    return tuple(
        HostAccess(service=name, reason=reason)
        for name, reasons in reasons_of.items()
        for reason in reasons
    )


def _shared(service: Config) -> Iterator[tuple[str, str]]:
    """Yield the namespaces that a service shares, and with which service (or FOREIGN container)."""
    for text in map(str, service.get("volumes_from") or ()):
        yield f"volumes_from: {text}", text if text.startswith(FOREIGN) else text.partition(":")[0]
    for key in NAMESPACES:
        value = str(service.get(key) or "")
        if value.startswith(("service:", FOREIGN)):
            yield f"{key}: {value}", value.removeprefix("service:")


def _reasons(service: Config, config: Config, real_path: RealPath) -> Iterator[str]:
    if _is_true(service.get("privileged")):
        yield "privileged: true"
    yield from _devices(service)
    yield from _namespaces(service, config)
    for text in service.get("cap_add") or ():
        if str(text).upper().removeprefix("CAP_") not in DEFAULT_CAPABILITIES:
            yield f"cap_add: {text}"
    yield from (
        f"security_opt: {text}"
        for text in map(str, service.get("security_opt") or ())
        if _switches_off(text)
    )
    yield from _programs(service)
    yield from (
        f"driver_opts.type: {options['type']}"
        for options in _driver_options(service, config)
        if str(options.get("type") or "") not in FILE_SYSTEMS
    )
    yield from (
        f"mounts {path}"
        for path in _mounted(service, config)
        if any(_reaches(entry) for entry in (os.path.normpath(path), real_path(path)))
    )
    yield from _build(service.get("build") or {})


def _devices(service: Config) -> Iterator[str]:
    for device in service.get("devices") or ():
        source = device.get("source") if isinstance(device, Mapping) else device.split(":")[0]
        yield f"devices: {source}"
    for rule in service.get("device_cgroup_rules") or ():
        yield f"device_cgroup_rules: {rule}"
    resources: Config = (service.get("deploy") or {}).get("resources") or {}
    if service.get("gpus") or (resources.get("reservations") or {}).get("devices"):
        yield "gpus"


def _namespaces(service: Config, config: Config) -> Iterator[str]:
    yield from (f"{key}: host" for key in NAMESPACES if service.get(key) == "host")
    networks: Config = config.get("networks") or {}
    for key in service.get("networks") or ():
        network: Config = networks.get(key) or {}
        if "host" in (network.get("name"), network.get("driver")):
            yield "network_mode: host"


def _switches_off(option: str) -> bool:
    """Return whether a security option takes a protection away that Docker gives by default."""
    key, _, value = option.replace("=", ":", 1).partition(":")
    match key:
        case "seccomp":
            return value != "builtin"  # a profile of one's own may allow anything
        case "apparmor":
            return value != "docker-default"  # a profile of the machine may allow anything
        case "systempaths":
            return value == "unconfined"
        case "label":
            return value == "disable" or value.startswith("type:")
        case "writable-cgroups":
            return value == "true"
    return False


def _programs(service: Config) -> Iterator[str]:
    """Yield programs that run on the machine itself, or next to the service with more rights."""
    if service.get("runtime") not in (None, "", "runc"):
        yield f"runtime: {service['runtime']}"
    if service.get("provider"):
        yield f"provider: {service['provider'].get('type')}"
    if service.get("use_api_socket"):
        yield "use_api_socket: true"
    for key in ("post_start", "pre_stop"):
        if any(_is_true(hook.get("privileged")) for hook in service.get(key) or ()):
            yield f"{key}: privileged: true"


def _mounted(service: Config, config: Config) -> Iterator[str]:
    """Yield the paths of the machine that the service sees, by whichever way they are mounted."""
    for mount in service.get("volumes") or ():
        source = str(mount.get("source") or "")
        if mount.get("type") != "volume" and source.startswith("/"):
            yield source
    for options in _driver_options(service, config):
        if options.get("device"):
            yield os.path.join("/", str(options["device"]))  # noqa: PTH118 - the engine runs in /
    for kind in ("configs", "secrets"):
        files: Config = config.get(kind) or {}
        for item in service.get(kind) or ():
            name = str(item.get("source") if isinstance(item, Mapping) else item)
            file = (files.get(name) or {}).get("file")
            if file:
                yield str(file)


def _driver_options(service: Config, config: Config) -> Iterator[Config]:
    """Yield the driver_opts of the volumes that the service mounts."""
    volumes: Config = config.get("volumes") or {}
    for mount in service.get("volumes") or ():
        if mount.get("type") == "volume":
            yield (volumes.get(mount.get("source") or "") or {}).get("driver_opts") or {}


def _reaches(path: str) -> bool:
    """Return whether an absolute path leads to the kernel, a device or an engine."""
    path = f"/{path.lstrip('/')}"  # POSIX leaves two slashes at the beginning alone
    parts = path.split("/")
    if path in (*HARMLESS_DEVICES, *(f"{folder}/shm" for folder in ("/dev", "/run"))):
        return False
    if path in ("/", *RUN_FOLDERS) or parts[-1] in SOCKETS:
        return True
    in_run = next((path[len(f) + 1 :] for f in RUN_FOLDERS if path.startswith(f"{f}/")), "")
    if in_run.split("/")[0] in SOCKET_FOLDERS:
        return True
    return any(path == f or path.startswith(f"{f}/") for f in (*KERNEL_FOLDERS, BOX_FOLDER))


def _build(build: Config) -> Iterator[str]:
    if _is_true(build.get("privileged")):
        yield "build.privileged: true"
    for entitlement in build.get("entitlements") or ():
        yield f"build.entitlements: {entitlement}"
    if build.get("network") == "host":
        yield "build.network: host"
    if build.get("ssh"):
        yield "build.ssh"


def _is_true(value: object) -> bool:
    return str(value).lower() == "true"
