"""From passes to report: the peak is one pass, and its parts add up to the headline."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from onegig.machine.cgroup import Account, Pressure
from onegig.machine.machine import Start
from onegig.machine.processes import Usage
from onegig.machine.sampler import ContainerUsage as Seen
from onegig.machine.sampler import Pass
from onegig.memory.figures import Figures, Observation, take_figures
from onegig.memory.summary import (
    MOST_FIGURES,
    MOST_SAMPLES,
    summarise_boot,
    summarise_box,
    summarise_engine,
    summarise_samples,
    summarise_services,
    summarise_windows,
)
from onegig.memory.totals import engine_of, peak_pass, total_of
from onegig.model.budgets import Metric
from onegig.model.measured import Unknown
from onegig.model.memory import BootPeak, Stall
from onegig.model.memory import Start as StartReport
from onegig.model.service import ServiceState, Trend
from onegig.model.stack import Service, Stack
from stacks import plain_container as container
from stacks import plain_service

MIB = 1024**2


def account(usage: int, **changes: int | None) -> Account:
    values = {"anon": usage, "peak": usage}
    values |= dict.fromkeys(("file", "inactive_file", "shmem", "kernel", "oom_kills"), 0)
    return Account(usage=usage, **{**values, **changes})  # type: ignore[arg-type]


def one_pass(time: float, rss: dict[str, int], **changes: object) -> Pass:
    values: dict[str, object] = {
        "time": time,
        "cost_seconds": 0.002,
        "box": account(200 * MIB, inactive_file=20 * MIB, file=50 * MIB),
        "pressure": None,
        "engine": {"dockerd": Usage(1, 90 * MIB, 80 * MIB), "shim": Usage(2, 40 * MIB, 12 * MIB)},
        "containers": {
            key: Seen(usage=Usage(1, value, value // 2), account=account(value))
            for key, value in rss.items()
        },
        "unreadable": 0,
        "oom_killed": [],
    }
    return Pass(**{**values, **changes})  # type: ignore[arg-type]


def stack(*services: Service) -> Stack:
    return Stack(name="demo", directory="/demo", files=(), services=services, config_json="{}")


STACK = stack(plain_service("a"), plain_service("b"))
STARTED = Start(report=StartReport(seconds=1.0), began=0.0)


def observed(*passes: Pass, **containers: object) -> Observation:
    return Observation(
        passes=passes,
        windows=(passes,),
        containers=(container("a"), container("b", **containers)),
        answered=True,
        restarts_before={},
        logs={},
        start=STARTED,
    )


def figures(seen: Observation, of: Stack = STACK, metric: Metric = Metric.RSS) -> Figures:
    return take_figures(seen, of, metric)


def test_the_peak_is_one_moment_not_a_sum_of_peaks() -> None:
    early = one_pass(0, {"id-a": 100 * MIB, "id-b": 10 * MIB})
    late = one_pass(1, {"id-a": 10 * MIB, "id-b": 105 * MIB})
    seen = observed(early, late)
    a, b = summarise_services(figures(seen))
    assert (a.rss_bytes, b.rss_bytes) == (10 * MIB, 105 * MIB)
    assert (a.rss_min_bytes, a.rss_max_bytes) == (10 * MIB, 100 * MIB)
    box = summarise_box(figures(seen), mode="host engine", cap_bytes=1024 * MIB)
    assert box.total_rss_bytes == 115 * MIB
    assert box.charged_bytes == 180 * MIB
    assert box.peak_anon_bytes == 150 * MIB


def test_the_engine_counts_by_pss_in_the_headline_in_a_fixed_order() -> None:
    sample = one_pass(0, {"id-a": 10 * MIB})
    totals = [total_of(sample, metric) for metric in (Metric.RSS, Metric.PSS, Metric.CHARGED)]
    assert totals == [(80 + 12 + 10) * MIB, (80 + 12 + 5) * MIB, 180 * MIB]
    parts = summarise_engine(figures(observed(sample)))
    assert [(part.name, part.processes) for part in parts] == [("dockerd", 1), ("shim", 2)]


def test_an_oom_kill_is_charged_to_the_service_the_kernel_named() -> None:
    killed = one_pass(1, {"id-a": MIB}, oom_killed=[("/docker/box", "/docker/box/docker/id-b")])
    a, b = summarise_services(figures(observed(one_pass(0, {}), killed, restarts=1)))
    assert (a.state, a.oom_kills) == (ServiceState.HEALTHY, 0)
    assert (b.state, b.oom_kills, b.restarts) == (ServiceState.OOM_KILLED, 1, 1)


def test_without_a_kernel_log_the_counters_tell() -> None:
    seen_container = Seen(usage=Usage(1, MIB, MIB), account=account(MIB, oom_kills=3))
    passes = one_pass(0, {}, containers={"id-b": seen_container})
    _, b = summarise_services(figures(observed(passes)))
    assert (b.state, b.oom_kills) == (ServiceState.OOM_KILLED, 3)


@pytest.mark.parametrize(
    ("changes", "state"),
    [
        ({}, ServiceState.HEALTHY),
        ({"health": ""}, ServiceState.RUNNING),
        ({"health": "starting"}, ServiceState.NOT_READY),
        ({"health": "unhealthy"}, ServiceState.UNHEALTHY),
        ({"status": "exited", "exit_code": 1}, ServiceState.CRASHED),
        ({"status": "exited", "exit_code": 0}, ServiceState.COMPLETED),
        ({"status": "exited", "exit_code": 0, "restarts": 2}, ServiceState.COMPLETED),
        ({"status": "exited", "exit_code": 0, "stays_up": True}, ServiceState.STOPPED),
        ({"status": "restarting", "restarts": 1}, ServiceState.CRASHED),
        ({"status": "restarting", "restarts": 1, "exit_code": 0}, ServiceState.CRASHED),
        ({"restarts": 2}, ServiceState.HEALTHY),
        ({"restarts": 3}, ServiceState.CRASHED),
        ({"status": "created"}, ServiceState.WAITING),
        ({"status": "created", "error": "exec: not found"}, ServiceState.REFUSED),
    ],
)
def test_states_of_a_service(changes: dict[str, object], state: ServiceState) -> None:
    _, b = summarise_services(figures(observed(one_pass(0, {}), **changes)))
    assert b.state is state


def test_restarts_before_the_window_do_not_make_a_crash() -> None:
    seen = replace(observed(one_pass(0, {}), restarts=9), restarts_before={"id-b": 7})
    _, b = summarise_services(figures(seen, metric=Metric.COST))
    assert (b.state, b.restarts) == (ServiceState.HEALTHY, 9)
    assert b.peak_bytes == Unknown(reason="never seen running")


def test_what_the_engine_refuses_is_told_from_what_waits_for_it() -> None:
    three = stack(*STACK.services, plain_service("c", depends_on=("b",)))
    start = replace(STARTED, refused={"b": "Range of CPUs is from 0.01 to 2.00"})
    seen = replace(observed(one_pass(0, {})), containers=(container("a"),), start=start)
    _, b, c = summarise_services(figures(seen, three, Metric.COST))
    assert (b.state, b.reason) == (ServiceState.REFUSED, start.refused["b"])
    assert (c.state, c.waits_for) == (ServiceState.WAITING, ("b",))


def test_when_time_ran_out_nothing_has_failed() -> None:
    """The service that was waited for became healthy in the window; the next had no time left."""
    chain = stack(plain_service("a"), plain_service("b", depends_on=("a",)))
    late = StartReport(seconds=120.0, timed_out=True, waited_for=("a",))
    seen = observed(one_pass(0, {}), status="created", health="")
    seen = replace(seen, start=replace(STARTED, report=late))
    _, b = summarise_services(figures(seen, chain))
    assert (b.state, b.waits_for) == (ServiceState.NOT_READY, ("a",))


def test_what_waits_for_no_service_has_the_words_of_compose() -> None:
    start = replace(STARTED, problem="network front declared as external, but could not be found")
    seen = replace(observed(one_pass(0, {}), status="created", health=""), start=start)
    a, b = summarise_services(figures(seen, metric=Metric.COST))
    assert (a.reason, b.reason) == ("", start.problem)


def test_shared_memory_counts_once_whether_mapped_or_not() -> None:
    """150 MB of tmpfs, mapped by two processes of a and charged to its cgroup."""
    usage = Usage(2, 320 * MIB, 170 * MIB, 150 * MIB)
    own = account(200 * MIB, file=150 * MIB, shmem=150 * MIB, kernel=2 * MIB)
    box = account(300 * MIB, file=160 * MIB, shmem=151 * MIB, kernel=9 * MIB)
    one = one_pass(0, {}, box=box, containers={"id-a": Seen(usage=usage, account=own)})
    assert total_of(one, Metric.COST) == (92 + 20 + 151 + 9) * MIB
    assert engine_of(one, Metric.COST) == (92 + 1 + 7) * MIB
    a, _ = summarise_services(figures(observed(one), metric=Metric.COST))
    assert (a.cost_bytes, a.shmem_bytes, a.kernel_bytes) == (172 * MIB, 150 * MIB, 2 * MIB)
    assert box.unreclaimable == 291 * MIB


@pytest.mark.parametrize(
    ("what", "grows"), [("kernel", False), ("file", False), ("shmem", True), ("anon", True)]
)
def test_caches_of_the_kernel_are_no_growth(what: str, grows: bool) -> None:
    """Mapped files are in PSS and still can be dropped."""
    passes = [
        one_pass(
            float(at),
            {},
            box=account(300 * MIB, **{what: at * MIB}),
            containers={
                "id-a": Seen(
                    usage=Usage(1, (20 + at) * MIB, (20 + at) * MIB),
                    account=account(90 * MIB, **{what: at * MIB}),
                )
            },
        )
        for at in range(40)
    ]
    taken = figures(observed(*passes), stack(plain_service("a")))
    (a,) = summarise_services(taken)
    for trend in (a.trend, summarise_box(taken, mode="", cap_bytes=1).trend):
        assert isinstance(trend, Trend)
        assert trend.grows is grows


def test_the_peak_while_starting_names_who_made_it() -> None:
    boot = one_pass(1, {"id-a": 10 * MIB, "id-b": 860 * MIB})
    window = (one_pass(9, {"id-a": 10 * MIB}),)
    seen = replace(in_windows(window), passes=(boot, *window))
    peak = summarise_boot(figures(seen))
    assert isinstance(peak, BootPeak)
    assert (peak.starting, peak.offset_seconds) == (True, 1.0)
    assert peak.causes == (("b", 860 * MIB),)
    later = summarise_boot(figures(in_windows(window)))
    assert isinstance(later, BootPeak)
    assert later.starting is False


def test_stall_time_is_the_difference_over_the_window() -> None:
    first = one_pass(0, {}, pressure=Pressure(some=1_000_000, full=0))
    last = one_pass(1, {}, pressure=Pressure(some=3_500_000, full=500_000))
    box = summarise_box(figures(observed(first, last)), mode="", cap_bytes=1)
    assert box.stall == Stall(some_seconds=2.5, full_seconds=0.5)


sizes = st.integers(min_value=0, max_value=1024 * MIB)


@given(st.lists(st.tuples(sizes, sizes), min_size=1, max_size=20), st.sampled_from(Metric))
def test_parts_add_up_to_the_highest_total(rows: list[tuple[int, int]], metric: Metric) -> None:
    passes = [one_pass(float(i), {"id-a": a, "id-b": b}) for i, (a, b) in enumerate(rows)]
    seen = observed(*passes)
    taken = figures(seen, metric=metric)
    samples = summarise_samples(taken)
    highest = max(sample.total_bytes for sample in samples)
    assert highest == total_of(peak_pass(passes, metric), metric)
    if metric is Metric.RSS:
        services = summarise_services(taken)
        engine = sum(part.pss_bytes for part in summarise_engine(taken))
        assert sum(one.rss_bytes for one in services) + engine == highest
    assert all(len(sample.service_bytes) == 2 for sample in samples)


def in_windows(*windows: tuple[Pass, ...]) -> Observation:
    passes = tuple(one for window in windows for one in window)
    containers = (container("a"), container("b"))
    return replace(observed(*passes), windows=windows, containers=containers)


def test_the_highest_window_counts_and_every_one_is_kept() -> None:
    low = (one_pass(10, {"id-a": 2 * MIB}), one_pass(11, {"id-a": 5 * MIB, "id-b": MIB}))
    high = (one_pass(20, {"id-a": 9 * MIB}), one_pass(21, {"id-a": 8 * MIB}))
    last = (one_pass(30, {"id-a": 7 * MIB}),)
    seen = in_windows(low, high, last)
    a, b = summarise_services(figures(seen))
    assert (a.rss_bytes, a.rss_min_bytes, a.rss_max_bytes) == (9 * MIB, 2 * MIB, 9 * MIB)
    assert (b.rss_bytes, b.rss_max_bytes) == (0, MIB)
    samples = summarise_samples(figures(seen))
    assert [one.offset_seconds for one in samples] == [0, 1]
    windows = summarise_windows(figures(seen).windows)
    engine = 92 * MIB
    assert [(one.offset_seconds, one.samples) for one in windows] == [(0, 2), (10, 2), (20, 1)]
    assert [(one.low_bytes - engine, one.high_bytes - engine) for one in windows] == [
        (2 * MIB, 6 * MIB),
        (8 * MIB, 9 * MIB),
        (7 * MIB, 7 * MIB),
    ]
    assert windows[0].totals == (engine + 2 * MIB, engine + 6 * MIB)
    assert windows[0].services == ((2 * MIB, 5 * MIB), (0, MIB))


@pytest.mark.parametrize(("metric", "share"), [("rss", 8), ("pss", 4), ("charged", 8)])
def test_services_of_a_window_by_the_metric(metric: str, share: int) -> None:
    seen = in_windows((one_pass(0, {"id-a": 8 * MIB}),))
    (window,) = summarise_windows(figures(seen, metric=Metric(metric)).windows)
    assert window.services[0] == (share * MIB, share * MIB)


def test_a_window_has_the_age_of_its_oldest_figure() -> None:
    ages = (0.0, 1.7, 0.2)
    seen = in_windows(
        tuple(one_pass(at, {"id-a": MIB}, age_seconds=age) for at, age in enumerate(ages))
    )
    assert figures(seen).window.age_seconds == 1.7


def test_samples_of_very_many_services_are_fewer() -> None:
    """A report of five minutes must be one that a pull request's run can hand on."""
    passes = [one_pass(at / 10, {}) for at in range(3_000)]
    services = [plain_service(f"s{number}") for number in range(500)]
    samples = summarise_samples(figures(observed(*passes), stack(*services)))
    assert len(samples) > 500
    assert sum(len(each.service_bytes) for each in samples) <= MOST_FIGURES


def test_a_long_window_is_thinned_without_losing_a_peak() -> None:
    hour = tuple(
        one_pass(at / 10, {"id-a": MIB + 1000 * (at % 7), "id-b": 90 * MIB * (at == 20_011)})
        for at in range(36_000)
    )
    seen = in_windows(hour)
    samples = summarise_samples(figures(seen))
    assert len(samples) == MOST_SAMPLES
    assert max(one.total_bytes for one in samples) == total_of(hour[20_011], Metric.RSS)
    offsets = [one.offset_seconds for one in samples]
    assert offsets == sorted(set(offsets))
    (window,) = summarise_windows(figures(seen).windows)
    assert (window.samples, len(window.totals)) == (36_000, MOST_SAMPLES)
    assert window.low_bytes == total_of(hour[0], Metric.RSS)
    assert window.high_bytes == max(window.totals)
