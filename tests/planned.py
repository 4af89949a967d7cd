"""Compose projects for tests of plans, as `docker compose config` resolves them; a pull's plan."""

import json
from collections.abc import Mapping
from dataclasses import replace
from datetime import date
from typing import Any

from factories import SERVICES
from gate_runs import make_honest_images, make_honest_memory
from onegig.config.budgets import parse_budgets
from onegig.judge.verdict import judge
from onegig.model.plan import Plan
from onegig.model.stack import Stack
from onegig.plan.case import Case
from onegig.plan.options import make_plan
from scenarios import make_go
from stacks import plain_service

OVER = make_honest_memory(58)  # MiB of each service
LIMITS = "version: 1\ntier: none\nmemory: {limit: 1024MB}\n"
_TODAY = date(2026, 11, 25)
_COMPOSE = "services:\n" + "".join(f"  {name}:\n    image: {name}\n" for name in SERVICES)
_MERGED = {"onegig.merge": "desk", "onegig.merge.variable": "RUN"}

COMPOSE = """\
# the stack
x-common: &common
  restart: always
  labels: {team: desk}

services:
  web:
    <<: *common
    image: web # ours
    healthcheck: {interval: 10s, retries: 2}
    depends_on: [db]
  db:
    image: db
    mem_limit: 90m
    command:
      - run
"""


def plan_stack(services: Mapping[str, Mapping[str, Any]]) -> Stack:
    """Return the stack whose services have these sections."""
    return Stack(
        name="demo",
        directory="/demo",
        files=("compose.yml",),
        services=tuple(
            plain_service(
                name,
                str(config.get("image") or name),
                has_healthcheck="healthcheck" in config,
                depends_on=tuple(config.get("depends_on") or ()),
            )
            for name, config in services.items()
        ),
        config_json=json.dumps({"name": "demo", "services": services}),
    )


def plan_of(budgets: str = LIMITS) -> Plan:
    """The plan that a pull request's own run makes, by the limits of its own checkout."""
    configs = {name: {"image": name, "labels": _MERGED} for name in SERVICES}
    limits = parse_budgets("budgets.yml", budgets.encode())
    images = make_honest_images()
    verdict = judge(limits, images, OVER, None, today=_TODAY)
    case = Case(
        report=replace(make_go(), verdict=verdict, images=images, memory=OVER),
        memory=OVER,
        stack=plan_stack(configs),
        budgets=limits,
        today=_TODAY,
        files={"compose.yml": _COMPOSE},
    )
    plan = make_plan(case)
    assert isinstance(plan, Plan)
    return plan
