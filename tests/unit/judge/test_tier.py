"""Which machine a stack is judged for, and what it has besides memory."""

from dataclasses import replace
from pathlib import Path

import pytest

from factories import SERVICES, make_images, make_memory, make_report, make_service
from judging import BUDGETS, GO, MIB, TODAY, WARN, checks, service
from onegig.config.budgets import parse_budgets
from onegig.errors import ConfigError
from onegig.judge.limits import limit_changes
from onegig.judge.tier import choose_tier
from onegig.judge.verdict import judge
from onegig.model.budgets import Budgets, MemoryBudget
from onegig.model.images import ImagesReport
from onegig.model.measured import Skipped
from onegig.model.memory import MemoryReport
from onegig.model.options import Options
from onegig.model.state import State
from onegig.model.verdict import Verdict
from onegig.pipeline import load_limits
from onegig.report import view

REFUSED = "Docker would refuse to create it"
X86 = "aws-t2-micro"
GAP = Skipped(reason="not asked for")
IMAGES = make_images(SERVICES)
MEMORY = make_memory([make_service(name, rss) for name, rss in SERVICES.items()])


def on(architecture: str) -> MemoryReport:
    """The reference stack measured on a machine of that architecture."""
    return replace(MEMORY, environment=replace(MEMORY.environment, architecture=architecture))


def sold_as(mib: int, tier: str | None = None) -> Budgets:
    return replace(
        BUDGETS, memory=MemoryBudget(limit_bytes=mib * MIB), tier_names=(tier,) if tier else ()
    )


def verdict(
    budgets: Budgets, memory: MemoryReport = MEMORY, images: ImagesReport = IMAGES
) -> Verdict:
    tier = choose_tier(budgets, memory, images)
    return judge(budgets, images, memory, tier, today=TODAY)


@pytest.mark.parametrize(
    ("budgets", "architecture", "name"),
    [
        (sold_as(1024), "x86_64", "aws-t3-micro"),
        (sold_as(2048), "x86_64", "aws-t3-small"),
        (sold_as(2048), "aarch64", "aws-t4g-small"),
        (sold_as(1024), "aarch64", None),
        (sold_as(1000), "x86_64", None),
        (sold_as(1024, "none"), "x86_64", None),
        (sold_as(1000, "aws-t2-micro"), "x86_64", "aws-t2-micro"),
        (sold_as(1024, "aws-t4g-micro"), "x86_64", "aws-t4g-micro"),
    ],
)
def test_which_machine_is_judged(budgets: Budgets, architecture: str, name: str | None) -> None:
    tier = choose_tier(budgets, on(architecture), IMAGES)
    assert (tier.name if tier else None) == name


def test_images_say_the_architecture_where_memory_was_not_measured() -> None:
    images = replace(IMAGES, environment=on("aarch64").environment)
    tier = choose_tier(sold_as(2048), GAP, images)
    assert tier
    assert tier.name == "aws-t4g-small"
    unknown = choose_tier(sold_as(2048), GAP, GAP)
    assert unknown
    assert unknown.name == "aws-t4g-small"  # the smallest of any architecture


def test_a_machine_that_nobody_named_says_so_and_warns() -> None:
    judged = verdict(sold_as(1024), make_memory([make_service("web", 600)]), make_images(["web"]))
    (check,) = checks(judged, "memory.tier")
    assert (check.state, check.blocking, judged.state) == (WARN, False, WARN)
    assert check.message == (
        "no tier is set: aws-t3-micro, the smallest machine sold as 1,024 MB, really has 911 MB, "
        "its OS takes 185 MB: 958 of 911 MB, 47 MB (6 %) over"
    )
    assert [fall.machine for fall in judged.waterfalls] == ["the budget's 1,024 MB", "aws-t3-micro"]


@pytest.mark.parametrize("budgets", [sold_as(1024, "none"), sold_as(1000)])
def test_without_a_machine_only_the_limit_counts(budgets: Budgets) -> None:
    judged = verdict(budgets)
    assert [fall.machine for fall in judged.waterfalls] == [
        f"the budget's {budgets.memory.limit_bytes // MIB:,} MB"
    ]
    kinds = {check.id for check in judged.checks}
    assert not kinds & {"memory.tier", "tier.cpus", "tier.architecture"}


@pytest.mark.parametrize(
    ("tier", "cpus", "state", "message"),
    [
        ("aws-t2-micro", 64, WARN, f"64 CPUs, aws-t2-micro has 1: {REFUSED}"),
        ("aws-t2-micro", 1, GO, "1 CPU, aws-t2-micro has 1"),
        ("aws-t3-micro", 2.5, WARN, f"2.5 CPUs, aws-t3-micro has 2: {REFUSED}"),
        ("render-free", 0.5, WARN, "0.5 CPUs, render-free has 0.1"),
    ],
)
def test_a_service_that_asks_for_processors(
    tier: str, cpus: float, state: State, message: str
) -> None:
    services = [service("greedy", MIB, cpus=cpus), service("modest", MIB)]
    judged = verdict(sold_as(1024, tier), make_memory(services), make_images(["greedy", "modest"]))
    (check,) = checks(judged, "tier.cpus")
    assert (check.subject, check.state, check.blocking) == ("greedy", state, False)
    assert check.message == f"greedy asks for {message}"


def of_architectures(*names: str) -> ImagesReport:
    report = make_images(tuple(SERVICES)[: len(names)])
    pairs = zip(report.images, names, strict=True)
    return replace(report, images=tuple(replace(image, architecture=name) for image, name in pairs))


@pytest.mark.parametrize(
    ("architectures", "tier", "count", "message"),
    [
        (["amd64"] * 12 + ["arm64"], "aws-t4g-micro", 12, "12 images are x86_64"),
        (["arm64", "s390x", "arm64"], X86, 3, "2 images are aarch64 and 1 image is s390x"),
        (["amd64", ""], X86, 0, "no image is of another architecture"),
    ],
)
def test_images_of_another_architecture_are_reported_once(
    architectures: list[str], tier: str, count: int, message: str
) -> None:
    images = of_architectures(*architectures)
    names = [image.services[0] for image in images.images]
    memory = make_memory([make_service(name, 1) for name in names])
    (check,) = checks(verdict(sold_as(1024, tier), memory, images), "tier.architecture")
    machine = f"{tier} is {'x86_64' if tier == X86 else 'aarch64'}"
    assert (check.value, check.message) == (count, f"{message}, {machine}")
    assert check.state is (WARN if count else GO)
    assert not check.blocking


def test_an_image_that_several_services_run_counts_once() -> None:
    report = of_architectures("arm64")
    shared = replace(report, images=(replace(report.images[0], services=("a", "b")),))
    memory = make_memory([make_service(name, 1) for name in ("a", "b")])
    (check,) = checks(verdict(sold_as(1024, "aws-t2-micro"), memory, shared), "tier.architecture")
    assert check.value == 1


def test_none_is_a_tier_that_can_be_written() -> None:
    assert parse_budgets("budgets.yml", b"tier: none").tier == "none"
    with pytest.raises(ConfigError) as caught:
        parse_budgets("budgets.yml", b"tier: nowhere-at-all")
    assert caught.value.detail.endswith(", none)")


def test_the_command_line_can_ask_for_none(tmp_path: Path) -> None:
    (tmp_path / "budgets.yml").write_text("tier: aws-t2-micro")
    options = Options(budgets=tmp_path / "budgets.yml", tier="none")
    assert load_limits(options).tier == "none"
    assert "--tier none" in options.reproduce


def test_several_machines_are_judged_from_one_measurement() -> None:
    """The first decides; the others have a line each, in the table but not among what is wrong."""
    text = b"tier: [aws-t3-small, aws-t3-micro, oracle-e2-micro]\nmemory: {limit: 2GB}"
    budgets = parse_budgets("budgets.yml", text)
    memory = make_memory([make_service("web", 600)])
    judged = verdict(budgets, memory, make_images(["web"]))
    assert judged.state is GO
    others = {check.subject: check.state for check in checks(judged, "memory.elsewhere")}
    assert others == {"aws-t3-micro": WARN, "oracle-e2-micro": GO}
    report = make_report(memory, make_images(["web"]), budgets)
    lines = [row.name for row in view.limits(report).rows if row.name.startswith("Memory on")]
    assert lines == [
        "Memory on aws-t3-small",
        "Memory on aws-t3-micro, does not block",
        "Memory on oracle-e2-micro",
    ]
    assert view.problems(report) == ()
    changes = limit_changes(parse_budgets("budgets.yml", b"tier: aws-t3-small"), budgets)
    (change,) = [change for change in changes if change.key == "tier"]
    assert change.new == "aws-t3-small, aws-t3-micro, oracle-e2-micro"
