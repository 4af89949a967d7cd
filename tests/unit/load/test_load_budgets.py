"""budgets.yml as users write it: defaults, values, and what they are told of their mistakes."""

from collections.abc import Callable
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from onegig.errors import ConfigError
from onegig.load.budgets import check_against, load_budgets, parse_budgets
from onegig.load.values import memory_size, seconds, share
from onegig.model.budgets import (
    Budgets,
    Load,
    Metric,
    Policy,
    ScanBudget,
    ServiceBudget,
    Shards,
    Waiver,
)
from onegig.model.scan import Severity
from onegig.model.stack import Service, Stack

MIB = 1024**2
GOLDEN = Path(__file__).parents[2] / "golden" / "budgets"
Write = Callable[[str | bytes], Path]


def told(path: Path) -> list[str]:
    """The lines of the error that reading `path` ends in."""
    with pytest.raises(ConfigError) as caught:
        load_budgets(path)
    return caught.value.detail.splitlines()


def test_a_file_with_nothing_but_its_version_has_the_defaults(write: Write) -> None:
    budgets = load_budgets(write("version: 1\n"))
    assert budgets == Budgets(path="budgets.yml", compose="compose.yml", lines=(("version", 1),))
    assert budgets.where("memory.limit") == "default"


def test_every_value_is_read_and_its_line_kept(write: Write) -> None:
    budgets = load_budgets(
        write("""\
version: 1
compose: services/compose.yml
tier: gcp-e2-micro
memory: {limit: 2GB, metric: pss, headroom: 12.5%, system_overhead: 100MiB}
disk: {limit: 64GB}
images: {total: 1.5GB, each: 110MB, min_efficiency: 0.95, max_wasted: 0, max_user_wasted: 10%,
  max_dead: 5MB, policy: error}
measure: {settle: 500ms, window: 1m, hz: 2.5, healthy_timeout: 90, repeats: 3}
load:
  service: web
  command: [python, -m, load, "--rate={rate}", --top, 200, --at, 15:30, --fast, true, --mode, 010]
  rate: 1500000
  environment: {PORT: 9400, DEBUG: yes, EMPTY: ""}
services:
  redis:
    memory: 90MB
    image: 99 mb
  web: {}
shards: {start: 8, most: 4}
""")
    )
    assert budgets.memory.limit_bytes == 2048 * MIB
    assert budgets.memory.metric is Metric.PSS
    assert budgets.memory.headroom_share == 0.125
    assert budgets.memory.system_overhead_bytes == 100 * MIB
    assert budgets.disk_bytes == 64 * 10**9
    assert budgets.images.total_bytes == 1_500_000_000
    assert budgets.images.each_bytes == 110_000_000
    assert budgets.images.min_efficiency == 0.95
    assert budgets.images.max_wasted_bytes == 0
    assert budgets.images.max_user_wasted_share == 0.1
    assert budgets.images.policy is Policy.ERROR
    assert budgets.images.max_dead_bytes == 5 * 10**6
    assert budgets.measure.settle_seconds == 0.5
    assert budgets.measure.window_seconds == 60
    assert budgets.measure.hz == 2.5
    assert budgets.measure.healthy_timeout_seconds == 90
    assert budgets.measure.repeats == 3
    assert budgets.shards == Shards(start=8, most=4)
    assert budgets.load == Load(
        service="web",
        command=(
            *("python", "-m", "load", "--rate={rate}", "--top", "200", "--at", "15:30"),
            *("--fast", "true", "--mode", "010"),
        ),
        environment=(("PORT", "9400"), ("DEBUG", "yes"), ("EMPTY", "")),
        rate=1_500_000,
    )
    assert budgets.load.words[3:6] == ("--rate=1500000", "--top", "200")
    assert budgets.service("redis") == ServiceBudget(memory_bytes=90 * MIB, image_bytes=99_000_000)
    assert budgets.service("web") == ServiceBudget()
    assert budgets.where("services.redis.image") == "budgets.yml:17"
    assert budgets.where("memory.headroom") == "budgets.yml:4"


@pytest.mark.parametrize("path", sorted(GOLDEN.glob("*.yml")), ids=lambda path: path.stem)
def test_all_mistakes_at_once(path: Path, write: Write) -> None:
    with pytest.raises(ConfigError) as caught:
        load_budgets(write(path.read_text()))
    assert caught.value.detail + "\n" == path.with_suffix(".txt").read_text()
    assert caught.value.message == "budgets.yml has 8 mistakes"


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("version: 2", "1: version: should be 1, the version this onegig reads, not the number 2"),
        ("compose:", "1: compose: has no value; fill it in or remove the line (write compose.yml)"),
        ("tier: aws-t2", "1: tier: no tier is called 'aws-t2' (did you mean aws-t2-micro?)"),
        ("memory: {limit: 90}", "1: memory.limit: 90 has no unit (write 90MB)"),
        ("memory: {limit: 1.5}", "1: memory.limit: 1.5 has no unit (write 1.5MB)"),
        ("memory: {limit: 1e3}", "1: memory.limit: '1e3' is not a size (write 1MB)"),
        ("memory: {limit: -5MB}", "1: memory.limit: '-5MB' is not a size (write 90MB)"),
        ("memory: {limit: 0}", "1: memory.limit: 0 should be more than nothing"),
        ("memory: {limit: yes}", "1: memory.limit: 'yes' is not a size (write 90MB)"),
        ("memory: {limit: true}", "1: memory.limit: 'true' is not a size (write 90MB)"),
        (
            "memory: {limit: [1GB]}",
            "1: memory.limit: should be text or a whole number, not a list (write 90MB)",
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
            "1: measure.window: holds less than two samples at 10 a second; make it longer",
        ),
        (
            "load: {service: web}",
            "1: load: lacks command (write {service: web, command: [python, load.py]})",
        ),
        (
            "load: {service: web, command: python x.py}",
            (
                "1: load.command: should be a list, not 'python x.py'"
                " (write [python, load.py, --rate, '200'])"
            ),
        ),
        (
            "load: {service: web, command: []}",
            "1: load.command: is empty (write [python, load.py, --rate, '200'])",
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
                " (known: total, each, min_efficiency, max_wasted, max_user_wasted, max_dead,"
                " policy)"
            ),
        ),
        (
            "disk: {limit: 1GB}\ndisk: {limit: 2GB}",
            "2: 'disk' is written twice (first on line 1)",
        ),
        ("memory: !gb 1", "1: memory: the tag !gb has no meaning here"),
        ("? [a]\n: b", "1: a key should be a name, not a list"),
        ("<<: 3", "1: << should name a mapping, not '3'"),
        ("measure: {repeats: 0}", "1: measure.repeats: 0 should be more than nothing"),
        ("measure: {repeats: 99}", "1: measure.repeats: 99 should be at most 20"),
        ("measure: {repeats: 1.5}", "1: measure.repeats: '1.5' is not a whole number (write 3)"),
        ("shards: {most: 300}", "1: shards.most: 300 should be at most 256"),
        (
            "load: {service: a, command: [b, '{rate}']}",
            "1: load.command: has {rate} but load.rate is not set",
        ),
        (
            "load:\n  service: a\n  command: [b]\n  rate: 5",
            "4: load.rate: is used nowhere: put {rate} into load.command",
        ),
        (
            "load: {service: a, command: [b, '{rate}'], rate: fast}",
            "1: load.rate: 'fast' is not a number (write 10)",
        ),
        (
            "load: {service: a, command: [b, '{rate}'], rate: 0}",
            "1: load.rate: 0 should be more than 0",
        ),
        ("- a", "1: should be a mapping of keys, not a list"),
        ("1024MB", "1: should be a mapping of keys, not '1024MB'"),
    ],
)
def test_a_mistake_is_told_with_its_line_and_its_cure(write: Write, text: str, line: str) -> None:
    assert f"budgets.yml:{line}" in told(write(text))


def test_control_characters_cannot_reach_the_terminal(write: Write) -> None:
    lines = told(write('services: {"a\\e[31m": 90MB, "b\\e[31m": {"\\e]0;x": 1}}'))
    assert len(lines) == 2
    assert all(character.isprintable() for line in lines for character in line)


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("memory: {limit: 1GB", "expected ',' or '}', but got '<stream end>'"),
        ("memory:\n\tlimit: 1GB", "cannot start any token (a tab? indent with spaces)"),
        (
            "waivers:\n  - owner: @ops",
            "2:12: found character '@' that cannot start any token (a value that begins with @",
        ),
        ("a: b: c", "1:5: mapping values are not allowed here"),
        ("version: 1\n---\nversion: 1\n", "one document only"),
        ("tier: 'x", "a quote that is not closed"),
        ("memory: *nothing", "found undefined alias"),
    ],
)
def test_broken_yaml_is_told_with_line_and_column(write: Write, text: str, line: str) -> None:
    (only,) = told(write(text))
    assert only.startswith("budgets.yml:")
    assert line in only


def test_text_in_another_encoding(write: Write) -> None:
    assert told(write("version: 1\ntier: café\n".encode("latin-1"))) == [
        "budgets.yml:2: not UTF-8 text (byte 0xe9); save the file as UTF-8"
    ]
    assert told(write("version: 1\n\x00")) == [
        "budgets.yml:2: the character U+0000 is not allowed in YAML"
    ]
    assert load_budgets(write("\ufeffversion: 1\n".encode())).path == "budgets.yml"


@pytest.mark.parametrize("text", ["", "# nothing yet\n", "---\n", "~"])
def test_an_empty_file_is_answered_with_an_example(write: Write, text: str) -> None:
    with pytest.raises(ConfigError, match=r"budgets\.yml is empty") as caught:
        load_budgets(write(text))
    assert "compose: compose.yml" in caught.value.advice


def test_a_missing_file_is_answered_with_an_example_that_works(write: Write) -> None:
    with pytest.raises(ConfigError, match="does not exist") as caught:
        load_budgets(Path("nowhere/budgets.yml"))
    example = "\n".join(line for line in caught.value.advice.splitlines() if line[:4] == "    ")
    assert load_budgets(write("---\n" + example)).memory.limit_bytes == 1024 * MIB


def test_a_folder_is_not_a_file(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="cannot be read"):
        load_budgets(tmp_path)


WAIVER = """\
waivers:
  - metric: image.efficiency
    subject: web
    reason: "#12"
    owner: "@ops"
    expires: {expires}
"""


def expiring(days: int) -> str:
    """A waiver whose last day is so many days from now."""
    return WAIVER.format(expires=datetime.now(UTC).date() + timedelta(days=days))


def test_waivers(write: Write) -> None:
    text = expiring(-500) + expiring(300).replace("    subject: web\n", "").split("\n", 1)[1]
    one, every = load_budgets(write(text)).waivers
    last = datetime.now(UTC).date() - timedelta(days=500)
    assert one == Waiver(
        metric="image.efficiency", subject="web", reason="#12", owner="@ops", expires=last
    )
    assert every.subject is None


@pytest.mark.parametrize(
    ("old", "new", "line"),
    [
        (
            "image.efficiency",
            "image.eficiency",
            "2: waivers[0].metric: 'image.eficiency' is not one of ",
        ),
        ("image.efficiency", "measure.complete", "2: waivers[0].metric: 'measure.complete' is not"),
        ('    reason: "#12"\n', "", "2: waivers[0]: lacks reason (write {metric: service.memory, "),
        ('    owner: "@ops"\n', "", "2: waivers[0]: lacks owner (write {metric: service.memory, "),
        ('"@ops"', '" "', "5: waivers[0].owner: is empty"),
        ('"@ops"', "42", "5: waivers[0].owner: should be text, not the number 42 (write '@ops')"),
        ("    owner:", "    ownr:", "5: waivers[0]: unknown key 'ownr' (did you mean owner?)"),
    ],
)
def test_mistakes_in_waivers(write: Write, old: str, new: str, line: str) -> None:
    lines = told(write(expiring(9).replace(old, new)))
    assert any(each.startswith(f"budgets.yml:{line}") for each in lines), lines


@pytest.mark.parametrize(
    ("expires", "message"),
    [
        ("31.12.2026", "'31.12.2026' is not a date (write 2026-12-31)"),
        ("2026-02-30", "'2026-02-30' is not a date (write 2026-12-31)"),
        ("2999-01-01", "2999-01-01 is more than a year away; waive for less"),
        ("[]", "should be text, not a list (write '2026-12-31')"),
    ],
)
def test_the_end_of_a_waiver(write: Write, expires: str, message: str) -> None:
    assert told(write(WAIVER.format(expires=expires))) == [
        f"budgets.yml:6: waivers[0].expires: {message}"
    ]


def test_a_waiver_of_a_single_finding(write: Write) -> None:
    text = expiring(9).replace("image.efficiency", "image.secrets\n    id: github-pat")
    (waiver,) = load_budgets(write(text)).waivers
    assert (waiver.metric, waiver.id) == ("image.secrets", "github-pat")
    other = expiring(9).replace("image.efficiency", "image.secrets\n    id: aws-key")
    assert len(load_budgets(write(text + other.split("\n", 1)[1])).waivers) == 2
    assert told(write(text + text.split("\n", 1)[1])) == [
        "budgets.yml:8: waivers[1]: image.secrets github-pat of web is already waived by waivers[0]"
    ]


def test_only_findings_have_an_id(write: Write) -> None:
    (line,) = told(write(expiring(9).replace("    subject: web", "    id: CVE-2026-1")))
    assert line == (
        "budgets.yml:3: waivers[0].id: only findings have one: image.vulnerabilities, "
        "image.secrets, image.misconfigurations"
    )


def test_limits_of_findings(write: Write) -> None:
    assert load_budgets(write("scan: {}")).scan == ScanBudget()
    text = "scan: {severity: LOW, ignore_unfixed: false, vulnerabilities: any, secrets: 3}"
    assert load_budgets(write(text)).scan == ScanBudget(
        severity=Severity.LOW, ignore_unfixed=False, vulnerabilities=None, secrets=3
    )


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
def test_mistakes_in_limits_of_findings(write: Write, written: str, message: str) -> None:
    (line,) = told(write(f"scan: {{{written}}}"))
    assert message in line


def test_a_waiver_may_last_a_year(write: Write) -> None:
    assert load_budgets(write(expiring(366))).waivers
    (line,) = told(write(expiring(368)))  # midnight may pass in between
    assert line.endswith("is more than a year away; waive for less")


def test_a_waiver_written_twice(write: Write) -> None:
    assert told(write(expiring(9) + expiring(10).split("\n", 1)[1])) == [
        "budgets.yml:7: waivers[1]: image.efficiency of web is already waived by waivers[0]"
    ]


@pytest.mark.parametrize("text", ["waivers: []", "version: 1"])
def test_no_waivers(write: Write, text: str) -> None:
    assert load_budgets(write(text)).waivers == ()


def test_a_files_content_is_read_as_the_file_is(write: Write) -> None:
    text = "memory: {limit: 2GB}\n"
    assert parse_budgets("budgets.yml", text.encode()) == load_budgets(write(text))
    with pytest.raises(ConfigError) as caught:
        parse_budgets("owner/repo's budgets.yml", b"memory: {limit: 90}")
    assert caught.value.detail.startswith("owner/repo's budgets.yml:1: memory.limit: 90 has no")
    with pytest.raises(ConfigError, match="too large"):
        parse_budgets("budgets.yml", b"#" * 1_000_001)


def bomb(levels: int) -> str:
    """Nine aliases to the level below, on every level: 9 ** levels values when expanded."""
    lines = ["x-0: &a0 [lol]"]
    lines += [
        f"x-{level}: &a{level} [{', '.join([f'*a{level - 1}'] * 9)}]" for level in range(1, levels)
    ]
    return "\n".join(lines)


@pytest.mark.parametrize(
    "text",
    [
        bomb(12),
        "memory: &m {limit: *m}",
        "a: &a {<<: *a}",
        "[" * 5000,
        "{a: " * 50 + "1" + "}" * 50,
        "version: 1 #" + "x" * 1_000_000,
        "services:\n" + "\n".join(f"  s{i}: {{}}" for i in range(20_000)),
    ],
    ids=["bomb", "recursive", "recursive-merge", "open", "deep", "large", "many"],
)
def test_attacks_are_refused(write: Write, text: str) -> None:
    with pytest.raises(ConfigError, match="too large or too deeply nested"):
        load_budgets(write(text))


def test_anchors_and_merge_keys_work(write: Write) -> None:
    budgets = load_budgets(
        write("""\
x-small: &small
  memory: 24MB
  image: 30MB
services:
  a: *small
  b:
    <<: *small
    image: 40MB
""")
    )
    assert budgets.service("a") == ServiceBudget(memory_bytes=24 * MIB, image_bytes=30_000_000)
    assert budgets.service("b") == ServiceBudget(memory_bytes=24 * MIB, image_bytes=40_000_000)
    assert budgets.where("services.b.memory") == "budgets.yml:2"


@pytest.mark.parametrize("name", ["compose.yaml", "docker-compose.yml"])
def test_the_compose_file_beside_it_is_found(write: Write, tmp_path: Path, name: str) -> None:
    (tmp_path / name).write_text("services: {}")
    assert load_budgets(write("version: 1")).compose == name


def stack(*names: str) -> Stack:
    services = tuple(
        Service(
            name=name,
            image=name,
            builds=False,
            dockerfile=None,
            replicas=1,
            has_healthcheck=False,
            depends_on=(),
            optional=False,
            criticality="",
            memory_limit_bytes=None,
        )
        for name in names
    )
    return Stack(
        name="s", directory="/s", files=("compose.yml",), services=services, config_json="{}"
    )


def test_services_the_stack_does_not_have(write: Write) -> None:
    budgets = load_budgets(
        write("load: {service: wbe, command: [x]}\nservices:\n  web: {}\n  reddis: {}\n  zzz: {}")
    )
    with pytest.raises(ConfigError) as caught:
        check_against(budgets, stack("web", "redis"))
    assert caught.value.detail.splitlines() == [
        "budgets.yml:1: load.service: the stack has no service 'wbe' (did you mean web?)",
        "budgets.yml:4: services.reddis: the stack has no service 'reddis' (did you mean redis?)",
        "budgets.yml:5: services.zzz: the stack has no service 'zzz'",
    ]
    assert caught.value.advice == "services of compose.yml: web, redis"
    check_against(budgets, stack("web", "wbe", "reddis", "zzz"))


def test_a_waiver_of_a_service_the_stack_does_not_have(write: Write) -> None:
    budgets = load_budgets(write(expiring(9)))
    check_against(budgets, stack("web"))
    check_against(load_budgets(write(expiring(9).replace("web", "stack"))), stack("redis"))
    with pytest.raises(ConfigError) as caught:
        check_against(budgets, stack("webb"))
    assert caught.value.detail == (
        "budgets.yml:3: waivers[0].subject: the stack has no service 'web' (did you mean webb?)"
    )


@given(st.integers(min_value=1, max_value=10**9), st.sampled_from(["", " "]))
def test_units_mean_what_they_say(count: int, space: str) -> None:
    assert memory_size(f"{count}{space}MiB") == memory_size(f"{count}{space}MB") == count * MIB


@example("9" * 400)
@example("9" * 400 + "MB")
@given(st.text(max_size=20))
def test_any_text_is_read_or_refused_in_words(text: str) -> None:
    for parse in (memory_size, share, seconds):
        with suppress(ValueError):
            assert parse(text) >= 0


@given(st.binary(max_size=300))
def test_any_bytes_are_read_or_refused(
    tmp_path_factory: pytest.TempPathFactory, raw: bytes
) -> None:
    path = tmp_path_factory.mktemp("any") / "budgets.yml"
    path.write_bytes(raw)
    with suppress(ConfigError):
        assert load_budgets(path).path == str(path)
