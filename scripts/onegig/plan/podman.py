"""Keys of a compose project that do not work under Podman's Docker-compatible API.

Each was tried with Podman 5.4.2 (API 1.41) and docker compose 2.40.3.
"""

from collections.abc import Callable, Iterator, Mapping
from typing import Any

from onegig.plan.shim import GROUP
from onegig.text import format_list

Config = Mapping[str, Any]
LOG_DRIVERS = ("json-file", "journald", "none")
NAMES_SHOWN = 3


def find_lacks(services: Mapping[str, Config]) -> tuple[str, ...]:
    """Return what the services ask for in vain, each key once with its services."""
    found = dict[str, list[str]]()
    for name, service in services.items():
        for text in _lacks(service):
            found.setdefault(text, []).append(name)
    return tuple(f"{text} ({format_list(names, NAMES_SHOWN)})" for text, names in found.items())


def _lacks(service: Config) -> Iterator[str]:
    for key, (is_asked, text) in _KEYS.items():
        if is_asked(service):
            yield f"{key} {text}"


def _asks_log_driver(service: Config) -> bool:
    driver = (service.get("logging") or {}).get("driver")
    return bool(driver) and driver not in LOG_DRIVERS


def _names_interfaces(service: Config) -> bool:
    networks = service.get("networks") or {}
    return any("interface_name" in (network or {}) for network in networks.values())


def _mounts_images(service: Config) -> bool:
    return any(each.get("type") == "image" for each in service.get("volumes") or ())


_KEYS: Mapping[str, tuple[Callable[[Config], bool], str]] = {
    "healthcheck.start_interval": (
        lambda service: "start_interval" in (service.get("healthcheck") or {}),
        "is refused: without it a service is not healthy before its interval is over",
    ),
    "logging.driver": (_asks_log_driver, "is refused, but for json-file, journald and none"),
    "links": (lambda service: bool(service.get("links")), "are refused: use names of services"),
    "storage_opt": (
        lambda service: bool(service.get("storage_opt")),
        "needs the storage on xfs with pquota",
    ),
    "volumes of type image": (_mounts_images, "are refused"),
    "networks.interface_name": (_names_interfaces, "is refused"),
    "annotations for shims": (
        lambda service: GROUP in (service.get("annotations") or {}),
        "have no effect",
    ),
}
