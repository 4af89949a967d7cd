"""Processes are read in turns where a pass has no time for all, so that passes keep their rate."""

import pytest

from onegig.machine.processes import ENGINE, Processes, Sums, Usage, shares_memory

PERIOD = 0.1
ENGINE_PIDS, CONTAINER_PIDS = range(1, 21), range(101, 141)
OWNERS = dict.fromkeys(ENGINE_PIDS, ENGINE) | dict.fromkeys(CONTAINER_PIDS, "web")


class Machine:
    """A machine on which reading one process's memory takes so many seconds."""

    def __init__(self, seconds: float) -> None:
        self.seconds, self.now = seconds, 0.0
        self.read: list[int] = []
        self.grown = 0  # bytes that each process has more by now
        self.processes = Processes(
            PERIOD,
            clock=lambda: self.now,
            memory_of=self.memory,
            name_of=lambda _pid: "dockerd",
            borrows=lambda _pid: False,
        )

    def memory(self, pid: int) -> tuple[int, int, int] | None:
        self.now += self.seconds
        self.read.append(pid)
        return 1000 + self.grown, 500, 0

    def take_pass(self, number: int) -> Sums:
        """Take the pass that is due then; fail if the one before took too long."""
        assert self.now <= number * PERIOD
        self.now = number * PERIOD
        self.read.clear()
        return self.processes.read(OWNERS, self.now)


@pytest.mark.parametrize(
    ("milliseconds", "in_first", "in_later", "passes_for_all"),
    [
        (0.1, 60, 40, 1),  # time for all: containers every time, the engine once a second
        (1, 50, 40, 2),  # half of the period, no more
        (10, 5, 5, 12),
        (30, 3, 3, 30),  # one in twenty, however long it takes
    ],
)
def test_a_pass_reads_as_many_as_half_of_its_period_takes(
    milliseconds: float, in_first: int, in_later: int, passes_for_all: int
) -> None:
    machine = Machine(milliseconds / 1000)
    machine.take_pass(0)
    assert len(machine.read) == pytest.approx(in_first, abs=1)
    for number in range(1, passes_for_all):
        machine.take_pass(number)
    sums = machine.take_pass(passes_for_all)
    assert len(machine.read) == pytest.approx(in_later, abs=1)
    assert sums.containers == {"web": Usage(40, 40_000, 20_000)}
    assert sums.engine == {"dockerd": Usage(20, 20_000, 10_000)}


def test_nobody_waits_for_ever_and_the_age_of_what_waits_is_reported() -> None:
    machine = Machine(0.010)
    for number in range(100):
        machine.take_pass(number)
    machine.grown = 24
    ages = [machine.take_pass(number).age_seconds for number in range(100, 130)]
    sums = machine.take_pass(130)
    assert sums.containers == {"web": Usage(40, 40_960, 20_000)}
    assert sums.engine == {"dockerd": Usage(20, 20_480, 10_000)}
    assert 0.5 < max(ages) < 2.0
    assert Machine(0.0001).take_pass(0).age_seconds == 0.0


def test_new_processes_come_first_and_those_that_ended_do_not_count() -> None:
    machine = Machine(0.010)
    for number in range(100):
        machine.take_pass(number)
    owners = {pid: owner for pid, owner in OWNERS.items() if pid != 101} | {7000: "worker"}
    machine.read.clear()
    machine.now = 100 * PERIOD
    sums = machine.processes.read(owners, machine.now)
    assert machine.read[0] == 7000
    assert sums.containers["worker"] == Usage(1, 1000, 500)
    assert sums.containers["web"].processes == 39


def test_a_process_that_may_not_be_read_is_counted_as_such() -> None:
    processes = Processes(
        PERIOD,
        clock=lambda: 0.0,
        memory_of=lambda _pid: None,
        name_of=lambda _pid: "x",
        borrows=lambda _pid: False,
    )
    sums = processes.read({1: ENGINE, 2: "web"}, 0.0)
    assert (sums.unreadable, sums.engine, sums.containers) == (2, {}, {})


def test_memory_borrowed_between_vfork_and_exec_counts_once(spawning: tuple[int, int]) -> None:
    parent, child = spawning
    assert (shares_memory(parent), shares_memory(child)) == (False, True)
    sums = Processes(PERIOD, clock=lambda: 0.0).read({parent: "web", child: "web"}, 0.0)
    assert sums.containers["web"].processes == 1
