"""Lines of the agent, captured in a guest with systemd and three containers, become passes."""

import json
from pathlib import Path
from typing import Any

import pytest

from onegig.machine.cgroup import Pressure
from onegig.machine.processes import Usage
from onegig.machine.sampler import Pass
from onegig.machine.twin.passes import Answer, Passes
from onegig.memory.totals import counted_cost

LINES = (Path(__file__).parents[2] / "golden/twin/agent.jsonl").read_bytes().splitlines()
KIB = 1024
SLEEPER, FILLER, VALKEY = "f6c3", "e2b9", "f2b7"
KILLED = "7b41b0e944fb23a086ffe80d97730344f04056c06ed5d8856d9d743ea6c39a2e"
HOST = 1000.0  # what the host's clock is ahead


def feed_all(passes: Passes) -> list[Pass | Answer | None]:
    times = [json.loads(line).get("time", 0.0) for line in LINES]
    return [passes.feed(line, at + HOST) for line, at in zip(LINES, times, strict=True)]


def captured_passes(passes: Passes) -> list[Pass]:
    return [sample for sample in feed_all(passes) if isinstance(sample, Pass)]


def test_a_pass_has_containers_engine_system_and_machine() -> None:
    sample = captured_passes(Passes())[-1]
    containers = {key[:4]: used for key, used in sample.containers.items()}
    assert {key: used.usage for key, used in containers.items()} == {
        SLEEPER: Usage(1, 960 * KIB, 408 * KIB, 0),
        FILLER: Usage(1, 960 * KIB, 408 * KIB, 0),
        VALKEY: Usage(1, 4612 * KIB, 4240 * KIB, 0),
    }
    assert containers[FILLER].account.shmem == 20_000_768  # the file in its tmpfs, whole pages
    assert {kind: use.processes for kind, use in sample.engine.items()} == {
        "dockerd": 1,
        "containerd": 1,
        "shim": 3,
    }
    assert sample.engine["dockerd"].rss == 97_172 * KIB
    assert sample.system is not None
    assert sample.system.processes == 10
    assert sample.machine is not None
    assert sample.machine.total == 2_042_972 * KIB
    assert sample.pressure is None  # that guest's kernel has none
    assert sample.unreadable == 0


def test_kernel_memory_and_tmpfs_count_above_what_was_there_before_the_engine() -> None:
    passes = Passes()
    first, *_, last = captured_passes(passes)
    assert first.machine is not None
    assert last.machine is not None
    assert passes.before is not None
    idle = json.loads(LINES[1])
    lists = idle["free_lists"]  # free pages that MemAvailable leaves out
    assert passes.before.available == (idle["meminfo"]["MemAvailable"] + lists) * KIB
    assert first.box.kernel == 0
    assert last.box.kernel == last.machine.kernel - passes.before.kernel
    assert last.box.shmem == last.machine.shmem - passes.before.shmem
    assert last.machine.fell == passes.before.available - last.machine.available
    private = sum(use.private for use in last.engine.values())
    private += sum(used.usage.private for used in last.containers.values())
    assert counted_cost(last) == private + last.box.shmem + last.box.kernel


def test_an_engine_that_was_there_first_leaves_the_cgroups_own_figures() -> None:
    passes = Passes()
    sample = passes.feed(LINES[-1], HOST)
    assert passes.before is None
    assert isinstance(sample, Pass)
    own = sum(used.account.shmem for used in sample.containers.values())
    assert own <= sample.box.shmem < own + 1024**2
    assert sample.box.kernel > sum(used.account.kernel for used in sample.containers.values())


def test_an_oom_kill_names_the_container_whatever_the_cgroup_driver() -> None:
    (kill,) = [kill for sample in captured_passes(Passes()) for kill in sample.oom_killed]
    assert kill == (f"/system.slice/{KILLED}", f"/system.slice/{KILLED}")
    line = json.loads(LINES[-1])
    text = "6,1,1,-;oom-kill:constraint=CONSTRAINT_NONE,nodemask=(null),cpuset=x,mems_allowed=0,"
    line["oom"] = [f"{text}global_oom,task_memcg=/docker/{KILLED},task=java,pid=7,uid=0"]
    sample = Passes().feed(json.dumps(line).encode(), HOST)
    assert isinstance(sample, Pass)
    assert sample.oom_killed == [("/", f"/docker/{KILLED}")]


def test_time_is_the_hosts_through_delays_and_a_reboot() -> None:
    passes, line = Passes(), json.loads(LINES[0])
    seen = [(5.0, 105.5), (5.1, 105.1), (5.2, 106.0), (0.5, 120.5), (0.6, 120.7)]
    times = []
    for guest, received in seen:
        text = json.dumps(line | {"time": guest, "cost": 0.0}).encode()
        sample = passes.feed(text, received)
        assert isinstance(sample, Pass)
        times.append(round(sample.time, 3))
    assert times == [105.5, 105.5, 105.5, 120.5, 120.6]


@pytest.mark.parametrize(
    ("change", "field", "expected"),
    [
        ({"memory_pressure": [1500, 700]}, "pressure", Pressure(some=1500, full=700)),
        ({"unreadable": 2}, "unreadable", 2),
        ({"oldest": 1.5}, "age_seconds", 1.5),
    ],
)
def test_what_a_kernel_has_or_lacks_is_passed_on(
    change: dict[str, Any], field: str, expected: object
) -> None:
    text = json.dumps(json.loads(LINES[-1]) | change).encode()
    assert getattr(Passes().feed(text, HOST), field) == expected


def test_answers_and_what_is_not_the_agents() -> None:
    assert [line for line in feed_all(Passes()) if isinstance(line, Answer)] == [
        Answer(number=1, ran=0, output="started\n")
    ]
    junk = [b"", b"{", b"[]", LINES[-1][:-9], b'{"ran": 0, "output": ""}', b"\xff\xfe"]
    assert [Passes().feed(line, HOST) for line in junk] == [None] * len(junk)
    strange = json.loads(LINES[-1]) | {"meminfo": {}}
    assert Passes().feed(json.dumps(strange).encode(), HOST) is None
