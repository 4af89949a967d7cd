"""What a change of budgets.yml is said to change: nothing is left out, and looser is looser."""

import types
from collections.abc import Iterator
from dataclasses import fields, is_dataclass, replace
from datetime import date, timedelta
from enum import Enum
from typing import Any, Union, get_args, get_origin, get_type_hints

import pytest

from judging import MIB
from onegig.config.budgets import parse_budgets
from onegig.judge.limits import limit_changes
from onegig.model import budgets as keys
from onegig.model.budgets import Budgets, ServiceBudget, Waiver
from onegig.model.measuring import Load
from onegig.model.report import LimitChange
from onegig.model.sizes import Growth

NO_LIMITS = ("is_default", "path", "lines", "notes", "compose")
WAIVER = Waiver(
    check="image.efficiency", subject="web", reason="#12", owner="@ops", expires=date(2026, 12, 31)
)
TENTH = Growth(value=0.1, is_share=True)
WHOLE = Budgets(  # nothing left out
    path="budgets.yml",
    compose="compose.yml",
    compose_files=("compose.yml",),
    profiles=("debug",),
    tier_names=("aws-t2-micro",),
    swap_bytes=MIB,
    zram_bytes=MIB,
    twin=keys.TwinImage(image="debian.raw", sha256="0" * 64),
    memory=keys.MemoryBudget(max_growth=(TENTH,), max_service_growth=(TENTH,)),
    images=keys.ImagesBudget(
        each_bytes=110 * 10**6,
        max_wasted_bytes=1,
        max_user_wasted_share=0.1,
        max_dead_bytes=2,
        max_base_dead_bytes=2,
        max_growth=TENTH,
    ),
    scan=keys.ScanBudget(misconfigurations=0),
    load=Load(service="web", command=("load", "{rate}"), environment=(("A", "1"),), rate=200),
    services=(("web", ServiceBudget(memory_bytes=MIB, image_bytes=80, max_growth=(TENTH,))),),
    redis=keys.RedisBudget(memory_bytes=MIB, services=("web",)),
    allow_host_access=("web",),
    waivers=(replace(WAIVER, check="image.vulnerabilities", id="CVE-2026-1"),),
)


def other(value: Any) -> Any:
    """Another value of the same kind."""
    match value:
        case bool():
            return not value
        case Enum():
            return next(item for item in type(value) if item is not value)
        case int() | float():
            return value + 1
        case str():
            return f"{value}-other"
        case date():
            return value + timedelta(days=1)
        case tuple():
            return (*value, *value)
    raise AssertionError(f"no other {type(value)}: say here how such a field changes")


def inner(hint: Any) -> type | None:
    """The dataclass a field holds: itself, or None, or by name, or several of them."""
    if is_dataclass(hint) and isinstance(hint, type):
        return hint
    if get_origin(hint) in (Union, types.UnionType, tuple):
        return next(filter(None, map(inner, get_args(hint))), None)
    return None


def leaves(kind: type, at: str = "") -> Iterator[str]:
    """Every field below, dotted."""
    hints = get_type_hints(kind)
    for field in fields(kind):
        below = inner(hints[field.name])
        if below:
            yield from leaves(below, f"{at}{field.name}.")
        else:
            yield f"{at}{field.name}"


def changed(value: Any, path: list[str]) -> Any:
    """The same with another value at the path."""
    if isinstance(value, tuple):
        *_, last = value
        if isinstance(last, tuple):
            return ((last[0], changed(last[1], path)),)
        return (changed(last, path),)
    if not path:
        return other(value)
    name, *rest = path
    return replace(value, **{name: changed_field(getattr(value, name), rest)})


def changed_field(value: Any, rest: list[str]) -> Any:
    return changed(value, rest) if rest else other(value)


LEAVES = [path for path in leaves(Budgets) if path not in NO_LIMITS]


def test_the_walk_finds_what_it_should() -> None:
    assert len(LEAVES) > 25
    assert {"compose_files", "load.rate", "services.memory_bytes", "waivers.expires"} <= set(LEAVES)


@pytest.mark.parametrize("path", LEAVES)
def test_no_field_can_change_unnoticed(path: str) -> None:
    there = limit_changes(WHOLE, changed(WHOLE, path.split(".")))
    back = limit_changes(changed(WHOLE, path.split(".")), WHOLE)
    assert there
    assert back
    for item, opposite in zip(there, reversed(back), strict=True):
        assert item.old != item.new
        assert item.key.split(".")[0] == opposite.key.split(".")[0]
    if len(there) == 1:
        assert (there[0].old, there[0].new) == (back[0].new, back[0].old)


def test_other_compose_files_and_profiles_are_shown() -> None:
    assert changes("version: 1", "compose: [a.yml, b.yml]\nprofiles: [debug]") == [
        ("compose", "docker compose's choice", "a.yml, b.yml", True),
        ("profiles", "COMPOSE_PROFILES", "debug", True),
    ]


def test_fewer_audits_of_redis_let_more_pass() -> None:
    audited, limited = "redis: {services: [a, b]}", "redis: {memory: 90MB}"
    assert changes("version: 1", limited) == [
        ("redis.memory", "none", "90 MB", False),
        ("redis.services", "none", "every one", False),
        ("redis.replay", "none", "no", False),
    ]
    assert [looser for *_, looser in changes(limited, "version: 1")] == [True, True, True]
    assert changes("redis: {}", audited) == [("redis.services", "every one", "a, b", True)]
    assert changes(audited, "redis: {}") == [("redis.services", "a, b", "every one", False)]
    assert changes(audited, "redis: {services: [b]}") == [("redis.services", "a, b", "b", True)]


def test_the_same_limits_are_no_change() -> None:
    assert limit_changes(WHOLE, replace(WHOLE, path="elsewhere.yml")) == ()


def changes(old: str, new: str) -> list[tuple[str, str, str, bool]]:
    """Between two files: key, old, new and whether it is looser."""
    shown = limit_changes(
        parse_budgets("budgets.yml", old.encode()), parse_budgets("budgets.yml", new.encode())
    )
    assert all(isinstance(item, LimitChange) for item in shown)
    return [(item.key, item.old, item.new, item.looser) for item in shown]


LOAD = "load: {service: web, command: [load, '{rate}'], rate: 200}"
# key: old -> new, - where it is left out | as people read them; back again none is looser
LOOSER = """
memory.limit: 1GB -> 2GB | 1,024 MB -> 2,048 MB
memory.metric: rss -> pss | rss -> pss
memory.metric: cost -> pss | cost -> pss
memory.headroom: 10% -> 2.5% | 10 % -> 2.5 %
memory.system_overhead: 80MB -> 0 | 80 MB -> 0 MB
disk.limit: 30GB -> 64GB | 30 GB -> 64 GB
images.total: 1.9GB -> 2GB | 1,900 MB -> 2,000 MB
images.each: 110MB -> 111MB | 110 MB -> 111 MB
images.each: 110MB -> - | 110 MB -> none
images.min_efficiency: 90% -> 80% | 90 % -> 80 %
images.min_efficiency: 90% -> - | 90 % -> 90 % (only warns)
images.max_wasted: 1MB -> - | 1.0 MB -> none
images.max_user_wasted: 5% -> 10% | 5 % -> 10 %
images.max_dead: 1MB -> - | 1.0 MB -> none
images.max_base_dead: 9MB -> - | 9.0 MB -> none
images.ignore_user_wasted_below: - -> 5MB | 1.0 MB -> 5.0 MB
memory.max_growth: 5% -> 6% | 5 % -> 6 %
memory.max_growth: 5% -> - | 5 % -> none
memory.max_service_growth: 10MB -> 20MB | 10 MB -> 20 MB
memory.max_growth: 1MB/h -> 1MB/min | 1.0 MB/h -> 1.0 MB/min
memory.max_growth: [5%, 1MB/h] -> 5% | 5 %, 1.0 MB/h -> 5 %
images.max_growth: 5MB -> - | 5.0 MB -> none
services.web.max_growth: 5% -> - | 5 % -> none
measure.window: 15s -> 5s | 15 s -> 5 s
measure.hz: 10 -> 2 | 10 -> 2
measure.repeats: 3 -> - | 3 -> 1
measure.healthy_timeout: 2m -> 5m | 120 s -> 300 s
allow_host_access: - -> [web] | none -> web
allow_host_access: [web] -> [db, web] | web -> db, web
swap: - -> 1GB | none -> 1,024 MB
swap: 1GB -> 2GB | 1,024 MB -> 2,048 MB
zram: - -> 512MB | none -> 512 MB
tier: aws-t2-micro -> none | aws-t2-micro -> none
tier: - -> aws-t2-micro | not set (aws-t3-micro) -> aws-t2-micro
tier: - -> none | not set (aws-t3-micro) -> none
services.web.memory: 24MB -> 25MB | 24 MB -> 25 MB
services.web.memory: 24MB -> - | 24 MB -> none
services.web.image: 80MB -> - | 80 MB -> none
forks: - -> trust | confirm -> trust
memory.limit: 1GiB -> 1073741825 | 1,073,741,824 bytes -> 1,073,741,825 bytes
""".strip().splitlines()


def row(text: str) -> tuple[str, str, str, str, str]:
    """Return old and new file, the key, and its value in both as people read it."""
    change, _, shown = text.partition(" | ")
    key, _, values = change.partition(": ")
    start, end = key.replace(".", ": {") + ": ", "}" * key.count(".")
    files = ["version: 1" if each == "-" else start + each + end for each in values.split(" -> ")]
    before, after = shown.split(" -> ")
    return files[0], files[1], key, before, after


WEB = "services.web"
EACH = "images: {each: 70MB}\nservices: {web: "
GROWN = "memory: {max_service_growth: 5%}\nservices: {web: "


@pytest.mark.parametrize(
    ("old", "new", "key", "before", "after"),
    [
        *map(row, LOOSER),
        (LOAD, LOAD.replace("200", "50.5"), "load.rate", "200", "50.5"),
        (LOAD, "version: 1", "load", "web: load 200", "none"),
        (f"{GROWN}{{}}}}", f"{GROWN}{{max_growth: 50%}}}}", f"{WEB}.max_growth", "none", "50 %"),
        (f"{EACH}{{}}}}", f"{EACH}{{image: 80MB}}}}", f"{WEB}.image", "none", "80 MB"),
        (f"{EACH}{{image: 60MB}}}}", f"{EACH}{{}}}}", f"{WEB}.image", "60 MB", "none"),
    ],
)
def test_looser_is_told_from_stricter(
    old: str, new: str, key: str, before: str, after: str
) -> None:
    assert changes(old, new) == [(key, before, after, True)]
    assert changes(new, old) == [(key, after, before, False)]


@pytest.mark.parametrize(
    ("old", "new", "key"),
    [
        ("compose: a.yml", "compose: b.yml", "compose"),
        (LOAD, LOAD.replace("load, ", "idle, "), "load.command"),
        (LOAD, LOAD.replace("web", "db"), "load.service"),
        ("measure: {settle: 5s}", "measure: {settle: 50s}", "measure.settle"),
        ("memory: {max_growth: 5%}", "memory: {max_growth: 5MB}", "memory.max_growth"),
    ],
)
def test_what_has_no_direction_may_be_looser_both_ways(old: str, new: str, key: str) -> None:
    for item, later in ((old, new), (new, old)):
        ((shown, _, _, looser),) = changes(item, later)
        assert (shown, looser) == (key, True)


@pytest.mark.parametrize(
    "text",
    [
        "tier: - -> aws-t3-micro | not set (aws-t3-micro) -> aws-t3-micro",  # judged anyway
        "shards.start: - -> 5 | 30 -> 5",
        "shards.most: - -> 2 | 10 -> 2",
    ],
)
def test_what_lets_nothing_more_pass(text: str) -> None:
    old, new, key, before, after = row(text)
    assert changes(old, new) == [(key, before, after, False)]
    assert changes(new, old) == [(key, after, before, False)]


def test_no_machine_is_judged_where_none_is_sold() -> None:
    none = "memory: {limit: 900MB}\ntier: none"
    assert changes("memory: {limit: 900MB}", none) == [("tier", "not set", "none", False)]


def test_commands_that_read_alike_differ() -> None:
    louder = replace(WHOLE, load=Load(service="web", command=("a b",)))
    (change,) = limit_changes(louder, replace(louder, load=Load(service="web", command=("a", "b"))))
    assert change.old != change.new


LATER = replace(WAIVER, expires=date(2027, 1, 1))
REWORDED = replace(WAIVER, reason="two\nlines")
TEXTS = {
    (): "none",
    (WAIVER,): "image.efficiency of web until 2026-12-31 by @ops: #12",
    (LATER,): "image.efficiency of web until 2027-01-01 by @ops: #12",
    (REWORDED,): "image.efficiency of web until 2026-12-31 by @ops: two lines",
}


@pytest.mark.parametrize(
    ("old", "new", "looser"),
    [
        ((), (WAIVER,), True),
        ((WAIVER,), (), False),
        ((WAIVER,), (LATER,), True),
        ((LATER,), (WAIVER,), False),
        ((WAIVER,), (REWORDED,), False),
    ],
)
def test_waivers(old: tuple[Waiver, ...], new: tuple[Waiver, ...], looser: bool) -> None:
    shown = limit_changes(replace(WHOLE, waivers=old), replace(WHOLE, waivers=new))
    assert shown == (LimitChange(key="waivers", old=TEXTS[old], new=TEXTS[new], looser=looser),)


@pytest.mark.parametrize(
    ("old", "new", "before", "after", "looser"),
    [
        ("vulnerabilities: 0", "severity: HIGH", "0", "0 (only warns)", True),
        ("severity: HIGH", "vulnerabilities: 9", "0 (only warns)", "9", False),
        ("vulnerabilities: 0", "vulnerabilities: any", "0", "none", True),
        ("secrets: 3", "secrets: 2", "3", "2", False),
        ("severity: HIGH", "misconfigurations: 0", "none", "0", False),
        ("severity: HIGH", "severity: CRITICAL", "HIGH", "CRITICAL", True),
        ("ignore_unfixed: false", "ignore_unfixed: true", "no", "yes", True),
    ],
)
def test_limits_of_findings_block_only_where_they_are_written(
    old: str, new: str, before: str, after: str, looser: bool
) -> None:
    limits = [parse_budgets("b.yml", f"scan: {{{text}}}".encode()) for text in (old, new)]
    (shown,) = limit_changes(*limits)
    assert (shown.old, shown.new, shown.looser) == (before, after, looser)


def test_a_waiver_of_everything_is_another_than_of_one_service() -> None:
    wider = replace(WAIVER, subject=None)
    shown = limit_changes(WHOLE, replace(WHOLE, waivers=(wider,)))
    assert [(item.old == "none", item.looser) for item in shown] == [(False, False), (True, True)]
