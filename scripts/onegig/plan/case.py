"""Everything that the makers of a plan's actions may read."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date
from typing import Any

from onegig.model.budgets import Budgets
from onegig.model.measured import Missing
from onegig.model.memory import MemoryReport
from onegig.model.report import Report
from onegig.model.stack import Stack


@dataclass(frozen=True, kw_only=True, slots=True)
class Case:
    """One judged report and what it is about.

    `stack` is missing where only a report is at hand. `files` has the texts of the project's files
    by the path that a user would write, as far as they were read: changes to them become diffs.
    """

    report: Report
    memory: MemoryReport  # the report's
    stack: Stack | Missing
    budgets: Budgets
    today: date  # UTC
    files: Mapping[str, str] = field(default_factory=dict)

    @property
    def configs(self) -> Mapping[str, Mapping[str, Any]]:
        """Return each service's section of the compose project; empty where it was not read."""
        if isinstance(self.stack, Missing):
            return {}
        services = json.loads(self.stack.config_json).get("services") or {}
        return {name: config or {} for name, config in services.items()}

    def is_literal(self, value: object) -> bool:
        """Return whether the project's files have a value as it is, so that a change may show it.

        What variables or an env_file bring may be a secret.
        """
        return not self.files or any(str(value) in text for text in self.files.values())
