"""Bake's plain progress, parsed: the steps that really run, and the time of each image.

A step that several targets have in common runs once. Bake then shows it now under the one name and
now under the other, or under a number of its own as CACHED; what tells that it is the same is its
Dockerfile, its stage, its place in there and its text.
"""

import math
import re
import time
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass

MAX_WIDTH = 100
CACHE_TROUBLE = "GitHub's build cache fails, the build goes on: {}"
_LINE = re.compile(
    r"#(?P<number>\d+) (?:"
    r"(?P<step>\[(?P<words>(?:[^\]]+ )?)(?P<place>\d+/\d+)\] (?P<command>.+))"
    r"|(?P<cached>CACHED)|DONE (?P<seconds>\d+\.\d+)s|(?P<output>\d+\.\d+) "
    r"|(?P<cache>(?:\[[^\]]+\] )?(?:importing cache manifest from gha|exporting to GitHub))"
    r"|ERROR: (?P<error>.+))"
)
_VERTEX = re.compile(
    r"#(?P<number>\d+) (?:(?P<ended>DONE (?P<seconds>\d+\.\d+)s|CACHED|CANCELED|ERROR: .*)"
    r"|(?P<text>\[.+|exporting to .+))"
)
_TAKES_FROM = re.compile(r"\bfrom=([\w.-]+)")  # COPY --from=tools, RUN --mount=from=tools
_QUERY = re.compile(r"\?[^\s\"]*")  # of an address: it may hold a signature


@dataclass(frozen=True, slots=True)
class Step:
    """One instruction of a Dockerfile; `file` stands for the Dockerfile and its context."""

    file: str
    stage: str
    place: str  # "2/5"
    command: str


class Steps:
    """Reads bake's progress; says which steps really run, once each.

    `files` maps every target of the build to what stands for its Dockerfile.
    """

    def __init__(self, say: Callable[[str], None], files: Mapping[str, str]) -> None:
        self._say = say
        self._files = files
        self._texts: dict[str, str] = {}  # by number, "" once it was said
        self._steps: dict[str, Step] = {}
        self._cached: set[str] = set()
        self._targets: defaultdict[str, set[Step]] = defaultdict(set)
        self._seconds: dict[Step, float] = {}
        self._cache: set[str] = set()  # numbers of what moves to or from GitHub's cache
        self._complained = False

    def __str__(self) -> str:
        return f"{len(self._cached)} of {len(self._texts)} steps unchanged"

    def read(self, line: str) -> None:
        """Read one line of `--progress plain`."""
        match = _LINE.match(line)
        if match is None:
            return
        number, known = match["number"], match["number"] in self._texts
        if match["step"]:
            self._begin(number, match)
        elif match["cached"] and known:
            self._cached.add(number)
        elif match["seconds"] and known:
            step = self._steps[number]
            self._seconds[step] = max(float(match["seconds"]), self._seconds.get(step, 0.0))
        elif match["output"] and self._texts.get(number):
            self._say(self._texts[number][:MAX_WIDTH])
            self._texts[number] = ""
        elif match["cache"]:
            self._cache.add(number)
        elif match["error"] and number in self._cache and not self._complained:
            reason = _QUERY.sub("", match["error"])  # once: it costs time and nothing else
            self._say(CACHE_TROUBLE.format(reason)[: 2 * MAX_WIDTH])
            self._complained = True

    def shares(self, seconds: float) -> dict[str, float]:
        """Divide the `seconds` of a build among the targets that were built from scratch.

        Steps beside one another slow each other down, so theirs are scaled to the time they took
        together. Bases are left out: having them depends on the machine.
        """
        known = set().union(*self._targets.values())
        targets = {n: _without_bases(_whole(steps, known)) for n, steps in self._targets.items()}
        users = Counter(step for steps in targets.values() for step in steps)
        ran = sum(self._seconds[step] for step in _without_bases(self._seconds))
        scale = min(1.0, seconds / ran) if ran else 1.0
        return {
            target: round(scale * sum(self._seconds[step] / users[step] for step in steps), 3)
            for target, steps in targets.items()
            if steps and all(step in self._seconds for step in steps)
        }

    def _begin(self, number: str, match: re.Match[str]) -> None:
        stage, target = match["words"].strip(), next(iter(self._files), "")
        self._texts.setdefault(number, match["step"])
        if len(self._files) > 1 and stage:
            target, _, stage = stage.partition(" ")
        step = Step(self._files.get(target, ""), stage, match["place"], match["command"])
        self._steps[number] = step
        self._targets[target].add(step)


def _whole(seen: set[Step], known: set[Step]) -> set[Step]:
    """Return a target's steps, with those of its stages that were only shown under other names.

    Where several targets have a step of their own at that place, it is not known which is meant.
    """
    alike = Counter((step.file, step.stage, step.place) for step in known)
    steps: set[Step] = set()
    more = seen
    while more:
        steps = steps | more
        stages = {
            (step.file, stage)
            for step in steps
            for stage in (step.stage, *_TAKES_FROM.findall(step.command))
        }
        own = {(step.file, step.stage, step.place) for step in steps}
        more = {
            step
            for step in known
            if (step.file, step.stage) in stages
            and (place := (step.file, step.stage, step.place)) not in own
            and alike[place] == 1
        }
    return steps


def _without_bases(steps: Iterable[Step]) -> list[Step]:
    return [step for step in steps if not step.command.startswith("FROM ")]


@dataclass(slots=True)
class _Vertex:
    """One thing that BuildKit does: a step, reading a context, writing an image."""

    text: str
    began: float
    ended: float = math.inf
    failed: bool = False

    @property
    def is_step(self) -> bool:
        """Return whether it is an instruction of a Dockerfile."""
        return "internal]" not in self.text and self.text.startswith("[")


class Timeline:
    """Times of bake's steps, from its plain progress and the monotonic clock."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._vertices: dict[str, _Vertex] = {}

    def read(self, line: str) -> None:
        """Read one line of `--progress plain`."""
        match = _VERTEX.match(line)
        if match is None:
            return
        now, vertex = self._clock(), self._vertices.get(match["number"])
        if match["text"] and vertex is None:
            self._vertices[match["number"]] = _Vertex(match["text"], now)
        elif match["ended"] and vertex is not None:
            vertex.ended = now
            vertex.failed |= match["ended"].startswith("ERROR")
            if match["seconds"]:  # lines come late, several at once
                vertex.began = min(vertex.began, now - float(match["seconds"]))

    def running(self, at: float) -> tuple[str, ...]:
        """Return the steps that were running at a moment, or else BuildKit's own work."""
        running = [v for v in self._vertices.values() if v.began <= at <= v.ended]
        steps = [vertex for vertex in running if vertex.is_step] or running
        return tuple(dict.fromkeys(vertex.text for vertex in steps))

    @property
    def failed(self) -> tuple[str, ...]:
        """Return the steps that failed."""
        return tuple(v.text for v in self._vertices.values() if v.failed and v.is_step)
