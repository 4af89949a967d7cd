"""The project's own budgets.yml: the mission's figures, and names that the stack really has."""

from datetime import UTC, datetime
from pathlib import Path

import yaml

from onegig.config.budgets import load_budgets, parse_budgets
from onegig.model.budgets import Budgets, ScanBudget
from onegig.model.tiers import find_tier

ROOT = Path(__file__).parents[3]
MIB = 1024**2


def test_the_missions_limits() -> None:
    budgets = load_budgets(ROOT / "budgets.yml")
    defaults = Budgets(path="", compose="")
    assert budgets.memory == defaults.memory
    assert budgets.measure == defaults.measure
    assert (budgets.disk.limit_bytes, budgets.images.total_bytes) == (30 * 10**9, 1_900_000_000)
    assert budgets.images.each_bytes == 110_000_000
    images = {name: own.image_bytes for name, own in budgets.services if own.image_bytes}
    assert images == {
        "redis-coordinator": 99_000_000,
        "market-data": 80_000_000,
        "telegram-bot": 70_000_000,
    }
    memory = [own.memory_bytes for name, own in budgets.services if name not in images]
    assert memory == [24 * MIB] * 12
    assert budgets.tier
    assert find_tier(budgets.tier).memtotal_bytes


def test_its_names_are_those_of_the_compose_file() -> None:
    budgets = load_budgets(ROOT / "budgets.yml")
    compose = yaml.safe_load((ROOT / budgets.compose).read_text())
    assert {name for name, _ in budgets.services} == set(compose["services"])
    assert budgets.load
    assert budgets.load.service in compose["services"]
    assert budgets.load.words[-2:] == ("--rate", "200")


def test_findings_block() -> None:
    budgets = load_budgets(ROOT / "budgets.yml")
    assert budgets.scan == ScanBudget(misconfigurations=0)
    for kind in ("vulnerabilities", "secrets", "misconfigurations"):
        assert budgets.where(f"scan.{kind}") != "default"


def test_it_waives_nothing() -> None:
    assert load_budgets(ROOT / "budgets.yml").waivers == ()


def test_its_example_of_a_waiver_can_be_used() -> None:
    lines = (ROOT / "budgets.yml").read_text().splitlines()
    start = lines.index("# waivers:")
    example = [line.removeprefix("# ") for line in lines[start : start + 11]]
    text = "\n".join(example).replace("2026-12-31", str(datetime.now(UTC).date()))
    check, finding = parse_budgets("example.yml", text.encode()).waivers
    assert (check.check, check.subject) == ("service.memory", "redis-coordinator")
    assert (finding.check, finding.id) == ("image.vulnerabilities", "CVE-2026-1234")
