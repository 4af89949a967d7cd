"""budgets.yml: read, checked as a whole, turned into Budgets.

Nothing stops at the first mistake: structure, values and names are all checked, and one ConfigError
lists everything, each line starting with the place: `budgets.yml:12: services.redis.memory: ...`.

The `waivers` of budgets.yml: each needs an owner, a reason and an end not too far away.
"""

from collections.abc import Iterator
from datetime import UTC, date, datetime
from pathlib import Path

from onegig.config.compose import FILE_NAMES
from onegig.config.document import (
    Document,
    Key,
    Problem,
    did_you_mean,
    dotted,
    mistakes,
    parse_document,
    read_document,
)
from onegig.config.values import (
    Values,
    check_structure,
    day,
    memory_growth,
    memory_size,
    most_or_any,
    number,
    positive,
    seconds,
    share,
    storage_growth,
    storage_size,
    whole,
)
from onegig.model.budgets import (
    RATE,
    Budgets,
    Forks,
    ImagesBudget,
    Load,
    Measure,
    MemoryBudget,
    Metric,
    Policy,
    ScanBudget,
    ServiceBudget,
    Shards,
    Waiver,
)
from onegig.model.scan import Severity
from onegig.model.stack import Stack
from onegig.model.tiers import NO_TIER, catalogue
from onegig.variables import steers_programs

OF_FINDINGS = ("image.vulnerabilities", "image.secrets", "image.misconfigurations")
MOST_DAYS = 366  # a waiver for longer than a year is a limit that nobody dares to write down

WAIVERS: Key = ("waivers",)


def read_waivers(values: Values, today: date) -> tuple[Waiver, ...]:
    """Those that are whole; `values` notes what is wrong with the others."""
    written = values.raw(WAIVERS)
    count = len(written) if isinstance(written, list) else 0
    found: dict[tuple[str, str | None, str | None], tuple[int, Waiver]] = {}
    for index in range(count):
        for waiver in _waiver(values, (*WAIVERS, index), today):
            name = waiver.metric, waiver.subject, waiver.id
            if name in found:
                first = f"already waived by waivers[{found[name][0]}]"
                values.problem((*WAIVERS, index), f"{_what(waiver)} is {first}")
            else:
                found[name] = index, waiver
    return tuple(waiver for _, waiver in found.values())


def _waiver(values: Values, key: Key, today: date) -> Iterator[Waiver]:
    texts = {name: _text(values, (*key, name)) for name in ("metric", "reason", "owner")}
    expires = values.read((*key, "expires"), day, None)
    subject, finding = (values.written((*key, name)) for name in ("subject", "id"))
    if finding and texts["metric"] not in OF_FINDINGS:
        values.problem((*key, "id"), f"only findings have one: {', '.join(OF_FINDINGS)}")
    if expires is None or not all(texts.values()):
        return
    if (expires - today).days > MOST_DAYS:
        values.problem((*key, "expires"), f"{expires} is more than a year away; waive for less")
    yield Waiver(**texts, subject=subject or None, id=finding or None, expires=expires)


def _text(values: Values, key: Key) -> str:
    """A text that must not be blank; the schema has complained where it is missing."""
    text = values.written(key)
    if not text and isinstance(values.raw(key), str):
        values.problem(key, "is empty")
    return text


def _what(waiver: Waiver) -> str:
    finding = f" {waiver.id}" if waiver.id else ""
    return f"{waiver.metric}{finding}" + (f" of {waiver.subject}" if waiver.subject else "")


COMPOSE = "compose.yml"
ENOUGH_SAMPLES = 2
WHOLE = "stack"  # the subject of checks that are of no single service
DEFAULTS = Budgets(path="", compose="")


def load_budgets(path: Path) -> Budgets:
    """The file at `path` with the defaults filled in.

    Raises ConfigError: the file is missing or unreadable, or has mistakes (all are listed).
    """
    return _checked(read_document(path), compose=_beside(path))


def default_budgets(path: Path) -> Budgets:
    """Return the defaults, which count where there is no file at `path`."""
    return Budgets(path=str(path), compose=_beside(path), is_default=True)


def parse_budgets(name: str, text: bytes) -> Budgets:
    """The same for a file's content, wherever it comes from; `name` is what messages call it.

    Raises ConfigError as `load_budgets` does. Without a folder to look into, a compose file that
    is not named is "compose.yml".
    """
    return _checked(parse_document(name, text), compose=COMPOSE)


def _named(budgets: Budgets, stack: Stack) -> Iterator[tuple[Key, str]]:
    """Every service that budgets.yml speaks of. A waiver may also be of an image, or of all."""
    yield from ((("services", name), name) for name, _ in budgets.services)
    if budgets.load:
        yield ("load", "service"), budgets.load.service
    for index, name in enumerate(budgets.allow_host_access):
        yield ("allow_host_access", index), name
    for index, waiver in enumerate(budgets.waivers):
        if waiver.subject and waiver.subject not in (WHOLE, *stack.images):
            yield ("waivers", index, "subject"), waiver.subject


def _checked(document: Document, *, compose: str) -> Budgets:
    values = Values(document)
    budgets = _budgets(document, values, compose, datetime.now(UTC).date())
    _check_sense(budgets, values)
    problems = _merge(list(document.problems), values.problems, check_structure(document))
    if problems:
        raise mistakes(document.path, problems)
    return budgets


def check_against(budgets: Budgets, stack: Stack) -> None:
    """ConfigError when budgets.yml speaks of services that the compose file does not have."""
    names = tuple(service.name for service in stack.services)
    lines = dict(budgets.lines)
    problems = [
        Problem(
            line=lines.get(dotted(key), 1),
            key=key,
            message=f"the stack has no service {name!r}{did_you_mean(name, names)}",
        )
        for key, name in _named(budgets, stack)
        if name not in names
    ]
    if problems:
        advice = f"services of {', '.join(stack.files)}: {', '.join(names)}"
        raise mistakes(budgets.path, problems, advice=advice)


def _budgets(document: Document, values: Values, beside: str, today: date) -> Budgets:
    tier = values.raw(("tier",))
    files = values.texts(("compose",))
    forks = values.written(("forks",))
    return Budgets(
        path=document.path,
        compose=files[0] if files else beside,
        compose_files=files,
        profiles=values.texts(("profiles",)),
        tier=tier if isinstance(tier, str) else None,
        memory=_memory(values),
        disk_bytes=values.read(("disk", "limit"), positive(storage_size), DEFAULTS.disk_bytes),
        images=_images(values),
        scan=_scan(values),
        measure=_measure(values),
        load=_load(values),
        services=tuple((name, _service(values, name)) for name in values.mapping(("services",))),
        waivers=read_waivers(values, today),
        allow_host_access=values.texts(("allow_host_access",)),
        forks=Forks(forks) if forks in tuple(Forks) else DEFAULTS.forks,
        shards=_shards(values),
        lines=tuple((dotted(key), mark.line) for key, mark in document.marks.items()),
    )


def _beside(path: Path) -> str:
    found = (name for name in FILE_NAMES if (path.parent / name).is_file())
    return next(found, COMPOSE)


def _memory(values: Values) -> MemoryBudget:
    default = DEFAULTS.memory
    metric = values.raw(("memory", "metric"))
    return MemoryBudget(
        limit_bytes=values.read(("memory", "limit"), positive(memory_size), default.limit_bytes),
        metric=Metric(metric) if metric in tuple(Metric) else default.metric,
        headroom_share=values.read(("memory", "headroom"), share, default.headroom_share),
        system_overhead_bytes=values.read(
            ("memory", "system_overhead"), memory_size, default.system_overhead_bytes
        ),
        max_growth=values.read(("memory", "max_growth"), memory_growth, default.max_growth),
        max_service_growth=values.read(
            ("memory", "max_service_growth"), memory_growth, default.max_service_growth
        ),
    )


def _images(values: Values) -> ImagesBudget:
    default = DEFAULTS.images
    policy = values.written(("images", "policy"))
    return ImagesBudget(
        total_bytes=values.read(("images", "total"), positive(storage_size), default.total_bytes),
        each_bytes=values.read(("images", "each"), positive(storage_size), default.each_bytes),
        min_efficiency=values.read(("images", "min_efficiency"), share, default.min_efficiency),
        max_wasted_bytes=values.read(
            ("images", "max_wasted"), storage_size, default.max_wasted_bytes
        ),
        max_user_wasted_share=values.read(
            ("images", "max_user_wasted"), share, default.max_user_wasted_share
        ),
        ignore_user_wasted_below_bytes=values.read(
            ("images", "ignore_user_wasted_below"),
            storage_size,
            default.ignore_user_wasted_below_bytes,
        ),
        max_dead_bytes=values.read(("images", "max_dead"), storage_size, default.max_dead_bytes),
        max_base_dead_bytes=values.read(
            ("images", "max_base_dead"), storage_size, default.max_base_dead_bytes
        ),
        max_growth=values.read(("images", "max_growth"), storage_growth, default.max_growth),
        policy=Policy(policy) if policy in tuple(Policy) else default.policy,
    )


def _scan(values: Values) -> ScanBudget:
    default = DEFAULTS.scan
    severity = values.written(("scan", "severity"))
    ignore = values.raw(("scan", "ignore_unfixed"))
    return ScanBudget(
        severity=Severity(severity) if severity in tuple(Severity) else default.severity,
        ignore_unfixed=ignore if isinstance(ignore, bool) else default.ignore_unfixed,
        vulnerabilities=values.read(
            ("scan", "vulnerabilities"), most_or_any, default.vulnerabilities
        ),
        secrets=values.read(("scan", "secrets"), most_or_any, default.secrets),
        misconfigurations=values.read(
            ("scan", "misconfigurations"), most_or_any, default.misconfigurations
        ),
    )


def _measure(values: Values) -> Measure:
    default = DEFAULTS.measure
    return Measure(
        settle_seconds=values.read(("measure", "settle"), seconds, default.settle_seconds),
        window_seconds=values.read(
            ("measure", "window"), positive(seconds), default.window_seconds
        ),
        hz=values.read(("measure", "hz"), number, default.hz),
        healthy_timeout_seconds=values.read(
            ("measure", "healthy_timeout"), positive(seconds), default.healthy_timeout_seconds
        ),
        repeats=values.read(("measure", "repeats"), positive(whole), default.repeats),
    )


def _load(values: Values) -> Load | None:
    service, command = values.raw(("load", "service")), values.raw(("load", "command"))
    if not isinstance(service, str) or not isinstance(command, list):
        return None
    variables = values.mapping(("load", "environment"))
    return Load(
        service=service,
        command=tuple(values.text(("load", "command", i)) for i in range(len(command))),
        environment=tuple((name, values.text(("load", "environment", name))) for name in variables),
        rate=values.read(("load", "rate"), number, None),
    )


def _shards(values: Values) -> Shards:
    default = DEFAULTS.shards
    return Shards(
        start=values.read(("shards", "start"), positive(whole), default.start),
        most=values.read(("shards", "most"), positive(whole), default.most),
    )


def _service(values: Values, name: str) -> ServiceBudget:
    return ServiceBudget(
        memory_bytes=values.read(("services", name, "memory"), positive(memory_size), None),
        image_bytes=values.read(("services", name, "image"), positive(storage_size), None),
        max_growth=values.read(("services", name, "max_growth"), memory_growth, None),
    )


def _check_sense(budgets: Budgets, values: Values) -> None:
    """Values that are fine alone but make no sense together, or name things that do not exist."""
    memory, measure = budgets.memory, budgets.measure
    if memory.system_overhead_bytes >= memory.limit_bytes:
        values.problem(("memory", "system_overhead"), "leaves nothing of memory.limit")
    if measure.hz > 0 and measure.window_seconds * measure.hz < ENOUGH_SAMPLES:
        message = f"holds less than two samples at {measure.hz:g} a second; make it longer"
        values.problem(("measure", "window"), message)
    for name, _ in budgets.load.environment if budgets.load else ():
        if steers_programs(name):
            message = "steers programs of this machine: let the compose file use another name"
            values.problem(("load", "environment", name), message)
    if budgets.load and budgets.load.rate is None and budgets.load.takes_rate:
        values.problem(("load", "command"), f"has {RATE} but load.rate is not set")
    if budgets.load and budgets.load.rate is not None and not budgets.load.takes_rate:
        values.problem(("load", "rate"), f"is used nowhere: put {RATE} into load.command")
    known = (*catalogue(), NO_TIER)
    if budgets.tier and budgets.tier not in known:
        hint = did_you_mean(budgets.tier, known) or f" (known: {', '.join(known)})"
        values.problem(("tier",), f"no tier is called {budgets.tier!r}{hint}")


def _merge(syntax: list[Problem], values: list[Problem], structure: list[Problem]) -> list[Problem]:
    """All problems; where value and schema complain of one key, the value's words are better."""
    told = {problem.key for problem in values}
    return [*syntax, *values, *(problem for problem in structure if problem.key not in told)]
