"""Engines that a stack can be booted under, and how Docker is tuned to take less."""

from enum import StrEnum


class EngineKind(StrEnum):
    """Engines of the machine that a stack is booted on."""

    DOCKER = "docker"  # as it is
    TUNED = "docker-tuned"  # with TUNED_SETTINGS and TUNED_ENVIRONMENT
    PODMAN = "podman"  # conmon and crun, behind Podman's Docker-compatible socket
    PODMAN_RUNC = "podman-runc"  # the same with runc

    @property
    def is_podman(self) -> bool:
        """Return whether it only runs on a machine with systemd, which starts health checks."""
        return self in (EngineKind.PODMAN, EngineKind.PODMAN_RUNC)

    @property
    def runtime(self) -> str:
        """Return the program that starts the containers."""
        return "crun" if self is EngineKind.PODMAN else "runc"


# Keys of /etc/docker/daemon.json: no process for each published port, container logs that are
# compressed and bounded, and containers that outlive a restart of the engine. (containerd runs
# without its CRI plugin wherever dockerd starts it.)
TUNED_SETTINGS: dict[str, bool | str] = {
    "userland-proxy": False,
    "log-driver": "local",
    "live-restore": True,
}
# Go collects garbage once the heap has grown by so many percent (https://pkg.go.dev/runtime),
# in dockerd, containerd and the shims, which inherit it.
TUNED_ENVIRONMENT = {"GOGC": "20"}


def engine_options(kind: EngineKind) -> tuple[str, ...]:
    """Return dockerd's options for that engine."""
    if kind is not EngineKind.TUNED:
        return ()
    values = {key: str(value).lower() for key, value in TUNED_SETTINGS.items()}
    return tuple(f"--{key}={value}" for key, value in values.items())


def engine_environment(kind: EngineKind) -> dict[str, str]:
    """Return the environment of dockerd, and of all that it starts, for that engine."""
    return TUNED_ENVIRONMENT if kind is EngineKind.TUNED else {}
