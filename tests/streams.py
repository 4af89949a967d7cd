"""Streams of passes as the sampler would send them, seeded: services under load, with an engine."""

import random
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace

from onegig.machine.cgroup import Account
from onegig.machine.machine import Start
from onegig.machine.processes import Usage
from onegig.machine.recording import Recording
from onegig.machine.sampler import ContainerUsage, Pass
from onegig.memory.figures import Observation, take_figures
from onegig.memory.summary import (
    summarise_boot,
    summarise_box,
    summarise_engine,
    summarise_samples,
    summarise_services,
    summarise_windows,
)
from onegig.model.budgets import Metric
from onegig.model.memory import Start as StartReport
from onegig.model.stack import Stack
from stacks import plain_container, plain_service

MIB = 1024**2
PAGE = 4096


def passes(count: int, services: int = 15, *, hz: float = 10.0) -> Iterator[Pass]:
    """Yield passes of services whose every number moves all the time: what packs worst."""
    dice = random.Random("passes")
    ids = [dice.randbytes(32).hex() for _ in range(services)]

    def account(base: int) -> Account:
        return Account(
            usage=base + PAGE * dice.randrange(2000),
            anon=base + PAGE * dice.randrange(500),
            file=PAGE * dice.randrange(900),
            inactive_file=PAGE * dice.randrange(400),
            shmem=PAGE * dice.randrange(100),
            kernel=PAGE * dice.randrange(300),
            peak=base + PAGE * 3000,
            oom_kills=0,
        )

    def usage(base: int) -> Usage:
        rss = base + PAGE * dice.randrange(500)
        return Usage(2, rss, rss - PAGE * dice.randrange(300), PAGE * dice.randrange(100))

    for at in range(count):
        yield Pass(
            time=1000 + at / hz + dice.random() / 1000,
            cost_seconds=dice.random() / 100,
            box=account(300 * MIB),
            pressure=None,
            engine={"dockerd": usage(70 * MIB), "containerd": usage(29 * MIB)},
            containers={name: ContainerUsage(usage(9 * MIB), account(9 * MIB)) for name in ids},
            unreadable=0,
        )


def observe(stream: Sequence[Pass], *windows: Sequence[Pass]) -> tuple[Observation, Stack]:
    """Return what was seen of a stack with one container for each service in the stream."""
    names = [f"service-{number}" for number, _ in enumerate(stream[0].containers)]
    ids = zip(names, stream[0].containers, strict=True)
    seen = Observation(
        passes=stream,
        windows=windows or (stream,),
        containers=tuple(replace(plain_container(name), container_id=cid) for name, cid in ids),
        answered=True,
        restarts_before={},
        logs={},
        start=Start(report=StartReport(seconds=1.0), began=0.0),
    )
    services = tuple(map(plain_service, names))
    return seen, Stack(name="s", directory="/", files=(), services=services, config_json="{}")


def summarise(seen: Observation, stack: Stack, metric: Metric = Metric.COST) -> tuple[object, ...]:
    """Return every part of the report that comes from passes."""
    figures = take_figures(seen, stack, metric)
    return (
        summarise_services(figures),
        summarise_boot(figures),
        summarise_engine(figures),
        summarise_box(figures, mode="", cap_bytes=1024 * MIB),
        summarise_samples(figures),
        summarise_windows(figures.windows),
    )


def record(stream: Iterable[Pass]) -> Recording:
    """Keep a stream as a measurement does."""
    recording = Recording()
    for sample in stream:
        recording.add(sample)
    return recording
