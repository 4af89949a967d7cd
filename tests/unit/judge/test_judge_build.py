"""A build judged: the sentence and the state, by what was measured."""

from collections.abc import Callable
from dataclasses import replace

import pytest

from factories import make_environment, make_memory, make_service
from judging import BUDGETS, GO, MIB, NO_GO, WARN, limits
from onegig.judge.build import judge_build, running_bytes
from onegig.judge.tier import tightest_room
from onegig.model.budgets import Budgets
from onegig.model.build import BuildMemory
from onegig.model.memory import EnginePart
from onegig.model.state import State
from onegig.model.tiers import Tier, find_tier
from onegig.report.build import render_build

STEP = "[web 2/3] RUN npm ci"
MEMORY = BuildMemory(
    images=("desk-web", "desk-api"),
    seconds=41.5,
    cap_bytes=726 * MIB,
    cost_bytes=400 * MIB,
    steps_bytes=250 * MIB,
    client_bytes=60 * MIB,
    engine=(EnginePart(name="dockerd", processes=1, rss_bytes=150 * MIB, pss_bytes=100 * MIB),),
    peak_seconds=12.3,
    running=(STEP,),
    held_bytes=420 * MIB,
    usage_bytes=700 * MIB,
    oom_kills=0,
    failed=(),
)
KILLED = replace(MEMORY, oom_kills=1, failed=(STEP,), error="the image of web could not be built")
SPARED = replace(KILLED, error="")
GONE = replace(KILLED, oom_kills=0, failed=())
FITS = "fits on aws-t3-micro: 645 of 911 MB, 266 MB (29 %) to spare"
MICRO = find_tier("aws-t3-micro")


@pytest.mark.parametrize(
    ("memory", "budgets", "tier", "state", "sentence"),
    [
        (MEMORY, limits(560 * MIB), None, GO, "fits on the budget's 560 MB: 460 of 560 MB"),
        (MEMORY, limits(500 * MIB), None, WARN, "fits on the budget's 500 MB: 460 of 500 MB"),
        (MEMORY, limits(459 * MIB), None, NO_GO, "does not fit on the budget's 459 MB: 460 of 459"),
        (MEMORY, BUDGETS, MICRO, GO, FITS),
        (SPARED, BUDGETS, MICRO, WARN, f"{FITS}, although the kernel killed parts of it once"),
        (KILLED, BUDGETS, MICRO, NO_GO, f"does not fit on aws-t3-micro: the kernel killed {STEP}"),
        (GONE, BUDGETS, MICRO, NO_GO, f"does not fit on aws-t3-micro: memory was full in {STEP}"),
    ],
)
def test_whether_a_build_fits(
    memory: BuildMemory, budgets: Budgets, tier: Tier | None, state: State, sentence: str
) -> None:
    room = tightest_room(budgets, tier)
    report = judge_build(budgets, memory, room, stack="desk", environment=make_environment())
    assert report.state is state
    assert report.sentence.startswith(f"{state}: the build {sentence}")


def test_the_parts_add_up_in_a_terminal(golden: Callable[[str, str], None]) -> None:
    room = tightest_room(BUDGETS, MICRO)
    report = judge_build(BUDGETS, KILLED, room, stack="desk", environment=make_environment())
    golden("build/killed.txt", render_build(report))


def test_a_running_stack_leaves_less_room() -> None:
    running = make_memory([make_service("web", 200), make_service("db", 100.2)])
    taken, limit = running_bytes(running), tightest_room(BUDGETS, None)
    assert taken == pytest.approx((300.2 + 74.8) * MIB, abs=2)  # with fifteen shims
    room = replace(limit, stack_bytes=taken + 8 * MIB)
    report = judge_build(BUDGETS, MEMORY, room, stack="desk", environment=make_environment())
    assert report.sentence == (
        "WARN: the build fits on the budget's 1,024 MB beside the running stack: 923 of 1,024 MB, "
        "101 MB (9 %) to spare, less than the required 10 %"
    )
    assert "running stack        383.0" in render_build(report)
