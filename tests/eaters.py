"""Stacks of one kind of memory each, made so large that they are just so near a machine's limit.

They run one static program of a few hundred kilobytes, which the host's compiler makes.
"""

import io
import json
import tarfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import date
from pathlib import Path
from secrets import token_hex
from typing import Any

from factories import make_images
from onegig.engine.engine import Engine
from onegig.engine.owned import new_run
from onegig.judge.squeeze import answer_of
from onegig.judge.tier import plan_squeeze
from onegig.judge.verdict import judge
from onegig.memory.measure import measure
from onegig.model.budgets import Budgets
from onegig.model.measured import Skipped
from onegig.model.measuring import Measure
from onegig.model.memory import NO_SQUEEZE, MemoryReport, SqueezePlan
from onegig.model.stack import Stack
from onegig.model.tiers import Tier
from onegig.model.twin import MachineKind
from onegig.model.verdict import Verdict
from onegig.process import run, terminable
from stacks import plain_service

MIB = 1024**2
SOURCE = Path(__file__).parent / "eat.c"
FILE_MB, PROCESSES = 150, 40
COUNTS = {"small": 15, "forty": 40}  # containers, each a `big` one with its share
KINDS = ("big", "small", "heap", "tmpfs", "cache", "processes")
Say = Callable[[str], None]


@contextmanager
def eater_image(engine: Engine, folder: Path) -> Iterator[str]:
    """The image's name, for as long as the block, which SIGTERM ends; OnegigError without cc."""
    image = f"onegig-eater-{token_hex(4)}:latest"
    program = folder / "eat"
    run(["cc", "-static", "-Os", "-s", "-o", str(program), str(SOURCE)])
    archive = io.BytesIO()
    with tarfile.open(fileobj=archive, mode="w") as tar:
        tar.add(program, "eat")
    engine.client.api.import_image_from_data(archive.getvalue(), *image.split(":"))
    try:
        with terminable():
            yield image
    finally:
        engine.client.images.remove(image, force=True)


def make_stack(image: str, kind: str, mb: float, directory: str) -> Stack:
    """A stack of a kind that takes so many MB besides what its containers cost."""
    count = COUNTS.get(kind, 1)
    more = {"cache": [str(FILE_MB)], "processes": [str(PROCESSES)]}.get(kind, [])
    words = ["/eat", "big" if kind in COUNTS else kind, f"{mb / count:.3f}", *more]
    # often while starting, and never in the window: each check is a process of runc
    health: dict[str, Any] = {"test": ["CMD", "/eat", "ready"], "interval": "5m", "timeout": "15s"}
    health |= {"start_period": "90s", "start_interval": "2s", "retries": 20}
    service: dict[str, Any] = {"image": image, "command": words, "healthcheck": health}
    if kind == "tmpfs":
        service["tmpfs"] = ["/data:size=2g"]  # without a size it ends at half of the memory
    names = [kind] if count == 1 else [f"{kind}-{number:02}" for number in range(count)]
    config = {"name": "onegig-near", "services": dict.fromkeys(names, service)}
    return Stack(
        name="onegig-near",
        directory=directory,
        files=(),
        services=tuple(plain_service(name, image, has_healthcheck=True) for name in names),
        config_json=json.dumps(config),
    )


@dataclass(frozen=True, kw_only=True)
class Case:
    """A stack that needs `delta_mb` more (or less) than its machine has."""

    kind: str
    delta_mb: int
    hold_mb: float
    report: MemoryReport
    verdict: Verdict  # with the squeeze
    before: Verdict  # as it would be without

    @property
    def killed(self) -> bool:
        """Whether the kernel killed something in the squeeze or before."""
        squeeze = self.report.squeeze
        kills = 0 if isinstance(squeeze, type(NO_SQUEEZE)) else _kills(squeeze)
        return bool(kills or self.report.box.oom_kills)


class Bench:
    """Boots stacks on a machine of a tier, or in a box of its size."""

    def __init__(self, engine: Engine, image: str, tier: Tier, say: Say, **plan: Any) -> None:
        self.engine, self.image, self.tier, self.say = engine, image, tier, say
        settings = Measure(settle_seconds=3, window_seconds=8, **plan)
        self.budgets = Budgets(
            path="budgets.yml", compose="compose.yml", tier_names=(tier.name,), measure=settings
        )

    def stack(self, kind: str, hold_mb: float) -> Stack:
        """A stack that holds so many MB."""
        return make_stack(self.image, kind, hold_mb, "/")

    def run(self, kind: str, hold_mb: float, delta_mb: int = 0) -> Case:
        """Measure, squeeze and judge a stack that holds so many MB."""
        stack = self.stack(kind, hold_mb)
        report = self.measure(stack, squeezed=True)
        today, images = date(2026, 11, 29), make_images(s.name for s in stack.services)
        unsqueezed = replace(report, squeeze=NO_SQUEEZE)
        return Case(
            kind=kind,
            delta_mb=delta_mb,
            hold_mb=hold_mb,
            report=report,
            verdict=judge(self.budgets, images, report, self.tier, today=today),
            before=judge(self.budgets, images, unsqueezed, self.tier, today=today),
        )

    def measure(
        self, stack: Stack, *, squeezed: bool, twin: bool = False, parallel: int = 0
    ) -> MemoryReport:
        """Boot the stack, so many containers at a time, and again where it is near its limit."""
        kind = MachineKind.TWIN if twin else MachineKind.BOX
        budgets = replace(self.budgets, machine=kind)
        environment = self.engine.describe([self.image])
        with new_run() as own:
            return measure(
                self.engine,
                stack,
                budgets,
                environment,
                own,
                self.say,
                squeeze=lambda report: (
                    self._plan(budgets, report) if squeezed and not twin else NO_SQUEEZE
                ),
                adapt=lambda plan: replace(plan, parallel=parallel),
            )

    def _plan(self, budgets: Budgets, report: MemoryReport) -> SqueezePlan | Skipped:
        """The squeeze into the room of this tier, whose OS may be another than the catalogue's."""
        planned = plan_squeeze(budgets, report)
        system, memtotal = self.tier.os_idle_bytes, self.tier.memtotal_bytes
        if isinstance(planned, Skipped) or system is None or memtotal is None:
            return planned
        return replace(planned, room_bytes=memtotal - system + self.tier.spare_bytes)

    def base_mb(self, kind: str, hold_mb: float = 100) -> float:
        """What the machine needs for such a stack besides what it holds."""
        return self.needed_mb(self.run(kind, hold_mb)) - hold_mb

    def needed_mb(self, case: Case) -> float:
        """What the stack needs in operation, with the tier's OS."""
        total, system = case.verdict.total_bytes, self.budgets.memory.system_overhead_bytes
        assert isinstance(total, int)
        return (total - system + (self.tier.os_idle_bytes or system)) / MIB

    def hold_mb(self, base_mb: float, delta_mb: float) -> float:
        """How much a stack has to hold to need `delta_mb` more than the machine has."""
        assert self.tier.memtotal_bytes is not None
        return self.tier.memtotal_bytes / MIB + delta_mb - base_mb


def describe_answer(report: MemoryReport) -> str:
    """The kernel's answer, or why it was not asked."""
    answer = answer_of(report)
    return str(answer) if not hasattr(answer, "kind") else f"not squeezed ({answer.reason})"


def _kills(squeeze: Any) -> int:
    own = sum(service.oom_kills for service in squeeze.services)
    return int(own + squeeze.engine_kills)
