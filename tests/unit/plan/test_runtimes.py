"""Settings of runtimes: which service gets which rule, by what it runs, and what is changed."""

import json
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import pytest

from factories import MIB, TODAY, make_memory, make_report, make_service
from onegig.config.budgets import parse_budgets
from onegig.machine.breakdown import name_program
from onegig.model.measured import Skipped
from onegig.model.memory import BootPeak, EnginePart
from onegig.model.plan import Action, Basis
from onegig.model.service import Breakdown
from onegig.plan.case import Case
from onegig.plan.pace import fewer_starts, parse_seconds, rarer_health_checks
from onegig.plan.runtimes import runtime_settings
from planned import plan_stack

BUDGETS = parse_budgets("budgets.yml", b"version: 1\ntier: none\nmemory: {limit: 1024MB}\n")
NOTHING = Breakdown(
    program_bytes=0,
    libraries_bytes=0,
    dependencies_bytes=0,
    heap_bytes=0,
    stacks_bytes=0,
    files_bytes=0,
    shared_bytes=0,
    unmapped_bytes=0,
    kernel_bytes=0,
)


def make_case(
    services: Mapping[str, Mapping[str, Any]], programs: tuple[str, ...] = (), **changes: object
) -> Case:
    """Return services with 100 MB of anonymous memory each that run these programs."""
    sizes = {"anon_bytes": 100 * MIB, **changes}
    if programs:
        sizes["breakdown"] = replace(NOTHING, programs=programs)
    memory = make_memory([make_service(name, 120.0, **sizes) for name in services])
    return Case(
        report=make_report(memory, Skipped(reason="not inspected"), BUDGETS),
        memory=memory,
        stack=plan_stack(services),
        budgets=BUDGETS,
        today=TODAY,
    )


def keys(action: Action) -> Any:
    return json.loads(action.changes[0].text)["services"]["api"]


JVM = "-XX:+UseSerialGC -XX:TieredStopAtLevel=1 -XX:MinHeapFreeRatio=10 -XX:MaxHeapFreeRatio=20"
BUFFERS = ["-c", "shared_buffers=32MB", "-c", "jit=off"]
GUNICORN = ["gunicorn", "--workers", "8", "app:app"]


@pytest.mark.parametrize(
    ("programs", "config", "changes", "expected"),
    [
        (("java",), {}, {}, {"jvm": {"environment": {"JAVA_TOOL_OPTIONS": JVM}}}),
        (
            ("java",),
            {"environment": {"JAVA_TOOL_OPTIONS": "-Xmx1g"}},
            {},
            {"jvm": {"environment": {"JAVA_TOOL_OPTIONS": f"-Xmx1g {JVM}"}}},
        ),
        (("java",), {"environment": {"JAVA_TOOL_OPTIONS": JVM}}, {}, {}),
        (
            ("node",),
            {},
            {},
            {"node": {"environment": {"NODE_OPTIONS": "--max-semi-space-size=1"}}},
        ),
        (("api (Go)",), {}, {}, {"go": {"environment": {"GOGC": "50"}}}),
        (("api (Go)",), {"environment": {"GOGC": "80"}}, {}, {}),
        (
            ("python3.13",),
            {"command": GUNICORN},
            {"processes": 9},
            {"workers": {"command": ["gunicorn", "--workers", "2", "app:app"]}},
        ),
        # replicas, what is few already, and what the variable would not change
        (("python3.13",), {"command": ["gunicorn", "-w1"]}, {"processes": 8, "containers": 4}, {}),
        (("python3.13",), {"command": ["gunicorn", "-w", "2"]}, {"processes": 5}, {}),
        (("python3.13",), {"command": ["sh", "-c", "gunicorn -w 8 a:b"]}, {"processes": 9}, {}),
        (("python3.13",), {"entrypoint": ["gunicorn", "-w", "8"]}, {"processes": 9}, {}),
        (
            ("python3.13",),
            {"entrypoint": ["uvicorn"], "environment": {"WEB_CONCURRENCY": "8"}},
            {"processes": 9},
            {"workers": {"environment": {"WEB_CONCURRENCY": "2"}}},
        ),
        (("java",), {"command": ["java", "-XX:+UseG1GC", "-jar", "app.jar"]}, {}, {}),
        (("java",), {"environment": {"KAFKA_OPTS": "-XX:+UseZGC"}}, {}, {}),
        (
            ("postgres",),
            {"image": "registry.example/postgres:17@sha256:00"},
            {"shmem_bytes": 90 * MIB},
            {"postgres": {"command": ["postgres", *BUFFERS]}},
        ),
        (("postgres",), {"image": "postgres:17"}, {"shmem_bytes": 30 * MIB}, {}),
        (("postgres",), {}, {"shmem_bytes": 90 * MIB}, {}),  # an image with a command of its own
        (
            ("valkey-server",),
            {"image": "valkey/valkey:8-alpine"},
            {},
            {"snapshots": {"command": ["valkey-server", "--save", ""]}},
        ),
        (("redis-server",), {"image": "our/redis:8"}, {}, {}),  # its command may name a file
        (("redis-server",), {"image": "redis", "build": {"context": "."}}, {}, {}),
        (("redis-server",), {"command": ["sh", "-c", "redis-server --port 1"]}, {}, {}),
        (
            ("redis-server",),
            {"command": ["redis-server", "--port", "1"]},
            {},
            {"snapshots": {"command": ["redis-server", "--port", "1", "--save", ""]}},
        ),
        (("nginx",), {}, {}, {}),
        (("java",), {}, {"anon_bytes": 5 * MIB}, {}),
        (
            (),
            {"image": "node:22"},
            {},
            {"node": {"environment": {"NODE_OPTIONS": "--max-semi-space-size=1"}}},
        ),
    ],
)
def test_a_rule_fits_what_a_service_runs(
    programs: tuple[str, ...],
    config: dict[str, Any],
    changes: dict[str, object],
    expected: dict[str, Any],
) -> None:
    case = make_case({"api": config}, programs, **changes)
    actions = {action.id: action for action in runtime_settings(case)}
    assert {name: keys(each) for name, each in actions.items()} == {
        f"runtime:api:{name}": value for name, value in expected.items()
    }
    for action in actions.values():
        saving = action.saving
        assert saving.low_bytes <= saving.bytes <= saving.high_bytes
        assert saving.basis is Basis.PREDICTED
        assert saving.source.startswith("https://")


def test_a_go_program_is_told_by_where_its_heap_begins() -> None:
    smaps = "00400000-00500000 r-xp 0 0 0 /api\nc000000000-c000400000 rw-p 0 0 0\n"
    assert name_program("/usr/bin/api (deleted)", smaps) == "api (Go)"
    assert name_program("/usr/bin/api", smaps.replace("c000000000-c", "d000000000-d")) == "api"


CHECK = {"test": ["CMD", "true"], "interval": "10s"}


def test_health_checks_are_made_rarer_where_compose_sets_them() -> None:
    rare = {"test": ["CMD", "true"], "interval": "1m0s"}
    case = make_case({"api": {"healthcheck": CHECK}, "db": {"healthcheck": rare}, "web": {}})
    runc = EnginePart(name="runc", processes=3, rss_bytes=40 * MIB, pss_bytes=30 * MIB)
    case = replace(case, memory=replace(case.memory, engine=(runc,)))
    (action,) = rarer_health_checks(case)
    check = {"interval": "30s", "start_period": "60s", "start_interval": "10s"}
    assert json.loads(action.changes[0].text) == {"services": {"api": {"healthcheck": check}}}
    assert (action.saving.bytes, action.saving.high_bytes) == (0, 30 * MIB)


def test_a_start_that_takes_longer_keeps_its_time() -> None:
    """With less of it the service would be unhealthy before it is up."""
    check = {**CHECK, "start_period": "5m0s", "start_interval": "2s"}
    case = make_case({"api": {"healthcheck": check}})
    runc = EnginePart(name="runc", processes=3, rss_bytes=40 * MIB, pss_bytes=30 * MIB)
    (action,) = rarer_health_checks(replace(case, memory=replace(case.memory, engine=(runc,))))
    assert keys(action) == {"healthcheck": {"interval": "30s"}}


def test_a_few_services_are_started_at_a_time_if_the_start_is_the_peak() -> None:
    case = make_case({f"w{n}": {} for n in range(6)})
    high = max(sample.total_bytes for sample in case.memory.samples)
    peak = BootPeak(
        offset_seconds=1.0, total_bytes=high + 60 * MIB, rss_bytes=0, starting=True, causes=()
    )
    (action,) = fewer_starts(replace(case, memory=replace(case.memory, boot=peak)))
    assert (action.start_bytes, action.saving.bytes) == (30 * MIB, 0)
    assert list(fewer_starts(case)) == []


@pytest.mark.parametrize(("text", "seconds"), [("10s", 10), ("1m30s", 90), ("500ms", 0.5)])
def test_durations_of_compose_files(text: str, seconds: float) -> None:
    assert parse_seconds(text) == seconds


@pytest.mark.parametrize(
    ("config", "text", "is_proposed"),
    [
        (
            {"command": ["redis-server", "--requirepass", "s3cret"]},
            "--requirepass ${P}",
            False,
        ),
        ({"command": ["redis-server", "--port", "7"]}, "command: redis-server --port 7", True),
        ({"environment": {"JAVA_TOOL_OPTIONS": "-Dkey=s3cret"}}, "env_file: .secret", False),
        ({"environment": {"JAVA_TOOL_OPTIONS": "-Dkey=7"}}, "- JAVA_TOOL_OPTIONS=-Dkey=7", True),
    ],
)
def test_what_the_files_do_not_say_is_not_written_into_a_change(
    config: Mapping[str, Any], text: str, is_proposed: bool
) -> None:
    """A value that a variable or an env_file brings may be a secret, and a report is shared."""
    case = make_case({"api": config}, programs=("redis-server", "java"))
    case = replace(case, files={"compose.yml": text + " redis-server"})
    found = {action.id.rpartition(":")[2] for action in runtime_settings(case)}
    name = "snapshots" if "command" in config else "jvm"
    assert (name in found) is is_proposed
