"""What a tier's settings change: said in a note, and counted where it is known to cost memory."""

from dataclasses import replace

import pytest

from judging import checks, judge_stack, limits, measured, service
from onegig.model.settings import HugePages, Settings
from onegig.model.state import State
from onegig.model.tiers import find_tier

MIB = 1024**2
HERE = Settings(
    thp=HugePages.MADVISE, swap_bytes=0, zram_bytes=0, overcommit=0, swappiness=10, cgroup_version=2
)
ALWAYS = replace(HERE, thp=HugePages.ALWAYS)
SWAP = replace(HERE, swap_bytes=512 * MIB, overcommit=1, cgroup_version=1)


DIFFERS = " differs from the machine that was measured: "
CGROUP, SWAPS = "cgroup version 2, not 1", "MB of swap 0, not 512; swappiness 60, not 10"
COUNTED = ", about 128 MB more (counted in the memory that it needs)"


@pytest.mark.parametrize(
    ("tier", "here", "named"),
    [
        ("aws-t2-micro", HERE, ""),  # swappiness without swap changes nothing
        ("lightsail-1gb", ALWAYS, ""),  # of whose settings nothing is known
        ("gcp-e2-micro", HERE, f"transparent huge pages always, not madvise{COUNTED}"),
        ("azure-b1s", ALWAYS, "transparent huge pages madvise, not always, about 128 MB less"),
        ("azure-b1s", SWAP, f"vm.overcommit_memory 0, not 1; {CGROUP}; {SWAPS}"),
    ],
)
def test_a_difference_is_named_with_its_cost(tier: str, here: Settings, named: str) -> None:
    services = [service(f"s{number}", MIB) for number in range(30)]
    memory = replace(measured(services), settings=here)
    verdict = judge_stack(limits(1024 * MIB), memory, tier=find_tier(tier))
    found = [note.partition(DIFFERS) for note in verdict.notes if DIFFERS in note]
    assert [end for _, _, end in found] == ([named] if named else [])
    assert all(start.startswith(f"{tier} with ") for start, _, _ in found)


def test_huge_pages_count_in_what_the_tier_needs() -> None:
    """30 containers cost 128 MB more under `always`: of 1,024 MB 960 are used then, not 832."""
    services = [service(f"s{number}", 25 * MIB) for number in range(30)]
    budgets = replace(
        limits(1024 * MIB, system_overhead_bytes=82 * MIB), tier_names=("gcp-e2-micro",)
    )
    tier, states = find_tier("gcp-e2-micro"), []
    for here in (ALWAYS, HERE):
        verdict = judge_stack(budgets, replace(measured(services), settings=here), tier=tier)
        (check,) = checks(verdict, "memory.tier")
        states.append((check.state, check.value))
    assert states == [(State.GO, 832 * MIB), (State.WARN, pytest.approx(960 * MIB, abs=64))]
    assert "960 of 1,024 MB" in check.message
    assert "128 MB of them for its huge pages" in check.message
