"""What is read from logs of real builds: three targets, two of them of one Dockerfile."""

from collections.abc import Sequence
from pathlib import Path

import pytest

from onegig.engine.build_steps import Steps, Timeline

LOGS = Path(__file__).parents[2] / "golden" / "build"
NOBODY_THERE = (
    'Get "http://127.0.0.1:9/_apis/artifactcache/cache": dial tcp 127.0.0.1:9: connect: '
    "connection refused"
)
FILES = {"web": "Dockerfile", "jobs": "Dockerfile", "cache": "other/Dockerfile"}


def read(name: str, *targets: str) -> tuple[Steps, list[str]]:
    return replay((LOGS / f"{name}.log").read_text().splitlines(), *targets)


def replay(lines: Sequence[str], *targets: str) -> tuple[Steps, list[str]]:
    said: list[str] = []
    steps = Steps(said.append, {target: FILES[target] for target in targets or FILES})
    for line in lines:
        steps.read(line)
    return steps, said


def test_a_step_of_two_targets_counts_for_each_in_half() -> None:
    """1.6 s for both, 0.9 s for each of them alone, 0.6 s for the third."""
    steps, lines = read("from-nothing")
    assert steps.shares(100) == {"web": 1.7, "jobs": 1.7, "cache": 0.6}
    assert lines == ["[cache 2/3] RUN sleep 0.3 && echo internal"]


def test_steps_beside_one_another_add_up_to_the_time_they_took_together() -> None:
    steps, _ = read("from-nothing")
    assert steps.shares(2) == {"web": 0.85, "jobs": 0.85, "cache": 0.3}


@pytest.mark.parametrize("log", ["cached", "partly"])
def test_what_came_out_of_a_cache_in_part_has_no_cost(log: str) -> None:
    steps, lines = read(log)
    assert steps.shares(100) == {}
    assert lines == []


def test_a_single_target_is_not_named_in_the_log() -> None:
    steps, lines = read("single", "cache")
    assert steps.shares(100) == {"cache": 0.4}
    assert lines == ["[2/3] RUN sleep 0.3 && echo internal"]


def test_a_step_that_others_have_too_may_come_to_them_as_cached() -> None:
    """As bake shows it for what differs in nothing but the copy of the context it read."""
    steps, _ = replay(
        [
            "#7 [web 2/3] COPY lib /lib",
            "#7 DONE 1.0s",
            "#8 [web 3/3] RUN make web",
            "#8 DONE 2.0s",
            "#9 [jobs 2/3] COPY lib /lib",
            "#9 CACHED",
            "#10 [jobs 3/3] RUN make jobs",
            "#10 DONE 3.0s",
            "#11 [cache 2/3] COPY lib /lib",
            "#11 CACHED",
        ]
    )
    assert steps.shares(100) == {"web": 2.5, "jobs": 3.5}


def test_trouble_with_the_cache_is_told_once_and_without_what_an_address_may_hold() -> None:
    steps, lines = read("cache-out-of-reach", "web", "jobs")
    assert lines == [f"GitHub's build cache fails, the build goes on: {NOBODY_THERE}"]
    assert steps.shares(100) == {"web": 0.2}  # bake does not show that jobs has it, too


def test_an_error_of_a_step_is_no_trouble_with_the_cache() -> None:
    _, lines = replay(
        ["#7 [web 2/3] RUN false", "#7 ERROR: process did not complete: exit code: 1"]
    )
    assert lines == []


def test_when_what_ran_is_known_from_lines_that_come_late() -> None:
    lines = (
        (1.0, "#1 [web internal] load build definition from Dockerfile"),
        (1.5, "#1 DONE 0.1s"),
        (2.0, "#2 [web 1/2] FROM alpine"),
        (2.0, "#2 CACHED"),
        (3.0, "#3 [web 2/2] RUN make"),
        (4.0, "#3 [web 2/2] RUN make"),
        (5.0, "#4 [api 2/2] RUN make"),
        (6.0, "#3 DONE 3.5s"),
        (7.0, '#4 ERROR: process "make" did not complete successfully: exit code: 137'),
        (8.0, "#5 [web] exporting to image"),
    )
    times = iter([at for at, _ in lines])
    timeline = Timeline(lambda: next(times))
    for _, line in lines:
        timeline.read(line)
    running = {at: timeline.running(at) for at in (1.2, 2.6, 5.5, 6.5, 9.0)}
    assert running == {
        1.2: ("[web internal] load build definition from Dockerfile",),
        2.6: ("[web 2/2] RUN make",),  # it took 3.5 s and was over at 6
        5.5: ("[web 2/2] RUN make", "[api 2/2] RUN make"),
        6.5: ("[api 2/2] RUN make",),
        9.0: ("[web] exporting to image",),
    }
    assert timeline.failed == ("[api 2/2] RUN make",)
