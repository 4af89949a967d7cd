"""Growth over time: a leak is a WARN, more than is allowed a NO-GO, and noise is neither."""

from dataclasses import replace

import pytest

from judging import GO, MIB, NO_GO, TODAY, WARN, judge_stack, limits, measured, service
from onegig.config.budgets import parse_budgets
from onegig.judge.verdict import judge
from onegig.model.measured import Missing, Skipped, Unknown
from onegig.model.service import Trend
from onegig.model.state import State
from onegig.model.verdict import Verdict

MINUTE = MIB / 60
HOUR = MINUTE / 60
LEAK = "a leak, or caches that are still filling (a longer --settle and --window will tell)"


def trend(low: float, rate: float, high: float, unit: float = MINUTE, grows: bool = True) -> Trend:
    return Trend(
        bytes_per_second=rate * unit,
        low_bytes_per_second=low * unit,
        high_bytes_per_second=high * unit,
        grows=grows,
    )


FAST = trend(2.7, 3.1, 3.4)
SLOW = trend(0.4, 0.6, 0.9, HOUR)
FLAT = trend(-8.0, 0.1, 9.0, HOUR, grows=False)


def verdict(written: str, own: Trend | Missing, whole: Trend | Missing = FLAT) -> Verdict:
    budgets = parse_budgets("budgets.yml", f"version: 1\ntier: none\n{written}\n".encode())
    memory = measured([replace(service("web", 500 * MIB), trend=own)])
    memory = replace(memory, box=replace(memory.box, trend=whole))
    return judge(budgets, Skipped(reason="not asked for"), memory, None, today=TODAY)


@pytest.mark.parametrize(
    ("limit", "own", "state", "message"),
    [
        ("", FLAT, None, ""),
        ("", FAST, WARN, f"grows by 3.1 MB/min (2.7 to 3.4){{full}}; {LEAK}"),
        ("", SLOW, GO, f"grows by 0.60 MB/h (0.40 to 0.90){{full}}; {LEAK}"),
        (
            "1MB/h",
            FAST,
            NO_GO,
            f"grows by 186 MB/h (162 to 204), at most 1.0 MB/h allowed{{full}}; {LEAK}",
        ),
        (
            "3MB/min",
            FAST,
            WARN,
            f"grows by 3.1 MB/min (2.7 to 3.4), at most 3.0 MB/min allowed{{full}}; {LEAK}",
        ),
        ("20%", FLAT, None, ""),
        ("[20%, 10MB/h]", FLAT, GO, "does not grow beyond noise, at most 10 MB/h allowed"),
        (
            "1MB/h",
            FLAT,
            GO,
            (
                "does not grow beyond noise, but windows this short only rule out growth "
                "above 9.0 MB/h, at most 1.0 MB/h allowed"
            ),
        ),
    ],
)
def test_a_service_that_grows(limit: str, own: Trend, state: State | None, message: str) -> None:
    judged = verdict(f"services: {{web: {{max_growth: {limit}}}}}" if limit else "", own)
    checks = [check for check in judged.checks if check.id == "service.growth"]
    assert [check.state for check in checks] == ([state] if state else [])
    for check in checks:
        remaining = check.message.partition(" would be full in ")[2].partition(";")[0]
        full = f": the machine would be full in {remaining}"
        assert check.message == "web " + message.format(full=full)
        assert check.blocking is bool(limit)


def test_the_machine_is_full_when_what_is_left_has_grown() -> None:
    (check,) = [check for check in verdict("", FAST).checks if check.id == "service.growth"]
    assert check.value == int(3.1 * 60 * MIB)
    assert " would be full in 2.4 h;" in check.message  # 1,024 - 80 - 500 MB


@pytest.mark.parametrize(
    ("limits", "whole", "state"),
    [
        ("", FAST, None),  # a service grows then, and says so
        ("memory: {max_growth: 10%}", FAST, None),
        ("memory: {max_growth: [10%, 1MB/h]}", FAST, NO_GO),
        ("memory: {max_growth: 1MB/h}", FLAT, GO),
        ("memory: {max_service_growth: 1MB/h}", FAST, None),
    ],
)
def test_the_stack_as_a_whole(limits: str, whole: Trend, state: State | None) -> None:
    judged = verdict(limits, FLAT, whole)
    states = [check.state for check in judged.checks if check.id == "memory.growth"]
    assert states == ([state] if state else [])


@pytest.mark.parametrize(
    ("seconds", "own", "state"), [(60, FLAT, None), (600, FLAT, WARN), (600, FAST, None)]
)
def test_in_a_long_window_the_engine_may_be_what_grows(
    seconds: int, own: Trend, state: State | None
) -> None:
    memory = measured([replace(service("web", 500 * MIB), trend=own)])
    box, window = replace(memory.box, trend=FAST), replace(memory.window, seconds=seconds)
    judged = judge_stack(limits(1024 * MIB), replace(memory, box=box, window=window))
    states = [check.state for check in judged.checks if check.id == "memory.growth"]
    assert states == ([state] if state else [])


def test_growth_beyond_its_limit_is_not_printed_as_within_it() -> None:
    (check,) = [
        check
        for check in verdict(
            "services: {web: {max_growth: 1MB/h}}", trend(1.001, 1.002, 1.003, HOUR)
        ).checks
        if check.id == "service.growth"
    ]
    assert check.state is NO_GO
    assert "grows by 1.002 MB/h (1.001 to 1.003), at most 1.0 MB/h allowed" in check.message


def test_a_limit_of_all_services_yields_to_that_of_one() -> None:
    limits = "memory: {max_service_growth: 1MB/h}\nservices: {web: {max_growth: 1GB/h}}"
    states = [check.state for check in verdict(limits, FAST).checks if check.id == "service.growth"]
    assert states == [WARN]


def test_what_is_limited_and_was_not_seen_is_said() -> None:
    why = "too few samples to see a trend"
    judged = verdict("memory: {max_service_growth: 1MB/h}", Unknown(reason=why))
    assert f"growth over time of web could not be judged: {why}" in judged.notes
    assert not any(why in note for note in verdict("", Unknown(reason=why)).notes)
