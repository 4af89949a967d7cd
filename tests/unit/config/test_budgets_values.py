"""What a budgets.yml means: its defaults, its values and units, the lines they are on."""

from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from onegig.config.budgets import load_budgets, parse_budgets
from onegig.errors import ConfigError
from onegig.model.budgets import (
    Budgets,
    Forks,
    MemoryBudget,
    Metric,
    Policy,
    ScanBudget,
    ServiceBudget,
    Shards,
)
from onegig.model.keys import MEMORY, keys_of
from onegig.model.measuring import Load, TwinImage
from onegig.model.scan import Severity
from onegig.model.sizes import Growth
from onegig.model.twin import MachineKind

MIB = 1024**2
DIGEST = "0123456789abcdef" * 4
Write = Callable[[str | bytes], Path]


def test_a_file_with_nothing_but_its_version_has_the_defaults(write: Write) -> None:
    budgets = load_budgets(write("version: 1\n"))
    assert budgets == Budgets(path="budgets.yml", compose="compose.yml", lines=(("version", 1),))
    assert budgets.where("memory.limit") == "default"


def test_every_value_is_read_and_its_line_kept(write: Write) -> None:
    budgets = load_budgets(
        write(
            """\
version: 1
compose: services/compose.yml
tier: gcp-e2-micro
machine: twin
swap: 1GB
twin: {image: debian.raw, sha256: "{digest}"}
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
forks: trust
""".replace("{digest}", DIGEST)
        )
    )
    assert budgets.machine is MachineKind.TWIN
    assert (budgets.swap_bytes, budgets.zram_bytes) == (1024 * MIB, None)
    assert budgets.twin == TwinImage(image="debian.raw", sha256=DIGEST)
    assert budgets.memory.limit_bytes == 2048 * MIB
    assert budgets.memory.metric is Metric.PSS
    assert budgets.memory.headroom_share == 0.125
    assert budgets.memory.system_overhead_bytes == 100 * MIB
    assert budgets.disk.limit_bytes == 64 * 10**9
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
    assert budgets.forks is Forks.TRUST
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
    assert budgets.where("services.redis.image") == "budgets.yml:20"
    assert budgets.where("memory.headroom") == "budgets.yml:7"


def test_limits_of_findings(write: Write) -> None:
    assert load_budgets(write("scan: {}")).scan == ScanBudget()
    text = "scan: {severity: LOW, ignore_unfixed: false, vulnerabilities: any, secrets: 3}"
    assert load_budgets(write(text)).scan == ScanBudget(
        severity=Severity.LOW, ignore_unfixed=False, vulnerabilities=None, secrets=3
    )


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


@pytest.mark.parametrize(
    ("text", "files", "first"),
    [
        ("compose: a/b.yml", ("a/b.yml",), "a/b.yml"),
        ("compose: [b.yml, c.yml]", ("b.yml", "c.yml"), "b.yml"),
        ("version: 1", (), "compose.yml"),
    ],
)
def test_the_compose_files_that_are_named(
    write: Write, text: str, files: tuple[str, ...], first: str
) -> None:
    budgets = load_budgets(write(f"{text}\nprofiles: [debug, '1']\n"))
    assert (budgets.compose_files, budgets.compose) == (files, first)
    assert budgets.profiles == ("debug", "1")


@pytest.mark.parametrize("name", ["compose.yaml", "docker-compose.yml"])
def test_the_compose_file_beside_it_is_found(write: Write, tmp_path: Path, name: str) -> None:
    (tmp_path / name).write_text("services: {}")
    assert load_budgets(write("version: 1")).compose == name


def test_a_files_content_is_read_as_the_file_is(write: Write) -> None:
    text = "memory: {limit: 2GB}\n"
    assert parse_budgets("budgets.yml", text.encode()) == load_budgets(write(text))
    with pytest.raises(ConfigError) as caught:
        parse_budgets("owner/repo's budgets.yml", b"memory: {limit: 90}")
    assert caught.value.detail.startswith("owner/repo's budgets.yml:1: memory.limit: 90 has no")
    with pytest.raises(ConfigError, match="too large"):
        parse_budgets("budgets.yml", b"#" * 1_000_001)


@pytest.mark.parametrize(
    ("text", "memory", "image"),
    [
        ("10%", Growth(value=0.1, is_share=True), Growth(value=0.1, is_share=True)),
        ("150 %", Growth(value=1.5, is_share=True), Growth(value=1.5, is_share=True)),
        ("20MB", Growth(value=20 * MIB, is_share=False), Growth(value=20_000_000, is_share=False)),
        ("0MB", Growth(value=0, is_share=False), Growth(value=0, is_share=False)),
    ],
)
def test_a_growth_is_a_share_or_an_amount(
    write: Write, text: str, memory: Growth, image: Growth
) -> None:
    budgets = load_budgets(
        write(
            f"memory: {{max_growth: {text}, max_service_growth: {text}}}\n"
            f"images: {{max_growth: {text}}}\nservices: {{web: {{max_growth: {text}}}}}\n"
        )
    )
    assert (budgets.memory.max_growth, budgets.memory.max_service_growth) == ((memory,), (memory,))
    assert budgets.service("web").max_growth == (memory,)
    assert budgets.images.max_growth == image


@pytest.mark.parametrize(
    ("text", "bytes_per_second", "written"),
    [
        ("1MB/h", MIB / 3600, "1.0 MB/h"),
        ("3 MB / min", 3 * MIB / 60, "3.0 MB/min"),
        ("512k/s", MIB / 2, "0.5 MB/s"),
        ("1GiB/day", 1024 * MIB / 86_400, "1,024 MB/day"),
    ],
)
def test_a_growth_over_time(write: Write, text: str, bytes_per_second: float, written: str) -> None:
    budgets = load_budgets(write(f"memory: {{max_growth: [10%, {text}]}}"))
    share, rate = budgets.memory.max_growth
    assert (share.is_share, share.per_seconds) == (True, 0)
    assert rate.bytes_per_second == pytest.approx(bytes_per_second)
    assert keys_of(MemoryBudget)["max_growth"].write((share, rate)) == f"10 %, {written}"


@given(st.integers(min_value=1, max_value=10**9), st.sampled_from(["", " "]))
def test_units_mean_what_they_say(count: int, space: str) -> None:
    assert MEMORY.parse(f"{count}{space}MiB") == MEMORY.parse(f"{count}{space}MB") == count * MIB
