"""Addresses of networks in the box: stand-ins for external ones, and the engine's own.

Pure. External networks exist on the machine, not in the box. A stand-in has a subnet where services
ask for fixed addresses; the engine's own networks keep out of every subnet of the project.
"""

from collections.abc import Iterable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from ipaddress import (
    IPv4Address,
    IPv4Network,
    IPv6Address,
    IPv6Network,
    ip_address,
    ip_network,
)
from typing import Any

ENGINE_NETWORKS = ("bridge", "host", "none")  # every engine has them
_PREFIXES = {4: (24, 16, 12, 8, 25, 26, 27, 28), 6: (64, 56, 48, 32, 16, 80, 96)}

AnyAddress = IPv4Address | IPv6Address
AnyNetwork = IPv4Network | IPv6Network


@dataclass(frozen=True, kw_only=True, slots=True)
class Subnet:
    """A subnet of a stand-in; addresses that nobody asks for come from `dynamic`."""

    subnet: str
    gateway: str
    dynamic: str | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class Network:
    """A stand-in for an external network; without subnets the engine chooses one."""

    name: str
    subnets: tuple[Subnet, ...] = ()

    @property
    def has_ipv6(self) -> bool:
        """Whether one of its subnets is of IPv6."""
        return any(":" in subnet.subnet for subnet in self.subnets)


@dataclass(frozen=True, kw_only=True, slots=True)
class Addresses:
    """Where the box's engine puts its default bridge (address/prefix) and new networks."""

    bridge: str
    pool: str


DEFAULT_ADDRESSES = Addresses(bridge="10.200.0.1/24", pool="10.201.0.0/16")


def stand_in_networks(config: Mapping[str, Any]) -> tuple[Network, ...]:
    """Return each external network of the project once, whatever number of keys name it."""
    keys: dict[str, list[str]] = {}
    for key, network in (config.get("networks") or {}).items():
        if network and network.get("external") and network["name"] not in ENGINE_NETWORKS:
            keys.setdefault(network["name"], []).append(key)
    fixed = {name: _fixed_addresses(config, used) for name, used in keys.items()}
    taken = _own_subnets(config)
    networks = []
    for name, addresses in fixed.items():
        foreign = [a for other, theirs in fixed.items() if other != name for a in theirs]
        subnets = []
        for version in (4, 6):
            asked = [address for address in addresses if address.version == version]
            if asked:
                subnet = _subnet_of(asked, foreign, taken)
                taken.append(subnet)
                subnets.append(_describe(subnet, asked))
        networks.append(Network(name=name, subnets=tuple(subnets)))
    return tuple(networks)


def project_subnets(
    config: Mapping[str, Any], stand_ins: Iterable[Network]
) -> tuple[AnyNetwork, ...]:
    """Return every subnet that the project's networks and the stand-ins have."""
    given = [ip_network(subnet.subnet) for network in stand_ins for subnet in network.subnets]
    return (*_own_subnets(config), *given)


def choose_addresses(subnets: Iterable[AnyNetwork]) -> Addresses:
    """Return the first addresses for the engine that overlap none of the subnets."""
    taken = tuple(subnets)
    for addresses in _candidates():
        ours = (ip_network(addresses.bridge, strict=False), ip_network(addresses.pool))
        if not any(_overlap(own, other) for own in ours for other in taken):
            return addresses
    return DEFAULT_ADDRESSES


def _candidates() -> Iterator[Addresses]:
    yield DEFAULT_ADDRESSES
    for number in range(202, 254, 2):
        yield Addresses(bridge=f"10.{number}.0.1/24", pool=f"10.{number + 1}.0.0/16")
    for number in range(30, 16, -2):
        yield Addresses(bridge=f"172.{number}.0.1/24", pool=f"172.{number + 1}.0.0/16")
    yield Addresses(bridge="192.168.127.1/24", pool="192.168.128.0/17")


def _own_subnets(config: Mapping[str, Any]) -> list[AnyNetwork]:
    """Return the subnets that the project gives its networks, as far as they are valid."""
    subnets = []
    for network in (config.get("networks") or {}).values():
        for entry in ((network or {}).get("ipam") or {}).get("config") or ():
            with suppress(ValueError):  # compose refuses it later, in its own words
                subnets.append(ip_network(str(entry.get("subnet")), strict=False))
    return subnets


def _fixed_addresses(config: Mapping[str, Any], keys: Iterable[str]) -> list[AnyAddress]:
    """Return the addresses that services ask for on the networks of these keys."""
    addresses = []
    for service in (config.get("services") or {}).values():
        networks = service.get("networks") or {}
        for key in keys:
            attached = networks.get(key) or {}
            for field in ("ipv4_address", "ipv6_address"):
                with suppress(ValueError):
                    addresses.append(ip_address(str(attached.get(field))))
    return addresses


def _subnet_of(
    addresses: list[AnyAddress], foreign: Iterable[AnyAddress], taken: Iterable[AnyNetwork]
) -> AnyNetwork:
    """Return the smallest usual subnet with all addresses, free of other networks if there is."""
    sizes = _PREFIXES[addresses[0].version]
    subnets = [ip_network((addresses[0], size), strict=False) for size in sizes]
    holding = [subnet for subnet in subnets if all(_is_usable(a, subnet) for a in addresses)]
    free = [
        subnet
        for subnet in holding
        if not any(address in subnet for address in foreign)
        and not any(_overlap(subnet, other) for other in taken)
    ]
    return (free or holding or [ip_network((addresses[0], 0), strict=False)])[0]


def _is_usable(address: AnyAddress, subnet: AnyNetwork) -> bool:
    return address in subnet and address not in (subnet[0], subnet[-1])


def _describe(subnet: AnyNetwork, fixed: list[AnyAddress]) -> Subnet:
    gateway = next(host for host in subnet.hosts() if host not in fixed)
    return Subnet(subnet=str(subnet), gateway=str(gateway), dynamic=_dynamic_part(subnet, fixed))


def _dynamic_part(subnet: AnyNetwork, fixed: list[AnyAddress]) -> str | None:
    """Return a part without fixed addresses: a container that starts early must not get one."""
    for larger in (1, 2, 3):
        for part in reversed([*subnet.subnets(prefixlen_diff=larger)]):
            if not any(address in part for address in fixed):
                return str(part)
    return None


def _overlap(one: AnyNetwork, other: AnyNetwork) -> bool:
    return one.version == other.version and one.overlaps(other)
