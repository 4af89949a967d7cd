"""Engines of the guest: their systemd units, their files, and the project as they take it.

Podman has no engine that stays: systemd starts its API when a client connects, and the API ends
when it has been idle (podman-system-service(1)). A user's machine is set up by the same units.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from ipaddress import ip_interface
from typing import Any

from onegig.errors import BootError
from onegig.machine.project import BoxProject
from onegig.machine.subnets import Addresses
from onegig.machine.twin import qemu
from onegig.model.engines import EngineKind, engine_environment, engine_options

NOT_INSTALLED = 127  # exit code of a shell
CONTAINERS_CONF = "containers.conf"
_START_INTERVAL = "start_interval is ignored: docker compose refuses it for Podman."
_LOG_DRIVER = "the twin logs to json-file instead of {}, which Podman does not have."
_LOG_DRIVERS = ("none", "json-file")  # of Podman's, those that are Docker's


@dataclass(frozen=True, kw_only=True, slots=True)
class GuestEngine:
    """An engine as the guest runs it."""

    kind: EngineKind
    units: tuple[str, ...]  # of systemd, to start
    files: tuple[str, ...]  # of ours, on the data disk
    data_root: str
    service: str  # the unit whose journal tells why it did not start
    program: str = ""  # that the guest must have; "": it is on the data disk

    @property
    def start_command(self) -> str:
        """Return the command that starts it, now and with the machine; 127: it is missing."""
        check = (
            f"command -v {self.program} >/dev/null || exit {NOT_INSTALLED}; "
            if self.program
            else ""
        )
        return f"{check}touch /onegig/engine; systemctl start {' '.join(self.units)}"

    @property
    def journal_command(self) -> str:
        """Return the command that prints the end of its log."""
        return f"journalctl -b -n 25 -u {self.service} --no-pager -o cat"

    @property
    def kill_command(self) -> str:
        """Return the command that kills it and all containers at once, by their cgroups."""
        names = (self.service, "docker-*.scope", "libpod-*.scope")
        tests = " -o ".join(f"-path '*/{name}/cgroup.kill'" for name in names)
        return f"find /sys/fs/cgroup {tests} | while read -r file; do echo 1 >$file; done"

    @property
    def rest_command(self) -> str:
        """Return the command that waits for the end of its temporary processes; "" without any."""
        if not self.kind.is_podman:
            return ""
        return f"while systemctl is-active --quiet {self.service}; do sleep 0.5; done"

    def failure(self, code: int, journal: str) -> BootError:
        """Return the error for a start command that ended with that code."""
        command = f"systemctl start {self.service}"
        if code == NOT_INSTALLED:
            return BootError(
                f"the twin's image has no {self.program}",
                command=command,
                advice="install podman, catatonit and aardvark-dns in it, or remove `twin.image`",
            )
        return BootError(
            "the engine inside the twin did not start",
            command=command,
            advice="check its log above; this host's engine may need another C library "
            "than the guest has",
            detail=journal,
        )

    def settings(self) -> dict[str, str]:
        """Return its part of the guest's settings, see guest.sh."""
        return {
            "UNITS": " ".join(self.units),
            "DATA_ROOT": self.data_root,
            "ENGINE_OPTIONS": " ".join(engine_options(self.kind)),
            **engine_environment(self.kind),
        }


def guest_engine(kind: EngineKind) -> GuestEngine:
    """Return the engine of that kind."""
    if kind.is_podman:
        return GuestEngine(
            kind=kind,
            units=("podman-api.socket", "podman.socket", "podman-restart.service"),
            files=("podman-api.socket", "podman-api.service", "podman-restart.conf"),
            data_root="/var/lib/containers/storage",
            service="podman-api.service",
            program="podman",
        )
    return GuestEngine(
        kind=kind,
        units=("docker.service",),
        files=("docker.service",),
        data_root="/var/lib/docker",
        service="docker.service",
    )


def containers_conf(kind: EngineKind, addresses: Addresses) -> str:
    """Return Podman's configuration, see containers.conf(5)."""
    return f"""\
[containers]
host_containers_internal_ip = "{qemu.OUTSIDE}"
[engine]
runtime = "{kind.runtime}"
[network]
default_subnet = "{ip_interface(addresses.bridge).network}"
default_subnet_pools = [{{"base" = "{addresses.pool}", "size" = 24}}]
"""


def adapt_project(project: BoxProject, kind: EngineKind) -> BoxProject:
    """Return the project as that engine takes it, with a remark for each change.

    Where no process listens at a port published on a loopback address, the load would not reach
    it: there it is published on all addresses.
    """
    if kind is EngineKind.DOCKER:
        return project
    services, remarks = dict[str, Any](), list[str]()
    for name, service in (project.config.get("services") or {}).items():
        changed = {**service, "ports": [_on_all_addresses(p) for p in service.get("ports") or ()]}
        if kind.is_podman:
            changed, texts = _for_podman(changed)
            remarks += [f"{name}: {text}" for text in texts]
        services[name] = changed
    return replace(
        project,
        config={**project.config, "services": services},
        remarks=(*project.remarks, *remarks),
    )


def _on_all_addresses(port: Mapping[str, Any]) -> dict[str, Any]:
    is_loopback = str(port.get("host_ip") or "").startswith("127.")
    return {key: value for key, value in port.items() if not (is_loopback and key == "host_ip")}


def _for_podman(service: dict[str, Any]) -> tuple[dict[str, Any], list[str]]:
    """Return a service without the keys that make it fail, and what is lost."""
    remarks = []
    check, driver = service.get("healthcheck") or {}, (service.get("logging") or {}).get("driver")
    if "start_interval" in check:
        check = {key: value for key, value in check.items() if key != "start_interval"}
        service = {**service, "healthcheck": check}
        remarks.append(_START_INTERVAL)
    if driver and driver not in _LOG_DRIVERS:
        service = {key: value for key, value in service.items() if key != "logging"}
        remarks.append(_LOG_DRIVER.format(driver))
    return service, remarks
