"""The compose file keeps its promises: fifteen confined services that say how they are."""

import json
import os
import re
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml

SERVICES = Path(__file__).parents[2] / "services"
COMPOSE = SERVICES / "compose.yml"
NAMES = frozenset(
    [
        "redis-coordinator",
        "market-data",
        "telegram-bot",
        "aggressor",
        "momentum",
        "mean-reversion",
        "volatility",
        "liquidity",
        "order-flow",
        "whale-watch",
        "correlation",
        "regime",
        "funding",
        "risk",
        "signal-fusion",
    ]
)
DIGEST = re.compile(r"[\w./-]+:[\w.-]+@sha256:[0-9a-f]{64}")


@pytest.fixture(scope="module")
def services() -> dict[str, dict[str, Any]]:
    """The services as YAML has them, anchors resolved."""
    found: dict[str, dict[str, Any]] = yaml.safe_load(COMPOSE.read_text())["services"]
    return found


def test_the_fifteen_services_are_there(services: dict[str, dict[str, Any]]) -> None:
    assert set(services) == NAMES


def test_every_service_is_confined(services: dict[str, dict[str, Any]]) -> None:
    for service in services.values():
        assert service["read_only"] is True
        assert service["cap_drop"] == ["ALL"]
        assert service["security_opt"] == ["no-new-privileges:true"]
        assert int(service["user"].partition(":")[0]) > 0
        assert service["restart"] == "unless-stopped"
        assert service["logging"]["options"] == {"max-size": "1m", "max-file": "2"}
        assert service["mem_limit"]
        assert service["healthcheck"]["test"][0] == "CMD-SHELL"
        assert "ports" not in service


def test_every_service_says_how_much_it_matters(services: dict[str, dict[str, Any]]) -> None:
    for service in services.values():
        labels = service["labels"]
        assert labels["onegig.optional"] in ("true", "false")
        assert labels["onegig.criticality"] in ("critical", "high", "medium", "low")
        assert labels["onegig.optional"] == "false" or labels["onegig.criticality"] != "critical"


def test_every_service_waits_for_redis(services: dict[str, dict[str, Any]]) -> None:
    for name, service in services.items():
        if name != "redis-coordinator":
            assert service["depends_on"] == {"redis-coordinator": {"condition": "service_healthy"}}
            assert service["environment"]["FEATURES"] == "${FEATURES:-all}"


def test_only_market_data_and_the_bot_reach_the_outside(
    services: dict[str, dict[str, Any]],
) -> None:
    outside = {name for name, service in services.items() if "outside" in service["networks"]}
    assert outside == {"market-data", "telegram-bot"}
    assert yaml.safe_load(COMPOSE.read_text())["networks"]["desk"] == {"internal": True}


def test_compose_and_dockerfiles_pin_the_same_bases_by_digest() -> None:
    pins: dict[str, set[str]] = {}
    texts = (COMPOSE, SERVICES / "Dockerfile", SERVICES / "redis-coordinator" / "Dockerfile")
    for text in texts:
        found = re.findall(r"(\w+_IMAGE)(?:=|:-)([^\s}]+)", text.read_text())
        assert found
        for name, reference in found:
            assert DIGEST.fullmatch(reference), f"{text.name}: {reference}"
            pins.setdefault(name, set()).add(reference)
    assert {name: len(references) for name, references in pins.items()} == {
        "ALPINE_IMAGE": 1,
        "PYTHON_IMAGE": 1,
        "VALKEY_IMAGE": 1,
    }


def test_every_requirement_is_pinned_and_hashed() -> None:
    for path in sorted((SERVICES / "requirements").glob("*.txt")):
        lines = [line for line in path.read_text().splitlines() if re.match(r"\w", line)]
        assert lines
        assert all(re.match(r"[\w-]+==[\w.]+ \\$", line) for line in lines)
        assert path.read_text().count("--hash=sha256:") >= len(lines)


@pytest.mark.engine
@pytest.mark.parametrize("extra", [{}, {"FEATURES": "risk", "TAG": "x", "REPLAY_RATE": "7"}])
def test_compose_accepts_it_with_nothing_set_and_with_some_things_set(
    extra: dict[str, str],
) -> None:
    inherited = {name: os.environ[name] for name in ("PATH", "HOME") if name in os.environ}
    done = subprocess.run(
        ["docker", "compose", "-f", str(COMPOSE), "config", "--format", "json"],
        env=inherited | extra,
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, "")
    config = json.loads(done.stdout)
    assert set(config["services"]) == NAMES
    for name, service in config["services"].items():
        assert service["image"] == f"crypto-desk/{name}:{extra.get('TAG', 'latest')}"
        assert not service.get("ports")
