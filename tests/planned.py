"""Compose projects for tests of plans, as `docker compose config` resolves them."""

import json
from collections.abc import Mapping
from typing import Any

from onegig.model.stack import Stack
from stacks import plain_service


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
