"""The smallest set of actions that fits, what it leaves, and which option is the best one."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from factories import MIB
from onegig.model.measured import Skipped
from onegig.model.plan import Action, Basis, Letter, Loss, Option, Plan, Saving, Verified
from onegig.model.state import State
from onegig.plan.need import Limit
from onegig.plan.options import choose, combine, effective, with_best, with_verified

OVER = Limit(
    title="Memory of the stack",
    needed_bytes=1070 * MIB,
    limit_bytes=1024 * MIB,
    spare_bytes=0,
    is_start=False,
    is_tier=False,
)


def action(name: str, mib: int, **changes: object) -> Action:
    saving = Saving(
        bytes=mib * MIB,
        low_bytes=(mib - 3) * MIB,
        high_bytes=(mib + 4) * MIB,
        basis=Basis.PREDICTED,
        source="a test",
    )
    plain = Action(id=name, option=Letter.SQUEEZE, title=name, saving=saving, cost="", changes=())
    return replace(plain, **changes)  # type: ignore[arg-type]  # any field of the dataclass


FREE, LOW, FEATURE = action("free", 20), action("low", 30), action("feature", 90)
LOW = replace(LOW, loss=Loss.MINOR, services=("x",), removes=("x",))
FEATURE = replace(FEATURE, loss=Loss.FEATURE)
ON_X = action("on-x", 8, services=("x",))
RIVAL = action("rival", 25, excludes=("free",))


@pytest.mark.parametrize(
    ("actions", "over_mib", "chosen"),
    [
        ([FREE, LOW, FEATURE], 15, ["free"]),  # what costs nothing comes first
        ([FREE, LOW, FEATURE], 46, ["free", "low"]),
        ([FREE, LOW, FEATURE], 90, ["feature"]),  # and goes again where it is not needed
        ([FREE, LOW, FEATURE], 130, ["free", "low", "feature"]),
        ([FREE, LOW, FEATURE], 900, ["free", "low", "feature"]),  # as far as it goes
        ([FREE, RIVAL], 40, ["rival"]),  # never both
        ([LOW, ON_X], 36, ["on-x", "low"]),  # saves nothing of a service that is off
        ([FREE, LOW, FEATURE], -100, ["free"]),  # it fits: only what costs nothing
    ],
)
def test_the_smallest_set_that_fits(
    actions: list[Action], over_mib: int, chosen: list[str]
) -> None:
    limit = replace(OVER, needed_bytes=(1024 + over_mib) * MIB)
    assert [each.id for each in choose(actions, [limit])] == chosen


def test_an_option_adds_up_what_counts() -> None:
    (option,) = combine([FREE, LOW, ON_X], [OVER], 1070 * MIB)
    assert (option.name, option.actions) == ("A", ("low", "free"))
    assert option.total_bytes == 1020 * MIB
    assert option.left_bytes == 4 * MIB
    assert (option.fits, option.problem) == (True, "")
    assert option.low_bytes == pytest.approx(1020 * MIB - 32**0.5 * MIB, abs=1)
    assert option.high_bytes == pytest.approx(1020 * MIB + 18**0.5 * MIB, abs=1)
    assert [each.id for each in effective([LOW, ON_X])] == ["low"]


def test_kinds_are_combined_where_none_suffices_alone() -> None:
    engine = action("engine", 40, option=Letter.ENGINE)
    names = [option.name for option in combine([FREE, engine], [OVER], 1070 * MIB)]
    assert names == ["A", "engine", "A + engine"]
    enough = replace(engine, saving=action("", 60).saving)
    assert [o.name for o in combine([FREE, enough], [OVER], 1070 * MIB)] == ["A", "engine"]
    problems = [option.problem for option in combine([FREE, engine], [OVER], 1070 * MIB)]
    still = f"{OVER.title}: still"
    assert problems == [f"{still} 26 MB over", f"{still} 6.0 MB over", ""]


def test_a_start_and_a_tier_have_savings_of_their_own() -> None:
    start = replace(OVER, is_start=True)
    tier = replace(OVER, is_tier=True)
    parallel = action("parallel", 0, start_bytes=60 * MIB)
    pages = action("thp", 0, tier_bytes=64 * MIB)
    assert [each.id for each in choose([parallel], [start])] == ["parallel"]
    assert [each.id for each in choose([pages], [tier])] == ["thp"]
    assert [option.fits for option in combine([parallel], [start, OVER], 1070 * MIB)] == [False]


def make_plan(*options: Option, roomy: bool = False) -> Plan:
    return Plan(
        stack="desk",
        total_bytes=1070 * MIB,
        limit_bytes=1024 * MIB,
        left_bytes=-46 * MIB,
        roomy=roomy,
        tightest="Memory of the stack",
        actions=(FREE, LOW, FEATURE, action("pay", 0, option=Letter.PAY, loss=Loss.MAJOR)),
        options=options,
        best="",
    )


def make_option(letter: Letter, *actions: str, **changes: object) -> Option:
    option = Option(
        letters=(letter,),
        actions=actions,
        total_bytes=1000 * MIB,
        low_bytes=990 * MIB,
        high_bytes=1010 * MIB,
        left_bytes=24 * MIB,
        fits=True,
        roomy=True,
    )
    return replace(option, **changes)  # type: ignore[arg-type]  # any field of the dataclass


def test_the_best_option_keeps_headroom_and_asks_least() -> None:
    squeeze = make_option(Letter.SQUEEZE, "feature")
    engine = make_option(Letter.ENGINE, "free")
    tight = make_option(Letter.ENGINE, "free", roomy=False)
    pay = make_option(Letter.PAY, "pay")
    assert with_best(make_plan(squeeze, engine, pay)).best == "engine"
    assert with_best(make_plan(squeeze, tight, pay)).best == "A"
    assert with_best(make_plan(pay)).best == "C"
    assert with_best(make_plan(pay, roomy=True)).best == ""  # nothing to pay for
    assert with_best(make_plan(replace(squeeze, fits=False))).best == ""


def test_an_option_that_did_not_hold_is_not_the_best() -> None:
    plan = with_best(make_plan(make_option(Letter.SQUEEZE, "free"), make_option(Letter.PAY, "pay")))
    assert plan.best == "A"
    found = Verified(
        total_bytes=1040 * MIB,
        start_bytes=Skipped(reason="not needed"),
        state=State.NO_GO,
    )
    plan = with_verified(plan, "A", found)
    assert plan.best == "C"
    assert plan.options[0].problem == "booted, it was NO-GO"
    assert plan.options[0].error_share == pytest.approx(1000 / 1040 - 1)


@given(
    st.lists(st.tuples(st.integers(1, 60), st.sampled_from(Loss)), max_size=12),
    st.integers(0, 400),
)
def test_nothing_in_a_set_that_fits_could_be_left_out(
    parts: list[tuple[int, Loss]], over_mib: int
) -> None:
    actions = [action(f"a{at}", mib, loss=loss) for at, (mib, loss) in enumerate(parts)]
    limit = replace(OVER, needed_bytes=(1024 + over_mib) * MIB)
    chosen = choose(actions, [limit])
    saved = sum(each.saving.bytes for each in chosen)
    if over_mib and saved >= over_mib * MIB:
        assert all(saved - each.saving.bytes < over_mib * MIB for each in chosen)
    elif over_mib:
        assert len(chosen) == len(actions)
