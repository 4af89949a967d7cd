"""The compose file keeps its promises: fifteen confined services that say how they are."""

import json
import re
import subprocess
from typing import Any

import pytest
import yaml

from running import ENVIRONMENT, SERVICES

COMPOSE = SERVICES / "compose.yml"
LISTED = """redis-coordinator market-data telegram-bot aggressor momentum mean-reversion volatility
    liquidity order-flow whale-watch correlation regime funding risk signal-fusion"""
NAMES = set(LISTED.split())
DIGEST = re.compile(r"[\w./-]+:[\w.-]+@sha256:[0-9a-f]{64}")
DOCUMENT: dict[str, Any] = yaml.safe_load(COMPOSE.read_text())
each_service = pytest.mark.parametrize(
    ("name", "service"), DOCUMENT["services"].items(), ids=list(DOCUMENT["services"])
)


def test_the_fifteen_services_are_there_and_two_reach_the_outside() -> None:
    services = DOCUMENT["services"]
    assert set(services) == NAMES
    outside = {name for name, service in services.items() if "outside" in service["networks"]}
    assert outside == {"market-data", "telegram-bot"}
    assert DOCUMENT["networks"]["desk"] == {"internal": True}


@each_service
def test_every_service_is_confined_and_checked(name: str, service: dict[str, Any]) -> None:
    assert service["read_only"] is True
    assert service["cap_drop"] == ["ALL"]
    assert service["security_opt"] == ["no-new-privileges:true"]
    assert int(service["user"].partition(":")[0]) > 0
    assert service["restart"] == "unless-stopped"
    assert service["logging"]["options"] == {"max-size": "1m", "max-file": "2"}
    assert service["mem_limit"]
    assert service["healthcheck"]["test"][0] == "CMD-SHELL"
    assert "ports" not in service


@each_service
def test_every_service_says_how_much_it_matters_and_waits_for_redis(
    name: str, service: dict[str, Any]
) -> None:
    labels = service["labels"]
    assert labels["onegig.optional"] in ("true", "false")
    assert labels["onegig.criticality"] in ("critical", "high", "medium", "low")
    assert labels["onegig.optional"] == "false" or labels["onegig.criticality"] != "critical"
    if name != "redis-coordinator":
        assert service["depends_on"] == {"redis-coordinator": {"condition": "service_healthy"}}
        assert service["environment"]["FEATURES"] == "${FEATURES:-all}"


def test_compose_and_dockerfiles_pin_the_same_bases_by_digest() -> None:
    pins: dict[str, str] = {}
    for text in (COMPOSE, SERVICES / "Dockerfile", SERVICES / "redis-coordinator" / "Dockerfile"):
        bases = re.findall(r"(\w+_IMAGE)(?:=|:-)([^\s}]+)", text.read_text())
        assert bases
        for name, reference in bases:
            assert DIGEST.fullmatch(reference), f"{text.name}: {reference}"
            assert pins.setdefault(name, reference) == reference
    assert set(pins) == {"ALPINE_IMAGE", "PYTHON_IMAGE", "VALKEY_IMAGE"}


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
    command = ["docker", "compose", "-f", str(COMPOSE), "config", "--format", "json"]
    environment = ENVIRONMENT | extra
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")
    config = json.loads(done.stdout)
    assert set(config["services"]) == NAMES
    for name, service in config["services"].items():
        assert service["image"] == f"crypto-desk/{name}:{extra.get('TAG', 'latest')}"
        assert not service.get("ports")
