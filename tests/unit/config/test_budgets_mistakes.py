"""What users are told of the mistakes in their budgets.yml: the line and the cure."""

from collections.abc import Callable
from pathlib import Path

import pytest

from onegig.config.budgets import check_against, load_budgets
from onegig.errors import ConfigError
from onegig.model.stack import Stack

GOLDEN = Path(__file__).parents[2] / "golden" / "budgets"
Write = Callable[[str | bytes], Path]
MakeStack = Callable[..., Stack]
Mistakes = Callable[[Path], list[str]]


@pytest.mark.parametrize("path", sorted(GOLDEN.glob("*.yml")), ids=lambda path: path.stem)
def test_all_mistakes_at_once(path: Path, write: Write) -> None:
    with pytest.raises(ConfigError) as caught:
        load_budgets(write(path.read_text()))
    assert caught.value.detail + "\n" == path.with_suffix(".txt").read_text()
    assert caught.value.message == "budgets.yml has 8 mistakes"


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("version: 2", "1: version: should be 1, the version this onegig reads, not 2"),
        ("compose:", "1: compose: has no value; fill it in or remove the line (write compose.yml)"),
        ("tier: aws-t2", "1: tier: no tier is called 'aws-t2' (did you mean aws-t2-micro?)"),
        ("tier: [gcp-e2-micro, gcp-e2-micro]", "1: tier: names gcp-e2-micro more than once"),
        (
            "tier: [none, gcp-e2-micro]",
            "1: tier: can't combine none with a tier; remove one of them",
        ),
        ('shards: {"": 1}', "1: shards: unknown key '' (known: start, most)"),
        (
            "load: {service: web, command: [a], environment: {FEED: [x]}}",
            (
                "1: load.environment.FEED: should be text or a number or true or false, not a list "
                "(write ws://feed:9400)"
            ),
        ),
        ("memory: {limit: 90}", "1: memory.limit: 90 has no unit (write 90MB)"),
        ("memory: {limit: 1.5}", "1: memory.limit: 1.5 has no unit (write 1.5MB)"),
        ("memory: {limit: 1e3}", "1: memory.limit: '1e3' is not a size (write 1MB)"),
        ("memory: {limit: -5MB}", "1: memory.limit: '-5MB' is not a size (write 90MB)"),
        ("memory: {limit: 0}", "1: memory.limit: 0 should be more than 0"),
        ("memory: {limit: yes}", "1: memory.limit: 'yes' is not a size (write 90MB)"),
        ("memory: {limit: true}", "1: memory.limit: 'true' is not a size (write 90MB)"),
        (
            "memory: {limit: [1GB]}",
            "1: memory.limit: should be text or a whole number, not a list (write 1024MB)",
        ),
        ("memory: {limit: 010}", "1: memory.limit: 010 has no unit (write 10MB)"),
        (
            "memory:\n  limit: 64MB",
            "1: memory.system_overhead: leaves nothing of memory.limit",
        ),
        ("memory: {headroom: 1}", "1: memory.headroom: 1 is not a share (write 1% or 100%)"),
        ("memory: {headroom: 120%}", "1: memory.headroom: '120%' is not between 0% and 100%"),
        ("measure: {settle: 25h}", "1: measure.settle: 25h is more than a day"),
        ("measure: {hz: 0}", "1: measure.hz: 0 should be more than 0"),
        ("measure: {hz: 1000}", "1: measure.hz: 1000 should be at most 100"),
        ("measure: {hz: 1e1}", "1: measure.hz: should be a number, not '1e1' (write 10)"),
        (
            "measure: {window: 0.1s}",
            "1: measure.window: is too short for two samples at 10 per second; make it longer",
        ),
        (
            "load: {service: web}",
            "1: load: lacks command (write {service: web, command: [python, load.py]})",
        ),
        (
            "load: {service: web, command: python x.py}",
            ("1: load.command: should be a list, not 'python x.py' (write [python, load.py])"),
        ),
        (
            "load: {service: web, command: []}",
            "1: load.command: is empty (write [python, load.py])",
        ),
        (
            "load: {service: web, command: [a, [b]]}",
            (
                "1: load.command[1]: should be text or a number or true or false, not a list"
                " (write --rate)"
            ),
        ),
        (
            "services:\n  redis:\n",
            "2: services.redis: has no value; fill it in or remove the line (write {memory: 90MB})",
        ),
        (
            "images: {x: 1}",
            (
                "1: images: unknown key 'x'"
                " (known: total, each, min_efficiency, max_wasted, max_user_wasted,"
                " ignore_user_wasted_below, max_dead, max_base_dead, max_growth, policy)"
            ),
        ),
        (
            "disk: {limit: 1GB}\ndisk: {limit: 2GB}",
            "2: 'disk' is written twice (first on line 1)",
        ),
        ("memory: !gb 1", "1: memory: the tag !gb is not supported here"),
        ("? [a]\n: b", "1: a key should be a name, not a list"),
        ("<<: 3", "1: << should name a mapping, not '3'"),
        ("measure: {repeats: 0}", "1: measure.repeats: 0 should be at least 1"),
        ("measure: {repeats: 99}", "1: measure.repeats: 99 should be at most 20"),
        ("measure: {repeats: 1.5}", "1: measure.repeats: '1.5' is not a whole number (write 3)"),
        ("machine: vm", "1: machine: 'vm' is not one of box, twin"),
        (
            "machine: twin\nswap: 1GB\nzram: 512MB",
            "3: zram: can't be combined with `swap`; remove one of them",
        ),
        (
            "twin: {image: a.raw}",
            "1: twin: lacks sha256 (write {image: debian-13.qcow2, sha256: "
            + "0123456789abcdef" * 4
            + "})",
        ),
        (
            "twin:\n  image: a.raw\n  sha256: abc",
            "3: twin.sha256: 'abc' is not a SHA-256 (write the 64 hex digits of `sha256sum FILE`)",
        ),
        ("forks: always", "1: forks: 'always' is not one of confirm, trust"),
        ("shards: {most: 300}", "1: shards.most: 300 should be at most 256"),
        (
            "load: {service: a, command: [b, '{rate}']}",
            "1: load.command: has {rate} but load.rate is not set",
        ),
        (
            "load:\n  service: a\n  command: [b]\n  rate: 5",
            "4: load.rate: has no effect; put {rate} into load.command",
        ),
        (
            "load: {service: a, command: [b, '{rate}'], rate: fast}",
            "1: load.rate: 'fast' is not a number (write 10)",
        ),
        (
            "memory: {max_growth: 10}",
            "1: memory.max_growth: 10 is ambiguous (write 10% or 10MB)",
        ),
        (
            "memory:\n  max_service_growth: 0.1",
            "2: memory.max_service_growth: 0.1 is ambiguous (write 0.1% or 0.1MB)",
        ),
        (
            "images: {max_growth: a lot}",
            "1: images.max_growth: 'a lot' is not a growth (write 10% or 20MB)",
        ),
        (
            "services: {web: {max_growth: '1,024MB'}}",
            (
                "1: services.web.max_growth: '1,024MB' can be read in two ways"
                " (write 1024MB or a decimal point)"
            ),
        ),
        (
            "memory: {max_growth: [10%, 1]}",
            "1: memory.max_growth[1]: 1 is ambiguous (write 1% or 1MB)",
        ),
        (
            "memory: {max_growth: {h: 1MB}}",
            "1: memory.max_growth: should be text or a list, not a mapping (write [10%, 1MB/h])",
        ),
        (
            "memory: {max_growth: 1MB/week}",
            "1: memory.max_growth: '1MB/week' is not a growth over time (write 1MB/h)",
        ),
        (
            "images: {max_growth: 1MB/h}",
            "1: images.max_growth: '1MB/h' is not a growth (write 10% or 20MB)",
        ),
        (
            "load: {service: a, command: [b, '{rate}'], rate: 0}",
            "1: load.rate: 0 should be more than 0",
        ),
        ("forks: [a]", "1: forks: should be text, not a list (write confirm)"),
        (
            "load: {command: [x]}\ntier: 3x",
            "1: load: lacks service (write {service: web, command: [python, load.py]})",
        ),
        ("- a", "1: should be a mapping of keys, not a list"),
        ("1024MB", "1: should be a mapping of keys, not '1024MB'"),
    ],
)
def test_a_mistake_is_told_with_its_line_and_its_cure(
    write: Write, mistakes: Mistakes, text: str, line: str
) -> None:
    assert f"budgets.yml:{line}" in mistakes(write(text))


@pytest.mark.parametrize(
    ("written", "message"),
    [
        ("severity: GRAVE", "scan.severity: 'GRAVE' is not one of"),
        ("ignore_unfixed: maybe", "scan.ignore_unfixed: should be"),
        ("vulnerabilities: none", "scan.vulnerabilities: 'none' is not a whole number (write 0,"),
        ("vulnerabilities: -1", "scan.vulnerabilities: '-1' is not a whole number (write 0, or"),
        ("secrets: 1.5", "scan.secrets: '1.5' is not a whole number (write 0, or any)"),
        ("licenses: 0", "scan: unknown key 'licenses'"),
    ],
)
def test_mistakes_in_limits_of_findings(
    write: Write, mistakes: Mistakes, written: str, message: str
) -> None:
    (line,) = mistakes(write(f"scan: {{{written}}}"))
    assert message in line


def test_services_the_stack_does_not_have(write: Write, make_stack: MakeStack) -> None:
    budgets = load_budgets(
        write("load: {service: wbe, command: [x]}\nservices:\n  web: {}\n  reddis: {}\n  zzz: {}")
    )
    with pytest.raises(ConfigError) as caught:
        check_against(budgets, make_stack("web", "redis"))
    assert caught.value.detail.splitlines() == [
        "budgets.yml:1: load.service: the stack has no service 'wbe' (did you mean web?)",
        "budgets.yml:4: services.reddis: the stack has no service 'reddis' (did you mean redis?)",
        "budgets.yml:5: services.zzz: the stack has no service 'zzz'",
    ]
    assert caught.value.advice == "compose.yml has the services web, redis"
    check_against(budgets, make_stack("web", "wbe", "reddis", "zzz"))
