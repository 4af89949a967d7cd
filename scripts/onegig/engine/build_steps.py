"""What bake's plain progress tells: which steps really run, and what each image took.

A step that several targets have in common runs once. Bake then shows it now under the one name and
now under the other, or under a number of its own as CACHED; what tells that it is the same is its
Dockerfile, its stage, its place in there and its text.
"""

import re
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass

MAX_WIDTH = 100
CACHE_TROUBLE = "GitHub's build cache fails, the build goes on: {}"
_STEP = re.compile(
    r"#(?P<number>\d+) (?P<text>\[(?P<words>(?:[^\]]+ )?)(?P<place>\d+/\d+)\] (?P<command>.+))"
)
_OUTPUT = re.compile(r"#(?P<number>\d+) \d+\.\d+ ")  # a line that a step printed
_CACHED = re.compile(r"#(?P<number>\d+) CACHED")
_DONE = re.compile(r"#(?P<number>\d+) DONE (?P<seconds>\d+\.\d+)s")
_CACHE = re.compile(
    r"#(?P<number>\d+) (?:\[[^\]]+\] )?(?:importing cache manifest from gha|exporting to GitHub)"
)
_TAKES_FROM = re.compile(r"\bfrom=([\w.-]+)")  # COPY --from=tools, RUN --mount=from=tools
_QUERY = re.compile(r"\?[^\s\"]*")  # of an address: it may hold a signature
_ERROR = re.compile(r"#(?P<number>\d+) ERROR: (?P<reason>.+)")


@dataclass(frozen=True, slots=True)
class Step:
    """One instruction of a Dockerfile; `file` stands for the Dockerfile and its context."""

    file: str
    stage: str
    place: str  # "2/5"
    command: str

    @property
    def stages(self) -> tuple[str, ...]:
        """Its own stage, and those it takes files from."""
        return (self.stage, *_TAKES_FROM.findall(self.command))


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
        """One line of `--progress plain`."""
        if match := _STEP.match(line):
            self._begin(match)
        elif (match := _CACHED.match(line)) and match["number"] in self._texts:
            self._cached.add(match["number"])
        elif (match := _DONE.match(line)) and match["number"] in self._steps:
            step = self._steps[match["number"]]
            self._seconds[step] = max(float(match["seconds"]), self._seconds.get(step, 0.0))
        elif (match := _OUTPUT.match(line)) and self._texts.get(match["number"]):
            self._say(self._texts[match["number"]][:MAX_WIDTH])
            self._texts[match["number"]] = ""
        else:
            self._read_cache(line)

    def shares(self, seconds: float) -> dict[str, float]:
        """Of a build that took `seconds`, what each target took that was built from nothing.

        Steps beside one another slow each other down, so theirs are scaled to the time they took
        together. Bases are left out: having them depends on the machine.
        """
        known = {step for steps in self._targets.values() for step in steps}
        targets = {
            name: _without_bases(_whole(seen, known)) for name, seen in self._targets.items()
        }
        users = Counter(step for steps in targets.values() for step in steps)
        ran = sum(self._seconds[step] for step in _without_bases(self._seconds))
        scale = min(1.0, seconds / ran) if ran else 1.0
        return {
            target: round(scale * sum(self._seconds[one] / users[one] for one in steps), 3)
            for target, steps in targets.items()
            if steps and all(step in self._seconds for step in steps)
        }

    def _begin(self, match: re.Match[str]) -> None:
        number, words = match["number"], match["words"].split()
        self._texts.setdefault(number, match["text"])
        target = words.pop(0) if len(self._files) > 1 and words else next(iter(self._files), "")
        step = Step(self._files.get(target, ""), " ".join(words), match["place"], match["command"])
        self._steps[number] = step
        self._targets[target].add(step)

    def _read_cache(self, line: str) -> None:
        """Trouble with GitHub's cache is told once; it costs time and nothing else."""
        if match := _CACHE.match(line):
            self._cache.add(match["number"])
        elif (match := _ERROR.match(line)) and match["number"] in self._cache:
            if not self._complained:
                reason = _QUERY.sub("", match["reason"])
                self._say(CACHE_TROUBLE.format(reason)[: 2 * MAX_WIDTH])
            self._complained = True


def _whole(seen: set[Step], known: set[Step]) -> set[Step]:
    """A target's steps, with those of its stages that were only shown under other names.

    Where several targets have a step of their own at that place, it is not known which is meant.
    """
    places: defaultdict[tuple[str, str, str], set[Step]] = defaultdict(set)
    for step in known:
        places[step.file, step.stage, step.place].add(step)
    steps: set[Step] = set()
    more = seen
    while more:
        steps = steps | more
        stages = {(step.file, stage) for step in steps for stage in step.stages}
        own = {(step.file, step.stage, step.place) for step in steps}
        more = {
            step
            for place, (step, *others) in places.items()
            if place[:2] in stages and place not in own and not others
        }
    return steps


def _without_bases(steps: Iterable[Step]) -> list[Step]:
    return [step for step in steps if not step.command.startswith("FROM ")]
