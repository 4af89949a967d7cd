"""When a start counts as stuck because its containers fill the machine."""

from dataclasses import replace

import pytest

from onegig.machine.cgroup import Account, Pressure
from onegig.machine.processes import Usage
from onegig.machine.sampler import Pass
from onegig.machine.start import is_crowded
from twins import machine_pass

MIB = 1024**2
CAP = 1000 * MIB


def box_pass(time: float, used_mb: int, runcs: int, stalled: float | None) -> Pass:
    """A pass of a box: what can't be reclaimed, and the seconds stalled until then."""
    usage = used_mb * MIB
    return Pass(
        time=time,
        cost_seconds=0.0,
        box=Account(
            usage=usage,
            anon=usage,
            file=0,
            inactive_file=0,
            shmem=0,
            kernel=0,
            peak=None,
            oom_kills=0,
        ),
        pressure=None if stalled is None else Pressure(some=round(stalled * 1e6), full=0),
        engine={"runc": Usage(runcs, 0, 0)},
        containers={},
        unreadable=0,
    )


@pytest.mark.parametrize(
    ("used_mb", "runcs", "stalled", "crowded"),
    [
        (870, 30, 9.5, True),
        (990, 30, 0.1, False),  # it is full, but goes on
        (990, 3, 9.5, False),  # by what runs, not by what starts
        (700, 30, 9.5, False),  # others on this host wait
        (960, 30, None, True),
        (870, 30, None, False),
    ],
    ids=["thrashing", "busy", "health checks", "host", "full without PSI", "not full without PSI"],
)
def test_a_box_is_crowded(
    used_mb: int, runcs: int, stalled: float | None, *, crowded: bool
) -> None:
    passes = [
        box_pass(at, used_mb, runcs, None if stalled is None else stalled * at / 10)
        for at in range(11)
    ]
    assert is_crowded(passes, CAP) is crowded
    calm = replace(passes[5], engine={})
    assert not is_crowded([*passes[:5], calm, *passes[6:]], CAP)


def test_of_a_whole_machine_its_operating_system_counts_as_well() -> None:
    for available, crowded in ((20, True), (200, False)):
        sample = replace(machine_pass(1.0, available=available), engine={"runc": Usage(30, 0, 0)})
        assert is_crowded([sample], 960 * MIB) is crowded
