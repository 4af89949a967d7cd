"""Which machine builds and inspects which images, by what they cost when last built. Pure.

Longest processing time first: the dearest image goes to the machine with the least to do. The
busiest machine then has at most 4/3 - 1/(3m) times the work it has in the best distribution over m
machines (R. L. Graham, Bounds on multiprocessing timing anomalies, SIAM J. Appl. Math. 17, 1969).

Images of one Dockerfile share layers, which every machine that builds any of them has to build: one
image of the reference stack took 3.0 s, all fifteen together 8.3 s. So a distribution that keeps
such images together is taken if it, too, is within 4/3 of what any must take.
"""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from heapq import heapreplace
from statistics import median

from onegig.model.budgets import Shards
from onegig.model.stack import Service, Stack
from onegig.model.verdict import Baseline

MATRIX_JOBS = 256  # most jobs of a matrix: docs.github.com/actions/reference/limits
START_SECONDS = 60.0  # until a machine is there, has the commit, Python and a builder
IMAGE_SECONDS = 20.0  # an image's cost if none is known
SLACK_STEPS = 100  # between the least possible work of the busiest machine and 4/3 of it


@dataclass(frozen=True, kw_only=True, slots=True)
class Costs:
    """Costs of services' images: seconds to build them, else at least their size."""

    seconds: Mapping[str, float] = field(default_factory=dict)
    bytes: Mapping[str, float] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True, slots=True)
class Job:
    """One image: its services stay together, and it is better off beside others of its file."""

    image: str
    services: tuple[str, ...]
    file: str  # the Dockerfile; an image that is pulled is alone
    seconds: float


@dataclass(frozen=True, kw_only=True, slots=True)
class Shard:
    """The services whose images one machine builds and inspects."""

    name: str
    services: tuple[str, ...]


Part = tuple[Job, ...]


def plan_shards(stack: Stack, costs: Costs, shards: Shards) -> tuple[Shard, ...]:
    """Spread the stack's services over machines, or () if one machine does it as well.

    That is so below `shards.start` images, and if the images are known to take less time than
    starting another machine. The order of services makes no difference.
    """
    jobs = _jobs(stack, costs)
    worth = int(_work(jobs) // START_SECONDS)
    if not costs.seconds:
        worth = max(worth, 2)  # a guess is no reason against what was asked for
    most = min(shards.most, MATRIX_JOBS, len(jobs), worth)
    parts = balance(jobs, most) if len(jobs) >= shards.start and most > 1 else ()
    if len(parts) < 2:
        return ()
    services = [sorted(name for job in part for name in job.services) for part in parts]
    return tuple(
        Shard(name=str(number), services=tuple(names))
        for number, names in enumerate(services, start=1)
    )


def costs_of(baseline: Baseline) -> Costs:
    """Return the costs of an earlier run."""
    seconds = {service.name: service.cost_seconds for service in baseline.services}
    sizes = {service.name: service.image_bytes for service in baseline.services}
    return Costs(
        seconds={name: value for name, value in seconds.items() if value is not None},
        bytes={name: value for name, value in sizes.items() if isinstance(value, int)},
    )


def balance(jobs: Sequence[Job], most: int) -> tuple[Part, ...]:
    """Return the jobs in at most `most` parts, none empty, the one with the most work first.

    No more parts than make the busiest one less busy: one image that costs as much as all others
    needs two.
    """
    ways = [_longest_first(jobs, count) for count in range(1, min(most, len(jobs)) + 1)]
    best = min(ways, key=lambda parts: (max(map(_work, parts)), len(parts)))
    least = max(_work(jobs) / len(ways), max(job.seconds for job in jobs))
    together = _together(jobs, len(best), least)
    parts = together if together and _builds(together) < _builds(best) else best
    return tuple(sorted(parts, key=lambda part: (-_work(part), part[0].image)))


def _jobs(stack: Stack, costs: Costs) -> tuple[Job, ...]:
    """Return the stack's images with their costs; an unknown one costs as much as the median."""
    services: defaultdict[str, list[Service]] = defaultdict(list)
    for service in sorted(stack.services, key=lambda service: service.name):
        services[service.image].append(service)
    seconds, sizes = _by_image(services, costs.seconds), _by_image(services, costs.bytes)
    if not seconds and any(sizes.values()):  # sizes as if they were seconds
        total, all_bytes = IMAGE_SECONDS * len(sizes), sum(sizes.values())
        seconds = {image: total * size / all_bytes for image, size in sizes.items()}
    usual = median(seconds.values()) if seconds else IMAGE_SECONDS
    return tuple(
        Job(
            image=image,
            services=tuple(user.name for user in users),
            file=users[0].dockerfile or f"image {image}",
            seconds=seconds.get(image, usual),
        )
        for image, users in sorted(services.items())
    )


def _by_image(
    services: Mapping[str, Sequence[Service]], values: Mapping[str, float]
) -> dict[str, float]:
    return {
        image: max(values[user.name] for user in users if user.name in values)
        for image, users in services.items()
        if any(user.name in values for user in users)
    }


def _longest_first(jobs: Iterable[Job], count: int) -> list[Part]:
    parts: list[list[Job]] = [[] for _ in range(count)]
    busy = [(0.0, 0, place) for place in range(count)]  # seconds, jobs, place in `parts`
    for job in sorted(jobs, key=lambda job: (-job.seconds, job.image)):
        seconds, number, place = busy[0]
        parts[place].append(job)
        heapreplace(busy, (seconds + job.seconds, number + 1, place))
    return [tuple(part) for part in parts]


def _together(jobs: Sequence[Job], count: int, least: float) -> list[Part]:
    """Cut the jobs, file by file, into at most `count` parts, or [] if they would be too uneven.

    `least` is what the busiest machine has to do in any distribution.
    """
    ordered = sorted(jobs, key=lambda job: (job.file, -job.seconds, job.image))
    for step in range(SLACK_STEPS + 1):
        most = least * (1 + step / SLACK_STEPS / 3)
        parts: list[list[Job]] = [[]]
        for job in ordered:
            if parts[-1] and _work(parts[-1]) + job.seconds > most:
                parts.append([])
            parts[-1].append(job)
        if len(parts) <= count:
            return [tuple(part) for part in parts]
    return []


def _builds(parts: Iterable[Part]) -> int:
    """Count how many times a machine begins with a Dockerfile."""
    return sum(len({job.file for job in part}) for part in parts)


def _work(jobs: Iterable[Job]) -> float:
    return sum(job.seconds for job in jobs)
