"""Images, networks and volumes of the compose project as the box has them."""

from ipaddress import ip_network

import pytest

from box_projects import DIGEST, OTHER_DIGEST, Config, bind, external, prepare, service
from onegig.machine.project import box_references
from onegig.machine.subnets import DEFAULT_ADDRESSES, Network, Subnet, choose_addresses

# Images


def test_images_by_digest_and_id_get_a_tag() -> None:
    images = ("web:1", f"r:5000/shop/api:2@{DIGEST}", f"r:5000/shop/db@{DIGEST}", DIGEST)
    assert box_references(images) == {
        f"r:5000/shop/api:2@{DIGEST}": "r:5000/shop/api:2",
        f"r:5000/shop/db@{DIGEST}": "r:5000/shop/db:sha256-abababababab",
        DIGEST: "onegig/image:sha256-abababababab",
    }
    assert service(image=f"web:1@{DIGEST}")["image"] == "web:1"


def test_images_of_the_same_tag_stay_apart() -> None:
    first, second = f"web:1@{DIGEST}", f"web:1@{OTHER_DIGEST}"
    assert box_references(["web:1", first, second, first]) == {
        first: "web:1-abababababab",
        second: "web:1-cdcdcdcdcdcd",
    }
    assert box_references([first, second]) == {first: "web:1", second: "web:1-cdcdcdcdcdcd"}


# Networks and volumes


def test_an_external_network_is_created_once_and_the_engines_own_never() -> None:
    project = prepare(
        {"web": {"networks": {"front": None, "back": {}}}},
        networks={
            "front": external("shared"),
            "back": external("shared"),
            "default": {"name": "shop_default"},
            "machine": external("host"),
            "bridge": external("bridge"),
            "off": external("none"),
        },
    )
    assert project.networks == (Network(name="shared"),)


def test_external_volumes_are_created_once() -> None:
    volumes = {"a": external("data"), "b": external("data"), "c": {"name": "c"}, "d": None}
    assert prepare({"web": {}}, volumes=volumes).volumes == ("data",)


@pytest.mark.parametrize(
    ("addresses", "subnet"),
    [
        (
            ["192.168.50.10"],
            Subnet(subnet="192.168.50.0/24", gateway="192.168.50.1", dynamic="192.168.50.128/25"),
        ),
        (
            ["10.1.1.1", "10.1.1.200"],
            Subnet(subnet="10.1.1.0/24", gateway="10.1.1.2", dynamic="10.1.1.128/26"),
        ),
        (
            ["172.20.0.5", "172.20.9.5"],
            Subnet(subnet="172.20.0.0/16", gateway="172.20.0.1", dynamic="172.20.128.0/17"),
        ),
        (
            ["192.168.1.255"],
            Subnet(subnet="192.168.0.0/16", gateway="192.168.0.1", dynamic="192.168.128.0/17"),
        ),
        (["fd00::5"], Subnet(subnet="fd00::/64", gateway="fd00::1", dynamic="fd00::1:0:0/96")),
        (["not an address"], None),
    ],
)
def test_a_stand_in_holds_the_fixed_addresses(addresses: list[str], subnet: Subnet | None) -> None:
    asked = [{"ipv6_address" if ":" in text else "ipv4_address": text} for text in addresses]
    services = {f"s{number}": {"networks": {"lan": keys}} for number, keys in enumerate(asked)}
    (network,) = prepare(services, networks={"lan": external("lan")}).networks
    assert network.subnets == ((subnet,) if subnet else ())
    assert network.has_ipv6 == (":" in addresses[0])


def test_stand_ins_do_not_overlap() -> None:
    services = {
        "a": {"networks": {"one": {"ipv4_address": "192.168.1.10"}}},
        "b": {"networks": {"two": {"ipv4_address": "192.168.1.200"}}},
    }
    networks = {"one": external("one"), "two": external("two")}
    subnets = [each.subnets[0].subnet for each in prepare(services, networks=networks).networks]
    assert subnets == ["192.168.1.0/25", "192.168.1.128/25"]


@pytest.mark.parametrize(
    "subnet", ["10.200.0.0/24", "10.201.7.0/24", "10.0.0.0/8", "10.201.0.5/16", "8.0.0.0/5"]
)
def test_the_engines_addresses_overlap_no_subnet_of_the_project(subnet: str) -> None:
    networks = {"lan": {"name": "lan", "ipam": {"config": [{"subnet": subnet}, {}]}}}
    addresses = prepare({"web": {}}, networks=networks).addresses
    assert addresses != DEFAULT_ADDRESSES
    for own in (addresses.bridge, addresses.pool):
        assert not ip_network(own, strict=False).overlaps(ip_network(subnet, strict=False))


def test_the_engines_addresses_are_the_usual_ones_where_nothing_overlaps() -> None:
    assert choose_addresses([]) == DEFAULT_ADDRESSES
    assert choose_addresses([ip_network("0.0.0.0/0")]) == DEFAULT_ADDRESSES
    others = [ip_network("fd00::/8"), ip_network("10.0.0.0/16")]
    assert choose_addresses(others) == DEFAULT_ADDRESSES


@pytest.mark.parametrize("driver", ["macvlan", "ipvlan", "overlay", "weave"])
def test_a_network_that_the_box_cannot_have_is_a_bridge(driver: str) -> None:
    ipam = {"config": [{"subnet": "192.168.1.0/24"}]}
    network = {"name": "n", "driver": driver, "driver_opts": {"parent": "eth0"}, "ipam": ipam}
    plugin = {"name": "p", "ipam": {"driver": "infoblox", "config": []}}
    project = prepare({"web": {}}, networks={"lan": network, "wan": plugin})
    assert project.config["networks"]["lan"] == {"name": "n", "driver": "bridge", "ipam": ipam}
    assert project.remarks == (
        f"network lan: the box has a bridge instead of {driver}.",
        "network wan: the box assigns addresses itself, not infoblox.",
    )


@pytest.mark.parametrize(
    ("volume", "kind"),
    [
        ({"driver": "rclone"}, "rclone"),
        ({"driver_opts": {"type": "nfs", "o": "addr=1.2.3.4", "device": ":/x"}}, "nfs"),
        ({"driver": "local", "driver_opts": {"size": "1g"}}, "one with options"),
    ],
)
def test_a_volume_that_the_box_cannot_have_is_plain(volume: Config, kind: str) -> None:
    project = prepare({"web": {}}, volumes={"media": {"name": "m", **volume}})
    assert project.config["volumes"]["media"] == {"name": "m"}
    remark = f"volume media: the box has an empty local volume instead of {kind}."
    assert project.remarks == (remark,)


@pytest.mark.parametrize(
    "options",
    [{"type": "tmpfs", "device": "tmpfs", "o": "size=1g"}, {"o": "rbind", "device": "/srv"}],
)
def test_volumes_of_memory_and_of_folders_stay(options: Config) -> None:
    volume = {"name": "m", "driver": "local", "driver_opts": options}
    project = prepare({"web": {}}, volumes={"media": volume})
    assert project.config["volumes"]["media"] == volume
    assert project.remarks == ()


@pytest.mark.security
@pytest.mark.parametrize(
    ("flags", "device", "bound", "path"),
    [
        ("bind", "/proc", "rbind", "/proc"),
        ("bind", "proc", "rbind", "/proc"),
        ("ro,bind,rslave", "../proc", "ro,rbind,rslave", "/proc"),
        ("bind,rbind", "./srv/x/..", "rbind,rbind", "/srv"),
        ("rbind", ".onegig", "rbind", "/.onegig"),
    ],
)
@pytest.mark.parametrize("kind", ["none", "tmpfs", "proc"])
def test_a_volume_of_a_folder_shows_what_is_mounted_below_it(
    flags: str, device: str, bound: str, path: str, kind: str
) -> None:
    options = {"type": kind, "o": flags, "device": device}
    project = prepare({"web": {}}, volumes={"v": {"name": "v", "driver_opts": options}})
    assert project.config["volumes"]["v"]["driver_opts"] == options | {"o": bound, "device": path}
    assert (project.folders, project.remarks) == ((path,), ())


@pytest.mark.security
def test_a_bind_mount_shows_what_is_mounted_below_it() -> None:
    given = ({"recursive": "disabled", "propagation": "rslave"}, {"recursive": "readonly"}, None)
    mounts = [bind("/proc", f"/{number}", bind=options) for number, options in enumerate(given)]
    shown = [mount.get("bind") for mount in service(volumes=mounts)["volumes"][:3]]
    assert shown == [{"propagation": "rslave"}, {"recursive": "readonly"}, None]
