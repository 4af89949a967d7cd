"""Describe a request of a compose file that can reach the machine it runs on."""

from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True, slots=True)
class HostAccess:
    """One thing that a service asks for."""

    service: str
    reason: str  # "privileged: true", "mounts /var/run/docker.sock"
