"""The history of the default branch: nothing is lost, nothing unreadable is taken for empty."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from factories import make_environment
from histories import commit, entry, incomplete
from onegig.errors import ExitCode, HistoryError
from onegig.github.history import (
    CONTENTS_GONE,
    MOST_BYTES,
    MOST_CONTENTS,
    MOST_ENTRIES,
    REMARKS_GONE,
    add,
    earlier_peaks,
    nearest,
    parse_history,
    write_history,
)
from onegig.model.budgets import MachineKind
from onegig.model.codec import to_json, to_line
from onegig.model.state import State
from onegig.model.verdict import Baseline, Contents, PastCheck, Remarked, ServiceNumbers

LINE = to_line(entry(1))


def numbers(history: tuple[Baseline, ...]) -> list[int]:
    return [int(item.commit, 16) for item in history]


def with_cost(number: int, **seconds: float | None) -> Baseline:
    services = tuple(
        ServiceNumbers(name=name, memory_bytes=1, image_bytes=1, cost_seconds=cost)
        for name, cost in seconds.items()
    )
    return entry(number, services=services)


def test_empty_text_is_an_empty_history() -> None:
    assert parse_history("") == ()


def test_what_is_written_reads_back_equal_one_entry_a_line() -> None:
    history = (entry(1), incomplete(2), entry(3))
    text = write_history(history)
    assert text.count("\n") == 3
    assert parse_history(text) == history


def test_text_that_json_does_not_break_does_not_break_a_line() -> None:
    history = (entry(1, metric="a\u2028b\x85c\nd"),)
    assert parse_history(write_history(history)) == history


def test_last_newline_may_be_missing() -> None:
    assert parse_history(LINE.removesuffix("\n")) == (entry(1),)


@pytest.mark.parametrize(
    ("bad", "message"),
    [
        ("\n", "Invalid JSON"),
        ("<<<<<<< HEAD\n", "Invalid JSON"),
        (LINE[:100] + "\n", "Invalid JSON"),
        ("[]\n", "Input should be"),
        (LINE.replace('"GO"', '"FINE"'), "state"),
        (LINE.replace('"metric"', '"later":1,"metric"'), "later: Unexpected keyword argument"),
        (LINE.replace("onegig/baseline/1", "onegig/baseline/9"), "this version reads"),
        (LINE.replace(commit(1), "main"), "commit: 'main' is not 40 hex digits"),
        (LINE.replace("2026-11-23T20:01:00+00:00", "yesterday"), "Invalid isoformat"),
        (LINE.replace("2026-11-23T20:01:00+00:00", "2026-11-23T20:01:00"), "has no time zone"),
        (to_json(entry(2)), "Invalid JSON"),
    ],
)
def test_a_line_that_is_no_entry_is_named(bad: str, message: str) -> None:
    with pytest.raises(HistoryError, match="line 2 of the history cannot be read") as caught:
        parse_history(LINE + bad + to_line(entry(3)))
    assert message in caught.value.detail
    assert "delete the file" in caught.value.advice
    assert caught.value.exit_code is ExitCode.INCOMPLETE


def test_later_line_of_one_commit_wins() -> None:
    text = to_line(entry(1, 500)) + to_line(entry(2)) + to_line(entry(1, 700))
    assert parse_history(text) == (entry(1, 700), entry(2))


def test_entries_are_put_in_order_of_time_whatever_the_notation() -> None:
    late = entry(3, created="2026-11-23T21:01:30+01:00")  # between the first two minutes
    text = to_line(entry(2)) + to_line(late) + to_line(entry(1))
    assert numbers(parse_history(text)) == [1, 3, 2]


def test_oldest_entries_make_room() -> None:
    history = tuple(map(entry, range(1, MOST_ENTRIES + 1)))
    assert numbers(add(history, entry(MOST_ENTRIES + 1))) == list(range(2, MOST_ENTRIES + 2))
    assert add(history, entry(0)) == history


def test_oldest_entries_make_room_when_lines_are_long() -> None:
    size = len(to_line(entry(1)))
    history = add((entry(1), entry(2), entry(3)), entry(4), most_bytes=2 * size)
    assert numbers(history) == [3, 4]


def test_newest_entry_is_kept_however_long() -> None:
    assert add((entry(1),), entry(2), most_bytes=10) == (entry(2),)


def test_history_of_the_largest_stacks_stays_small() -> None:
    marks = entry(1).marks * 2_000
    history: tuple[Baseline, ...] = ()
    for number in range(30):
        history = add(history, entry(number, marks=marks))
    assert 10 < len(history) < 30
    assert len(write_history(history).encode()) <= MOST_BYTES


def test_only_the_newest_entries_keep_what_is_in_the_images() -> None:
    contents = (Contents(services=("web",), packages=("musl 1.2.5",), findings=()),)
    files = (Remarked(path="Dockerfile", hadolint="2.15.1", remarks=("non-root: no USER",)),)
    history: tuple[Baseline, ...] = ()
    for number in range(1, MOST_CONTENTS + 4):
        history = add(history, entry(number, contents=contents, dockerfiles=files))
    entries = parse_history(write_history(history))
    assert [item.contents for item in entries] == [CONTENTS_GONE] * 3 + [contents] * MOST_CONTENTS
    assert [each.dockerfiles for each in entries] == [REMARKS_GONE] * 3 + [files] * MOST_CONTENTS


def test_costs_of_images_that_were_not_built_are_carried_over() -> None:
    history = add((), with_cost(1, web=40.0, redis=2.0))
    history = add(history, with_cost(2, web=None, redis=3.0, new=None))
    history = add(history, with_cost(3, web=None, redis=None, new=None))
    costs = {service.name: service.cost_seconds for service in history[-1].services}
    assert costs == {"web": 40.0, "redis": 3.0, "new": None}


def test_costs_are_not_carried_back() -> None:
    history = add((with_cost(2, web=40.0),), with_cost(1, web=None))
    assert history[0].services[0].cost_seconds is None


def test_what_could_not_be_read_back_is_not_written() -> None:
    mark = replace(entry(1).marks[0], value=float("nan"))
    with pytest.raises(HistoryError):
        write_history((entry(1, marks=(mark,)),))


def test_nearest_is_the_first_commit_with_numbers() -> None:
    history = (entry(1), entry(2), incomplete(3))
    commits = [commit(number) for number in (4, 3, 2, 1)]
    assert nearest(history, commits) == (entry(2), 2)
    assert nearest(history, commits[2:]) == (entry(2), 0)


def test_nothing_near() -> None:
    assert nearest((entry(1), incomplete(2)), [commit(2)]) is None
    assert nearest((), []) is None


@given(st.lists(st.tuples(st.integers(0, 12), st.booleans(), st.integers(1, 2000)), max_size=30))
def test_any_sequence_of_runs_gives_a_sound_history(runs: list[tuple[int, bool, int]]) -> None:
    history: tuple[Baseline, ...] = ()
    for number, measured, total_mb in runs:
        history = add(history, entry(number, total_mb) if measured else incomplete(number), most=8)
        history = parse_history(write_history(history))
    last = {number: (measured, total_mb) for number, measured, total_mb in runs}
    assert numbers(history) == sorted(set(numbers(history)))
    assert len(history) <= 8
    for item in history:
        measured, total_mb = last[int(item.commit, 16)]
        assert item == (
            entry(int(item.commit, 16), total_mb) if measured else incomplete(int(item.commit, 16))
        )


def test_earlier_peaks_are_those_of_commits_measured_alike() -> None:
    other = replace(make_environment(), kernel="7.1")
    start = PastCheck(id="memory.boot", subject="stack", value=9.0, limit=None, state=State.GO)
    history = (
        entry(1, total_bytes=5, marks=(start,)),  # as they were kept before boots were
        entry(2, total_bytes=7, peaks=(6, 7)),
        entry(3, environment=other),
        entry(4, metric="pss"),
        entry(5, limit_bytes=1),
        entry(6, machine=MachineKind.TWIN),
        incomplete(7),
        entry(8, total_bytes=8),
        entry(9, total_bytes=10),
    )
    assert earlier_peaks(history, history[7]) == (9, 6, 8)
