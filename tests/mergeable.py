"""A case like the reference stack's: twelve alike services of fifteen can share a container."""

import json
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from factories import MIB, TODAY, make_memory, make_report, make_service
from onegig.config.budgets import parse_budgets
from onegig.model.measured import Skipped
from onegig.model.memory import EnginePart
from onegig.model.stack import Stack
from onegig.plan.case import Case
from stacks import plain_service

BUDGETS = parse_budgets("budgets.yml", b"version: 1\ntier: none\nmemory: {limit: 1024MB}\n")
LABELS = {"onegig.merge": "intelligence", "onegig.merge.variable": "RUN"}
LEVELS = ("critical", "low", "high", "medium", "low", "high", "low", "high", "high", "high")


def make_case(
    total_mib: float = 457.2,
    configs: Mapping[str, Mapping[str, Any]] | None = None,
    depends_on: Mapping[str, tuple[str, ...]] | None = None,
    anon_mib: float = 5.32,
    limit_mib: int = 64,
) -> Case:
    """Return twelve alike services, with what the reference stack's 15 containers took.

    The engine's part is what is left of the total.
    """
    names, others = [f"s{number}" for number in range(12)], ["db", "feed", "bot"]
    alike = {
        "criticality": "low",
        "rss_bytes": round((anon_mib + 5.0) * MIB),
        "pss_bytes": round((anon_mib + 0.35) * MIB),
        "anon_bytes": round(anon_mib * MIB),
        "kernel_bytes": round(0.41 * MIB),
        "limit_bytes": limit_mib * MIB,
    }
    services = [
        replace(make_service(name, 10.3, **alike), criticality=level)
        for name, level in zip(names, (*LEVELS, "low", "low"), strict=True)
    ]
    services += [make_service(name, 8.1, kernel_bytes=MIB // 2) for name in others]
    memory = make_memory(
        services,
        engine=(
            EnginePart(name="dockerd", processes=1, pss_bytes=105 * MIB, rss_bytes=108 * MIB),
            EnginePart(name="shim", processes=15, pss_bytes=81 * MIB, rss_bytes=304 * MIB),
        ),
    )
    cost = round((total_mib - 80) * MIB)
    box = replace(memory.box, cost_bytes=cost, kernel_bytes=round(22.5 * MIB))
    memory = replace(memory, box=box)
    config: dict[str, dict[str, Any]] = {name: {"labels": LABELS} for name in names} | {
        name: {} for name in others
    }
    for name, more in (configs or {}).items():
        config[name] = config[name] | dict(more)
    return Case(
        report=make_report(memory, Skipped(reason="not inspected"), BUDGETS),
        memory=memory,
        stack=make_stack(config, depends_on or {}),
        budgets=BUDGETS,
        today=TODAY,
    )


def make_stack(config: Mapping[str, Any], depends_on: Mapping[str, tuple[str, ...]]) -> Stack:
    services = tuple(
        plain_service(name, depends_on=depends_on.get(name, ()), optional=True) for name in config
    )
    text = json.dumps({"name": "desk", "services": config})
    return Stack(name="desk", directory=".", files=(), services=services, config_json=text)
