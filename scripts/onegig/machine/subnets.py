"""Addresses of networks in the box: stand-ins for external ones, and the engine's own.

Pure. External networks exist on the machine, not in the box. A stand-in has a subnet if services
ask for fixed addresses; the engine's own networks keep out of every subnet of the project.
"""

from collections.abc import Iterable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network
from typing import Any

ENGINE_NETWORKS = ("bridge", "host", "none")  # every engine has them
DYNAMIC_PREFIX = 96
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
        """Return whether one of its subnets is of IPv6."""
        return any(":" in subnet.subnet for subnet in self.subnets)


@dataclass(frozen=True, kw_only=True, slots=True)
class Addresses:
    """Addresses of the default bridge (address/prefix) and of new networks of the box's engine."""

    bridge: str
    pool: str


DEFAULT_ADDRESSES = Addresses(bridge="10.200.0.1/24", pool="10.201.0.0/16")


def stand_in_networks(config: Mapping[str, Any]) -> tuple[Network, ...]:
    """Return each external network of the project once, whatever number of keys name it."""
    fixed: dict[str, list[AnyAddress]] = {}
    for key, network in (config.get("networks") or {}).items():
        if network and network.get("external") and network["name"] not in ENGINE_NETWORKS:
            fixed.setdefault(network["name"], []).extend(_fixed_addresses(config, key))
    taken = list(project_subnets(config, ()))
    networks = []
    for name, addresses in fixed.items():
        foreign = [a for key, theirs in fixed.items() if key != name for a in theirs]
        subnets = []
        for version in (4, 6):
            asked = [address for address in addresses if address.version == version]
            if asked:
                taken.append(_subnet_of(asked, foreign, taken))
                subnets.append(_describe(taken[-1], asked))
        networks.append(Network(name=name, subnets=tuple(subnets)))
    return tuple(networks)


def project_subnets(
    config: Mapping[str, Any], stand_ins: Iterable[Network]
) -> tuple[AnyNetwork, ...]:
    """Return every valid subnet that the project's networks and the stand-ins have."""
    subnets = [ip_network(subnet.subnet) for network in stand_ins for subnet in network.subnets]
    for network in (config.get("networks") or {}).values():
        for entry in ((network or {}).get("ipam") or {}).get("config") or ():
            with suppress(ValueError):  # compose refuses it later, in its own words
                subnets.append(ip_network(str(entry.get("subnet")), strict=False))
    return tuple(subnets)


def choose_addresses(subnets: Iterable[AnyNetwork]) -> Addresses:
    """Return the first addresses for the engine that overlap none of the subnets."""
    taken = tuple(subnets)
    for addresses in _candidates():
        own = (ip_network(addresses.bridge, strict=False), ip_network(addresses.pool))
        if not any(_overlap(network, subnet) for network in own for subnet in taken):
            return addresses
    return DEFAULT_ADDRESSES


def _candidates() -> Iterator[Addresses]:
    yield DEFAULT_ADDRESSES
    numbers = [f"10.{n}.0" for n in range(202, 254)] + [f"172.{n}.0" for n in range(31, 17, -1)]
    for bridge, pool in zip(numbers[::2], numbers[1::2], strict=True):
        yield Addresses(bridge=f"{bridge}.1/24", pool=f"{pool}.0/16")
    yield Addresses(bridge="192.168.127.1/24", pool="192.168.128.0/17")


def _fixed_addresses(config: Mapping[str, Any], key: str) -> Iterator[AnyAddress]:
    """Yield the addresses that services ask for on the network of this key."""
    for service in (config.get("services") or {}).values():
        attached = (service.get("networks") or {}).get(key) or {}
        for field in ("ipv4_address", "ipv6_address"):
            with suppress(ValueError):
                yield ip_address(str(attached.get(field)))


def _subnet_of(
    addresses: list[AnyAddress], foreign: Iterable[AnyAddress], taken: Iterable[AnyNetwork]
) -> AnyNetwork:
    """Return the smallest usual subnet with all addresses; a free one if there is one."""
    sizes = _PREFIXES[addresses[0].version]
    subnets = [ip_network((addresses[0], size), strict=False) for size in sizes]
    edges = [(subnet, (subnet[0], subnet[-1])) for subnet in subnets]
    holding = [s for s, ends in edges if all(a in s and a not in ends for a in addresses)]
    free = [
        subnet
        for subnet in holding
        if not any(address in subnet for address in foreign)
        and not any(_overlap(subnet, network) for network in taken)
    ]
    return (free or holding or [ip_network((addresses[0], 0), strict=False)])[0]


def _describe(subnet: AnyNetwork, fixed: list[AnyAddress]) -> Subnet:
    """Describe a subnet: a container that starts early must not get a fixed address."""
    gateway = next(host for host in subnet.hosts() if host not in fixed)
    free = (str(p) for p in _parts(subnet) if not any(address in p for address in fixed))
    return Subnet(subnet=str(subnet), gateway=str(gateway), dynamic=next(free, None))


def _parts(subnet: AnyNetwork) -> Iterator[AnyNetwork]:
    """Yield parts of a subnet, large ones first.

    Of a large IPv6 one they are low and small: Docker 26 can't count its last addresses.
    """
    if isinstance(subnet, IPv6Network) and subnet.prefixlen < DYNAMIC_PREFIX:
        first, size = int(subnet.network_address), 2 ** (128 - DYNAMIC_PREFIX)
        for number in range(1, 2**16):
            yield IPv6Network((first + number * size, DYNAMIC_PREFIX))
        return
    for more in (1, 2, 3):
        yield from reversed([*subnet.subnets(prefixlen_diff=more)])


def _overlap(first: AnyNetwork, second: AnyNetwork) -> bool:
    return first.version == second.version and first.overlaps(second)
