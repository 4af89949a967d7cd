"""Several boots of one stack: how often it is booted, and what the boots say together."""

from dataclasses import replace

import pytest

from judging import MIB, measured, service
from onegig.errors import BootError, OnegigError
from onegig.memory.repeats import MORE_BOOTS, merge_boots, repeat
from onegig.model.memory import BootPeak, MemoryReport, WindowTotals
from onegig.model.service import ServiceMemory, ServiceState


def booted(
    web: int, *, start: int = 0, kills: int = 0, state: str = "running", gap: str = ""
) -> MemoryReport:
    """One boot whose service took so many MiB in the window, and the stack while it started."""
    own = service("web", web * MIB, state=ServiceState(state), oom_kills=kills)
    memory = measured([own], totals=[web * MIB])
    window = WindowTotals(
        offset_seconds=0,
        samples=1,
        low_bytes=(web - 1) * MIB,
        high_bytes=web * MIB,
        totals=tuple(range(web * MIB - 4_000, web * MIB)),
        services=(((web - 1) * MIB, web * MIB),),
    )
    peak = BootPeak(
        offset_seconds=1,
        total_bytes=max(start, web) * MIB,
        rss_bytes=0,
        starting=start > web,
        causes=(),
    )
    return replace(
        memory,
        windows=(window,),
        boot=peak,
        box=replace(memory.box, oom_kills=kills),
        incomplete=(gap,) if gap else (),
    )


def run(*boots: MemoryReport | OnegigError, planned: int, doubts: int = 0) -> MemoryReport:
    """Repeat these boots; the first `doubts` of the answers leave a doubt."""
    left, answers = list(boots), ["too close"] * doubts

    def boot() -> MemoryReport:
        result = left.pop(0)
        if isinstance(result, OnegigError):
            raise result
        return result

    report = repeat(boot, planned, print, lambda _: answers.pop() if answers else "")
    assert not left
    return report


def web(report: MemoryReport) -> ServiceMemory:
    return report.services[0]


@pytest.mark.parametrize(
    ("planned", "doubts", "boots"), [(1, 0, 1), (3, 0, 3), (1, 1, 2), (1, 9, 1 + MORE_BOOTS)]
)
def test_the_stack_is_booted_as_planned_and_again_while_in_doubt(
    planned: int, doubts: int, boots: int, capsys: pytest.CaptureFixture[str]
) -> None:
    report = run(*[booted(10)] * boots, planned=planned, doubts=doubts)
    assert len(report.boots) == boots
    assert capsys.readouterr().out.count("too close: booting again") == boots - planned


def test_the_highest_boot_counts_and_all_are_kept() -> None:
    report = run(booted(10, start=60), booted(30), booted(20, start=50), planned=3)
    assert (web(report).cost_bytes, report.box.cost_bytes) == (30 * MIB, 30 * MIB)
    assert [boot.peak_bytes // MIB for boot in report.boots] == [60, 30, 50]
    assert [boot.high_bytes // MIB for boot in report.boots] == [10, 30, 20]
    assert isinstance(report.boot, BootPeak)
    assert report.boot.total_bytes == 60 * MIB
    assert [(window.boot, max(window.totals)) for window in report.windows] == [
        (1, 10 * MIB - 1),
        (2, 30 * MIB - 1),
        (3, 20 * MIB - 1),
    ]
    assert all(len(window.totals) == 1_000 for window in report.windows)


def test_what_failed_in_one_boot_is_not_hidden_by_a_larger_one() -> None:
    report = merge_boots([booted(30), booted(10, state="oom-killed", kills=2, gap="was gone")])
    assert (web(report).state, web(report).oom_kills, web(report).cost_bytes) == (
        ServiceState.OOM_KILLED,
        2,
        30 * MIB,
    )
    assert report.box.oom_kills == 2
    assert report.incomplete == ("was gone",)
    assert report.notes == ("web was oom-killed in 1 of 2 boots",)
    assert [boot.failed for boot in report.boots] == [(), ("web",)]


def test_a_boot_that_fails_is_an_error_only_when_it_is_the_first() -> None:
    error = BootError("the box did not come up")
    with pytest.raises(BootError):
        run(error, planned=3)
    report = run(booted(10), error, planned=3)
    assert len(report.boots) == 1
    assert report.incomplete == ("boot 2 failed: the box did not come up",)
