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
from onegig.model.budgets import (
    Budgets,
    ImagesBudget,
    Load,
    MemoryBudget,
    ScanBudget,
    ServiceBudget,
    Waiver,
)
from onegig.model.keys import Growth
from onegig.model.report import LimitChange

NO_LIMITS = (
    "is_default",
    "path",
    "lines",
    "notes",
    "compose",
)  # say nothing of what is judged, nor how
WAIVER = Waiver(
    check="image.efficiency", subject="web", reason="#12", owner="@ops", expires=date(2026, 12, 31)
)
TENTH = Growth(value=0.1, is_share=True)
WHOLE = Budgets(  # nothing left out
    path="budgets.yml",
    compose="compose.yml",
    compose_files=("compose.yml",),
    profiles=("debug",),
    tier="aws-t2-micro",
    memory=MemoryBudget(max_growth=TENTH, max_service_growth=TENTH),
    images=ImagesBudget(
        each_bytes=110 * 10**6,
        max_wasted_bytes=1,
        max_user_wasted_share=0.1,
        max_dead_bytes=2,
        max_base_dead_bytes=2,
        max_growth=TENTH,
    ),
    scan=ScanBudget(misconfigurations=0),
    load=Load(service="web", command=("load", "{rate}"), environment=(("A", "1"),), rate=200),
    services=(
        (
            "web",
            ServiceBudget(memory_bytes=24 * MIB, image_bytes=80 * 10**6, max_growth=TENTH),
        ),
    ),
    allow_host_access=("web",),
    waivers=(replace(WAIVER, check="image.vulnerabilities", id="CVE-2026-1"),),
)


def other(value: Any) -> Any:
    """Another value of the same kind."""
    match value:
        case bool():
            return not value
        case Enum():
            return next(one for one in type(value) if one is not value)
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
    for one, opposite in zip(there, reversed(back), strict=True):
        assert one.old != one.new
        assert one.key.split(".")[0] == opposite.key.split(".")[0]
    if len(there) == 1:
        assert (there[0].old, there[0].new) == (back[0].new, back[0].old)


def test_other_compose_files_and_profiles_are_shown() -> None:
    assert changes("version: 1", "compose: [a.yml, b.yml]\nprofiles: [debug]") == [
        ("compose", "docker compose's choice", "a.yml, b.yml", True),
        ("profiles", "COMPOSE_PROFILES", "debug", True),
    ]


def test_the_same_limits_are_no_change() -> None:
    assert limit_changes(WHOLE, replace(WHOLE, path="elsewhere.yml")) == ()


def changes(old: str, new: str) -> list[tuple[str, str, str, bool]]:
    """Between two files: key, old, new and whether it is looser."""
    found = limit_changes(
        parse_budgets("budgets.yml", old.encode()), parse_budgets("budgets.yml", new.encode())
    )
    assert all(isinstance(one, LimitChange) for one in found)
    return [(one.key, one.old, one.new, one.looser) for one in found]


LOAD = "load: {service: web, command: [load, '{rate}'], rate: 200}"
LOOSER = [  # old, new, key, as written; the other way round none is looser
    ("memory: {limit: 1GB}", "memory: {limit: 2GB}", "memory.limit", "1,024 MB", "2,048 MB"),
    ("memory: {metric: rss}", "memory: {metric: pss}", "memory.metric", "rss", "pss"),
    ("memory: {metric: cost}", "memory: {metric: pss}", "memory.metric", "cost", "pss"),
    ("memory: {headroom: 10%}", "memory: {headroom: 2.5%}", "memory.headroom", "10 %", "2.5 %"),
    (
        "memory: {system_overhead: 80MB}",
        "memory: {system_overhead: 0}",
        "memory.system_overhead",
        "80 MB",
        "0 MB",
    ),
    ("disk: {limit: 30GB}", "disk: {limit: 64GB}", "disk.limit", "30 GB", "64 GB"),
    ("images: {total: 1.9GB}", "images: {total: 2GB}", "images.total", "1,900 MB", "2,000 MB"),
    ("images: {each: 110MB}", "images: {each: 111MB}", "images.each", "110 MB", "111 MB"),
    ("images: {each: 110MB}", "version: 1", "images.each", "110 MB", "none"),
    (
        "images: {min_efficiency: 90%}",
        "images: {min_efficiency: 80%}",
        "images.min_efficiency",
        "90 %",
        "80 %",
    ),
    (
        "images: {min_efficiency: 90%}",
        "version: 1",
        "images.min_efficiency",
        "90 %",
        "90 % (only warns)",
    ),
    ("images: {max_wasted: 1MB}", "version: 1", "images.max_wasted", "1.0 MB", "none"),
    (
        "images: {max_user_wasted: 5%}",
        "images: {max_user_wasted: 10%}",
        "images.max_user_wasted",
        "5 %",
        "10 %",
    ),
    ("images: {max_dead: 1MB}", "version: 1", "images.max_dead", "1.0 MB", "none"),
    ("images: {max_base_dead: 9MB}", "version: 1", "images.max_base_dead", "9.0 MB", "none"),
    (
        "version: 1",
        "images: {ignore_user_wasted_below: 5MB}",
        "images.ignore_user_wasted_below",
        "1.0 MB",
        "5.0 MB",
    ),
    ("memory: {max_growth: 5%}", "memory: {max_growth: 6%}", "memory.max_growth", "5 %", "6 %"),
    ("memory: {max_growth: 5%}", "version: 1", "memory.max_growth", "5 %", "none"),
    (
        "memory: {max_service_growth: 10MB}",
        "memory: {max_service_growth: 20MB}",
        "memory.max_service_growth",
        "10 MB",
        "20 MB",
    ),
    ("images: {max_growth: 5MB}", "version: 1", "images.max_growth", "5.0 MB", "none"),
    ("services: {web: {max_growth: 5%}}", "version: 1", "services.web.max_growth", "5 %", "none"),
    (
        "memory: {max_service_growth: 5%}\nservices: {web: {}}",
        "memory: {max_service_growth: 5%}\nservices: {web: {max_growth: 50%}}",
        "services.web.max_growth",
        "none",
        "50 %",
    ),
    ("measure: {window: 15s}", "measure: {window: 5s}", "measure.window", "15 s", "5 s"),
    ("measure: {hz: 10}", "measure: {hz: 2}", "measure.hz", "10", "2"),
    ("measure: {repeats: 3}", "version: 1", "measure.repeats", "3", "1"),
    (
        "measure: {healthy_timeout: 2m}",
        "measure: {healthy_timeout: 5m}",
        "measure.healthy_timeout",
        "120 s",
        "300 s",
    ),
    (LOAD, LOAD.replace("200", "50.5"), "load.rate", "200", "50.5"),
    (LOAD, "version: 1", "load", "web: load 200", "none"),
    ("version: 1", "allow_host_access: [web]", "allow_host_access", "none", "web"),
    (
        "allow_host_access: [web]",
        "allow_host_access: [db, web]",
        "allow_host_access",
        "web",
        "db, web",
    ),
    ("tier: aws-t2-micro", "tier: none", "tier", "aws-t2-micro", "none"),
    ("version: 1", "tier: aws-t2-micro", "tier", "not set (aws-t3-micro)", "aws-t2-micro"),
    ("version: 1", "tier: none", "tier", "not set (aws-t3-micro)", "none"),
    (
        "services: {web: {memory: 24MB}}",
        "services: {web: {memory: 25MB}}",
        "services.web.memory",
        "24 MB",
        "25 MB",
    ),
    ("services: {web: {memory: 24MB}}", "version: 1", "services.web.memory", "24 MB", "none"),
    ("services: {web: {image: 80MB}}", "version: 1", "services.web.image", "80 MB", "none"),
    (
        "images: {each: 70MB}\nservices: {web: {}}",
        "images: {each: 70MB}\nservices: {web: {image: 80MB}}",
        "services.web.image",
        "none",
        "80 MB",
    ),
]


@pytest.mark.parametrize(("old", "new", "key", "before", "after"), LOOSER)
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
    for one, another in ((old, new), (new, old)):
        ((found, _, _, looser),) = changes(one, another)
        assert (found, looser) == (key, True)


def test_naming_the_machine_that_is_judged_anyway_lets_nothing_more_pass() -> None:
    assert changes("version: 1", "tier: aws-t3-micro") == [
        ("tier", "not set (aws-t3-micro)", "aws-t3-micro", False)
    ]
    assert changes("memory: {limit: 900MB}", "memory: {limit: 900MB}\ntier: none") == [
        ("tier", "not set", "none", False)
    ]


def test_trust_in_forks_lets_more_pass() -> None:
    assert changes("version: 1", "forks: trust") == [("forks", "confirm", "trust", True)]
    assert changes("forks: trust", "version: 1") == [("forks", "trust", "confirm", False)]


def test_shards_let_nothing_more_pass() -> None:
    assert changes("version: 1", "shards: {start: 5, most: 2}") == [
        ("shards.start", "30", "5", False),
        ("shards.most", "10", "2", False),
    ]


def test_a_difference_that_rounding_hides_is_told_in_bytes() -> None:
    assert changes("memory: {limit: 1GiB}", "memory: {limit: 1073741825}") == [
        ("memory.limit", "1,073,741,824 bytes", "1,073,741,825 bytes", True)
    ]
    louder = replace(WHOLE, load=Load(service="web", command=("a b",)))
    (told,) = limit_changes(louder, replace(louder, load=Load(service="web", command=("a", "b"))))
    assert told.old != told.new


def test_a_limit_of_a_service_under_the_one_for_all_is_stricter() -> None:
    stricter = "images: {each: 110MB}\nservices: {web: {image: 80MB}}"
    assert changes("images: {each: 110MB}", stricter) == [
        ("services.web.image", "none", "80 MB", False)
    ]


@pytest.mark.parametrize(
    ("old", "new", "before", "after", "looser"),
    [
        ((), (WAIVER,), "none", "image.efficiency of web until 2026-12-31 by @ops: #12", True),
        ((WAIVER,), (), "image.efficiency of web until 2026-12-31 by @ops: #12", "none", False),
        (
            (WAIVER,),
            (replace(WAIVER, expires=date(2027, 1, 1)),),
            "image.efficiency of web until 2026-12-31 by @ops: #12",
            "image.efficiency of web until 2027-01-01 by @ops: #12",
            True,
        ),
        (
            (replace(WAIVER, expires=date(2027, 1, 1)),),
            (WAIVER,),
            "image.efficiency of web until 2027-01-01 by @ops: #12",
            "image.efficiency of web until 2026-12-31 by @ops: #12",
            False,
        ),
        (
            (WAIVER,),
            (replace(WAIVER, reason="two\nlines"),),
            "image.efficiency of web until 2026-12-31 by @ops: #12",
            "image.efficiency of web until 2026-12-31 by @ops: two lines",
            False,
        ),
    ],
)
def test_waivers(
    old: tuple[Waiver, ...], new: tuple[Waiver, ...], before: str, after: str, looser: bool
) -> None:
    found = limit_changes(replace(WHOLE, waivers=old), replace(WHOLE, waivers=new))
    assert found == (LimitChange(key="waivers", old=before, new=after, looser=looser),)


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
    (found,) = limit_changes(*limits)
    assert (found.old, found.new, found.looser) == (before, after, looser)


def test_a_waiver_of_everything_is_another_than_of_one_service() -> None:
    wider = replace(WAIVER, subject=None)
    found = limit_changes(WHOLE, replace(WHOLE, waivers=(wider,)))
    assert [(one.old == "none", one.looser) for one in found] == [(False, False), (True, True)]
