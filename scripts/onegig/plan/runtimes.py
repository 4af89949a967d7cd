"""Settings of runtimes that save memory: a table of rules, each with its source.

A service's runtime is told by its executables, else by its command and image. What a rule saves is
predicted as a range, a share of the service's memory, until `plan --verify ID` measures it. The
shares were measured with the stacks of tests/foreign: the peak of anonymous memory (Postgres:
shared memory) of a container with 944 MB while it answers a fixed number of requests, in MB:

    jvm        217 -> 137, 154 -> 120, 74 -> 40   pages of 8 KB kept on the heap: 8,000 and 500
    node       49 -> 40
    workers    116 -> 67                          gunicorn with four threads each, 4 -> 2 workers
    postgres   82 -> 39                           and a client whose query is compiled 198 -> 138

max_connections=20 saved 3 MB of Postgres's and refuses clients; MALLOC_ARENA_MAX=1 with an early
trim saved less than 1 % of Python and Ruby with threads. So there are no rules for these.
"""

import json
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import Any

from onegig.model.measured import Missing
from onegig.model.plan import Action, Basis, Change, ChangeKind, Letter, Loss, Saving
from onegig.model.service import ServiceMemory
from onegig.model.tiers import MIB
from onegig.plan.case import Case
from onegig.text import plain

LEAST_BYTES = 8 * MIB  # of the memory that a rule is about; below nothing is proposed
POSTGRES_BUFFERS = 32 * MIB
FEW = 2  # workers
_CONCURRENCY = "WEB_CONCURRENCY"
SERVERS = {"postgres": "postgres", "redis": "redis-server", "valkey": "valkey-server"}  # by image
# of Docker's official images and Valkey's own, from any registry
_OFFICIAL = re.compile(r"(?:[^/]*[.:][^/]*/|localhost/)?(?:library/|valkey/)?[^/]+")
_WORKERS = re.compile(r"(?<!\S)(?:-w|--workers)[= ]?(\S+)")

Config = Mapping[str, Any]
Keys = dict[str, Any]


@dataclass(frozen=True, kw_only=True, slots=True)
class Subject:
    """A service with its section of the compose project."""

    memory: ServiceMemory
    config: Config

    @property
    def environment(self) -> Config:
        """Return its variables."""
        return self.config.get("environment") or {}

    @property
    def words(self) -> tuple[str, ...]:
        """Return entrypoint and command, as far as the compose project has them."""
        both = (self.config.get(key) or () for key in ("entrypoint", "command"))
        return tuple(
            str(word) for part in both for word in (part.split() if isinstance(part, str) else part)
        )

    @property
    def programs(self) -> tuple[str, ...]:
        """Return the names of its executables; a guess where they were not read."""
        parts = self.memory.breakdown
        if not isinstance(parts, Missing) and parts.programs:
            return parts.programs
        return (*(PurePosixPath(word).name for word in self.words[:3]), self.image)

    @property
    def image(self) -> str:
        """Return the name of its image, without a registry, a tag or a digest."""
        return re.split("[:@]", str(self.config.get("image") or "").rpartition("/")[2])[0]

    @property
    def server(self) -> str | None:
        """Return the program that an official image runs; None where it may run something else."""
        is_own = bool(self.config.get("entrypoint") or self.config.get("build"))
        is_official = _OFFICIAL.fullmatch(str(self.config.get("image") or ""))
        return SERVERS.get(self.image) if is_official and not is_own else None

    def runs(self, pattern: str) -> bool:
        """Return whether one of its executables has such a name."""
        return any(re.fullmatch(pattern, program) for program in self.programs)


@dataclass(frozen=True, kw_only=True, slots=True)
class Rule:
    """One setting of one runtime.

    `of` is the memory that it is about; of that `shares` go: at least, most likely, at most.
    """

    name: str
    program: str  # pattern of an executable's name
    title: str
    cost: str
    source: str
    of: Callable[[ServiceMemory], int]
    shares: tuple[float, float, float]
    change: Callable[[Subject], Keys | None]  # None: it is set already, or can't be
    loss: Loss = Loss.COMFORT


def runtime_settings(case: Case) -> Iterator[Action]:
    """Yield an action for each rule that fits a service and is not followed yet."""
    for subject in find_subjects(case).values():
        for rule in RULES:
            size = rule.of(subject.memory)
            if size < LEAST_BYTES or not subject.runs(rule.program):
                continue
            keys = rule.change(subject)
            if keys and all(map(case.is_literal, _repeated(subject, keys))):
                yield _action(subject.memory.name, rule, size, keys)


def _repeated(subject: Subject, keys: Keys) -> Iterator[object]:
    """Yield what a change writes again of a service's command or variables."""
    yield from subject.words if "command" in keys else ()
    for name in keys.get("environment", {}):
        yield subject.environment.get(name) or ""


def missing_size(subject: Subject) -> str:
    """Return which setting a service needs before it gets a limit; "" for none.

    Java and Node take a share of their limit for the heap, as far as nothing else says how large it
    may be: a lower limit would change what the program may use.
    """
    text = " ".join((*subject.words, *map(str, subject.environment.values())))
    for program, known, advice in _SIZES:
        if subject.runs(program) and not re.search(known, text):
            return advice
    return ""


_SIZES = (  # program, what says how large it gets, advice
    ("java", r"-Xmx|MaxRAM|MaxHeapSize", "its heap is a share of its limit: set -Xmx first"),
    (
        "node|nodejs",
        "max-old-space-size",
        "its heap is a share of its limit: set --max-old-space-size first",
    ),
)


def keeps_data(subject: Subject) -> bool:
    """Return whether a service holds its data in memory, so that it may need more next month."""
    return subject.runs("(redis|valkey)(-server)?|memcached")


def find_subjects(case: Case) -> Mapping[str, Subject]:
    """Return the services by name; none where the compose project was not read."""
    configs = case.configs
    return {
        service.name: Subject(memory=service, config=configs.get(service.name, {}))
        for service in case.memory.services
        if not isinstance(case.stack, Missing)
    }


def _action(name: str, rule: Rule, size: int, keys: Keys) -> Action:
    low, likely, high = (int(size * share) for share in rule.shares)
    return Action(
        id=f"runtime:{name}:{rule.name}",
        option=Letter.SQUEEZE,
        title=f"{rule.title} in {plain(name)}",
        saving=Saving(
            bytes=likely, low_bytes=low, high_bytes=high, basis=Basis.PREDICTED, source=rule.source
        ),
        cost=rule.cost,
        loss=rule.loss,
        changes=(Change(kind=ChangeKind.COMPOSE, text=json.dumps({"services": {name: keys}})),),
        services=(name,),
    )


def _anonymous(service: ServiceMemory) -> int:
    return service.anon_bytes


def _shared(service: ServiceMemory) -> int:
    return max(0, service.shmem_bytes - POSTGRES_BUFFERS)


def _variable(name: str, value: str, *, unless: str = "") -> Callable[[Subject], Keys | None]:
    """Return a change that adds to a variable of the environment, unless something is there."""

    def change(subject: Subject) -> Keys | None:
        before = str(subject.environment.get(name) or "")
        text = " ".join((*map(str, subject.environment.values()), *subject.words))
        if (unless and re.search(unless, text)) or (before and not unless):
            return None
        return {"environment": {name: " ".join(filter(None, (before, value)))}}

    return change


def _flags(*flags: str, unless: str) -> Callable[[Subject], Keys | None]:
    """Return a change that appends flags to a command that is the program's own.

    A script's flags would be lost. Without a command the image's own counts, which is known of the
    official images alone: it is the program without flags.
    """

    def change(subject: Subject) -> Keys | None:
        if re.search(unless, " ".join(subject.words)):
            return None
        command: Sequence[str] = subject.config.get("command") or ()
        words = command.split() if isinstance(command, str) else list(command)
        if not words:
            return {"command": [subject.server, *flags]} if subject.server else None
        is_own = words[0].startswith("-") or PurePosixPath(words[0]).name in SERVERS.values()
        return {"command": [*words, *flags]} if is_own else None

    return change


def _fewer_workers(subject: Subject) -> Keys | None:
    """Return the command with two workers, or the variable that both servers read.

    A number that a script or an entrypoint gives goes before the variable.
    """
    text = " ".join(subject.words)
    given = _WORKERS.search(text)
    count = given[1] if given else str(subject.environment.get(_CONCURRENCY) or FEW + 1)
    is_more = count.isdecimal() and int(count) > FEW and _spare_processes(subject.memory) > 0
    if not is_more or not re.search("gunicorn|uvicorn", text):
        return None
    if not given:
        return {"environment": {_CONCURRENCY: f"{FEW}"}}
    command = subject.config.get("command") or ()
    words = command.split() if isinstance(command, str) else list(command)
    for at, word in enumerate(words):
        if word in ("-w", "--workers") and at + 1 < len(words):
            return {"command": [*words[: at + 1], f"{FEW}", *words[at + 2 :]]}
        if re.fullmatch(r"--workers=.*|-w\d+", word):
            return {"command": [*words[:at], f"--workers={FEW}", *words[at + 1 :]]}
    return None


def _spare_processes(service: ServiceMemory) -> int:
    """Return how many processes its containers have besides a master and FEW workers each."""
    return max(0, service.processes - (1 + FEW) * max(1, service.containers))


RULES: Sequence[Rule] = (
    Rule(
        name="jvm",
        program="java",
        title="Use the serial collector, one compiler and a heap that shrinks",
        cost="hot code runs slower; where the image names another collector it does not start",
        source="https://docs.oracle.com/en/java/javase/21/docs/specs/man/java.html",
        of=_anonymous,
        shares=(0.15, 0.3, 0.5),
        change=_variable(
            "JAVA_TOOL_OPTIONS",
            "-XX:+UseSerialGC -XX:TieredStopAtLevel=1 -XX:MinHeapFreeRatio=10"
            " -XX:MaxHeapFreeRatio=20",
            # with two collectors named it would not start
            unless=r"TieredStopAtLevel|MaxHeapFreeRatio|Use(?!Serial)\w+GC",
        ),
    ),
    Rule(
        name="node",
        program="node|nodejs",
        title="Let V8 collect young objects in 1 MB instead of 16",
        cost="more collections",
        source="https://nodejs.org/api/cli.html#--max-semi-space-sizesize-in-mib",
        of=_anonymous,
        shares=(0.1, 0.2, 0.35),
        change=_variable("NODE_OPTIONS", "--max-semi-space-size=1", unless="semi-space-size"),
    ),
    Rule(
        name="go",
        program=r".+ \(Go\)",
        title="Collect twice as often (GOGC=50)",
        cost="more processor time for collections",
        source="https://go.dev/doc/gc-guide#GOGC",
        of=_anonymous,
        shares=(0.0, 0.15, 0.25),  # 1.5 times the live heap instead of twice
        change=_variable("GOGC", "50"),
    ),
    Rule(
        name="workers",
        program=r"python[\d.]*|gunicorn|uvicorn",
        title="Run two workers",
        cost="fewer requests at once",
        source="https://docs.gunicorn.org/en/stable/settings.html#workers",
        of=lambda service: (
            service.anon_bytes * _spare_processes(service) // max(1, service.processes)
        ),
        shares=(0.8, 1.0, 1.1),
        change=_fewer_workers,
        loss=Loss.MINOR,
    ),
    Rule(
        name="postgres",
        program="postgres",
        title="Give Postgres 32 MB of shared buffers and no compiler of queries",
        cost="more reads from the disk; very large queries run slower",
        source="https://www.postgresql.org/docs/current/runtime-config-resource.html",
        of=_shared,
        shares=(0.0, 0.8, 1.0),
        change=_flags(*("-c", "shared_buffers=32MB", "-c", "jit=off"), unless="shared_buffers"),
    ),
    Rule(
        name="snapshots",
        program="redis-server|valkey-server|redis|valkey",
        title="Keep no snapshots: saving one copies what is written meanwhile",
        cost="without an append-only file the data is lost when it stops",
        source="https://redis.io/docs/latest/operate/oss_and_stack/management/persistence/",
        of=_anonymous,
        shares=(0.0, 0.0, 0.5),
        change=_flags("--save", "", unless="--save|[.]conf"),
        loss=Loss.FEATURE,
    ),
)
