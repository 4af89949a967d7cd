"""Every row of the catalogue says where its facts come from, and makes sense."""

import re

import pytest

from onegig.errors import ConfigError
from onegig.model.tiers import GB, MIB, Tier, catalogue, find_tier, smallest_tier

TIERS = tuple(catalogue().values())
SYSTEMS = ("Amazon Linux 2023", "Debian", "Ubuntu")


@pytest.mark.parametrize("tier", TIERS, ids=lambda tier: tier.name)
def test_a_row_is_whole(tier: Tier) -> None:
    assert tier.source
    assert re.fullmatch(r"\d{4}-\d\d-\d\d", tier.as_of)
    assert tier.price_note
    assert tier.memory_bytes % (512 * MIB) == 0
    if tier.memtotal_bytes is not None:
        assert 0.85 * tier.memory_bytes < tier.memtotal_bytes < tier.memory_bytes
    if tier.confirmed:
        assert tier.memtotal_bytes is not None
    if tier.os_idle_bytes is not None:
        assert tier.os_idle_bytes < tier.memory_bytes / 2
    assert tier.disk_bytes is None or tier.disk_bytes >= 30 * GB
    assert 0 < tier.baseline_vcpus <= tier.vcpus <= 8
    assert (tier.settings.thp is None) is (tier.os not in SYSTEMS)
    assert tier.architecture in ("x86_64", "aarch64")
    assert ("arm64" in tier.price_note) is (tier.architecture == "aarch64")
    assert tier.usd_per_month is None or 0 <= tier.usd_per_month < 100


def test_figures_of_tiers() -> None:
    assert find_tier("aws-t2-micro").memtotal_bytes == 949 * MIB
    assert find_tier("gcp-e2-micro").memtotal_bytes is None
    assert find_tier("aws-t3-small").usd_per_month == 15.18
    assert find_tier("aws-t3-micro").baseline_vcpus == 0.2  # a tenth of each of two
    assert find_tier("aws-t3-micro").settings.thp == "madvise"
    assert find_tier("gcp-e2-micro").settings.thp == "always"


def test_the_cheapest_step_up() -> None:
    def cheapest(mib: int) -> str:
        priced = [t for t in TIERS if t.memory_bytes == mib * MIB and t.usd_per_month]
        return min(priced, key=lambda tier: tier.usd_per_month or 0).name

    assert cheapest(2048) == "lightsail-2gb"
    assert cheapest(4096) == "lightsail-4gb"


@pytest.mark.parametrize(
    ("sold_mib", "architecture", "name"),
    [
        (1024, "x86_64", "aws-t3-micro"),
        (1024, "amd64", "aws-t3-micro"),
        (1024, "", "aws-t3-micro"),
        (1024, "aarch64", None),  # 922 MB are not confirmed
        (2048, "x86_64", "aws-t3-small"),
        (2048, "aarch64", "aws-t4g-small"),
        (2048, "arm64", "aws-t4g-small"),
        (1024, "riscv64", None),
        (1000, "x86_64", None),
    ],
)
def test_the_smallest_machine_sold_with_so_much(
    sold_mib: int, architecture: str, name: str | None
) -> None:
    tier = smallest_tier(sold_mib * MIB, architecture)
    assert (tier.name if tier else None) == name


def test_an_unknown_tier_is_answered_with_the_nearest() -> None:
    with pytest.raises(ConfigError, match="'aws-t2-mirco'") as caught:
        find_tier("aws-t2-mirco")
    assert "aws-t2-micro" in caught.value.advice
