"""The section about memory: services, engine and box, and where a machine's memory goes."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from functools import partial

from rich.console import RenderableType
from rich.text import Text

from onegig.judge.settings import describe_settings
from onegig.judge.squeeze import answer_of, describe_squeeze
from onegig.model.budgets import METRIC_NAMES
from onegig.model.images import Image
from onegig.model.measured import Missing, Unknown
from onegig.model.memory import MemoryReport
from onegig.model.report import Change, Report, ServiceDelta
from onegig.model.service import ServiceMemory
from onegig.model.sizes import Convention
from onegig.model.state import State
from onegig.model.twin import TwinMemory
from onegig.model.verdict import Check, Waterfall
from onegig.report import comparison, numbers, view
from onegig.report.accounts import images_by_service
from onegig.report.boots import boots_line, boots_table, draw_boots, legend
from onegig.report.breakdown import breakdown_table
from onegig.report.figures import (
    Band,
    draw_memory,
    draw_waterfall,
    memory_bands,
    waterfall_strips,
)
from onegig.report.layout import Row, Table, marked, print_table, section
from onegig.report.twin import machine_name, twin_rows
from onegig.text import plain

COMPOSE_MARK = "*"
COMPOSE_LIMIT = f"{COMPOSE_MARK} mem_limit of the compose file"
SERVICES_SHOWN = 40  # in a terminal
OPEN = 12  # changed services that a comment lists without a click
_BAR_WIDTH = 40
_COLORS = {"sold": "bright_black", "": "cyan", "free": "green", "over": "red"}


@dataclass(frozen=True, kw_only=True, slots=True)
class ServiceRow:
    """One service with everything known about it; `state` is the worst of its checks."""

    name: str
    state: State
    memory: ServiceMemory | None
    image: Image | None
    limit_bytes: int | None

    @property
    def cost_bytes(self) -> int:
        """Return bytes for ordering and bars; 0 when memory was not measured."""
        return self.memory.cost_bytes if self.memory else 0

    @property
    def limit(self) -> str:
        """Return the limit in MB; marked if it is the compose file's, not budgets.yml's."""
        own = self.memory.limit_bytes if self.memory else None
        if self.limit_bytes is None and own:
            count = self.memory.containers if self.memory else 1
            times = f"{count}{numbers.TIMES} " if count > 1 else ""
            return f"{times}{numbers.tenths(own, down=True)}{COMPOSE_MARK}"
        return numbers.tenths(self.limit_bytes, down=True)

    @property
    def labels(self) -> str:
        """Return the service's labels in the compose file."""
        memory = self.memory
        labels = ("optional" if memory.optional else "", memory.criticality) if memory else ()
        return ", ".join(filter(None, labels))

    @property
    def outcome(self) -> str:
        """Return how the service ended."""
        return numbers.service_state(self.memory) if self.memory else view.NOT_MEASURED

    @property
    def mark(self) -> State | None:
        """Return the state, unless the service is all right."""
        return None if self.state is State.GO else self.state


def _memory_cell(field: str) -> Callable[[ServiceRow], str]:
    return lambda row: numbers.tenths(getattr(row.memory, field) if row.memory else None)


COLUMNS: Mapping[str, Callable[[ServiceRow], str]] = {
    "cost": _memory_cell("cost_bytes"),
    "RSS": _memory_cell("rss_bytes"),
    "PSS": _memory_cell("pss_bytes"),
    "shmem": _memory_cell("shmem_bytes"),
    "kernel": _memory_cell("kernel_bytes"),
    "working set": _memory_cell("working_set_bytes"),
    "limit": lambda row: row.limit,
    "image": lambda row: numbers.tenths(
        row.image.size_bytes if row.image else None, Convention.STORAGE
    ),
    "labels": lambda row: row.labels,
    "state": lambda row: row.outcome,
}
_DETAILS = ("PSS", "kernel", "working set")  # left out of a terminal, the last two of a comment


def service_rows(report: Report) -> tuple[ServiceRow, ...]:
    """Return every service of the stack: failing ones first, then the largest."""
    measured = report.memory.services if isinstance(report.memory, MemoryReport) else ()
    memory = {service.name: service for service in measured}
    images = images_by_service(report.images)
    checks: dict[str, list[Check]] = {}
    for check in report.verdict.checks:
        checks.setdefault(check.subject, []).append(check)
    rows = []
    for name in dict.fromkeys((*memory, *images)):
        image = images.get(name)
        subjects = {name, image.reference} if image else {name}
        own = [check for subject in subjects for check in checks.get(subject, ())]
        limit = next((check.limit for check in own if check.id == "service.memory"), None)
        # mere warnings about the image do not mark the service
        counted = [c for c in own if not c.state.passes or c.id.startswith("service.")]
        state = max((check.state for check in counted), key=lambda s: s.rank, default=State.GO)
        rows.append(
            ServiceRow(
                name=name,
                state=state,
                memory=memory.get(name),
                image=image,
                limit_bytes=None if limit is None else int(limit),
            )
        )
    return tuple(sorted(rows, key=lambda row: (-row.state.rank, -row.cost_bytes, row.name)))


def services_table(report: Report, *without: str) -> Table:
    """Return every service; columns without anything to say are left out."""
    rows = service_rows(report)
    heads = [head for head in COLUMNS if head not in without]
    if not isinstance(report.memory, MemoryReport):
        heads = ["image"]
    elif not any(row.labels for row in rows):
        heads.remove("labels")
    largest = max((row.cost_bytes for row in rows), default=0) or 1
    shown = (
        Row(
            name=row.name,
            cells=tuple(COLUMNS[head](row) for head in heads),
            state=row.mark,
            share=row.cost_bytes / largest if "cost" in heads else 0.0,
        )
        for row in rows
    )
    texts = len({"labels", "state"}.intersection(heads))
    return Table(heads=("service", *heads), rows=tuple(shown), texts=texts)


def _limit_note(report: Report) -> str:
    """Explain the mark of limits that stand in the compose file, or "" if there is none."""
    limits = (row.limit for row in service_rows(report))
    return COMPOSE_LIMIT if any(limit.endswith(COMPOSE_MARK) for limit in limits) else ""


def _box_line(memory: MemoryReport) -> str:
    box, stall = memory.box, memory.box.stall
    if isinstance(stall, Missing):
        waited = f"stall {numbers.missing(stall)}"
    else:
        some, full = map(numbers.seconds, (stall.some_seconds, stall.full_seconds))
        waited = f"stalled {some} some, {full} all{' (whole host)' if stall.of_host else ''}"
    twin = isinstance(memory.twin, TwinMemory)
    peak = (
        f"peak {numbers.with_page_cache(box.peak_bytes)}",
        f"{numbers.memory(box.peak_anon_bytes)} without",
    )
    return numbers.joined(
        f"charged {numbers.memory(box.charged_bytes)}",
        *(() if twin else peak),
        f"{numbers.memory(box.shmem_bytes)} in tmpfs and shared memory",
        f"{numbers.memory(box.kernel_bytes)} of the kernel",
        "" if twin else f"cap {numbers.memory(box.cap_bytes, down=True)}, no swap",
        numbers.plural(box.oom_kills, "OOM kill") if box.oom_kills else "",
        waited,
    )


def _squeeze_line(memory: MemoryReport) -> str:
    """Return the kernel's answer when the stack was squeezed, or "" if it was not."""
    squeeze, answer = memory.squeeze, answer_of(memory)
    if isinstance(squeeze, Missing) or isinstance(answer, Missing):
        return numbers.missing(squeeze) if isinstance(squeeze, Unknown) else ""
    faults, cost = squeeze.faults, squeeze.cost_bytes
    rates = ""
    if not isinstance(faults, Missing):
        major, again = faults.major_per_second, faults.refaults_per_second
        rates = f"{major:,.0f} major faults and {again:,.0f} refaults a second"
    taken = "" if isinstance(cost, Missing) else f"took {numbers.memory(cost)}"
    return numbers.joined(describe_squeeze(squeeze, answer), taken, rates)


def _message(report: Report, id_: str) -> str:
    """Return what a check of the whole stack says, or "" if there is no such check."""
    return next((check.message for check in report.verdict.checks if check.id == id_), "")


def _settings_line(memory: MemoryReport) -> str:
    settings = memory.settings
    return "" if isinstance(settings, Missing) else numbers.joined(*describe_settings(settings))


def _engine_table(memory: MemoryReport) -> Table:
    parts = [(part.processes, part.pss_bytes, part.rss_bytes) for part in memory.engine]
    parts.append((sum(part[0] for part in parts), memory.engine_pss_bytes, 0))
    names = (*(part.name for part in memory.engine), "together")
    rows = (
        Row(
            name=name,
            cells=(f"{count}", numbers.tenths(pss), numbers.tenths(rss or None)),
            is_total=count == parts[-1][0] and name == names[-1],
        )
        for name, (count, pss, rss) in zip(names, parts, strict=True)
    )
    return Table(heads=("engine", "processes", "PSS", "RSS"), rows=tuple(rows))


def _machine(waterfall: Waterfall) -> str:
    """Return the machine and, for a tier, its price by the catalogue."""
    price = waterfall.usd_per_month
    return waterfall.machine + ("" if price is None else f", ${price:,.2f} a month")


def _waterfall_lines(
    waterfall: Waterfall, most: int, width: int = 1000
) -> list[tuple[str, str, str]]:
    """Return each strip's kind, its label with its size, and its bar of `most` characters."""
    strips = waterfall_strips(waterfall)
    labels = [plain(strip.label, 24) for strip in strips]
    pad, number = max(map(len, labels)), max(len(strip.amount) for strip in strips)
    whole = max(1, *(strip.end_bytes for strip in strips))
    bar_width = max(10, min(most, width - pad - number - 6))
    return [
        (strip.kind, f"{label:<{pad}}  {strip.amount:>{number}}  ", strip.draw(whole, bar_width))
        for strip, label in zip(strips, labels, strict=True)
    ]


def terminal(report: Report, width: int) -> list[RenderableType]:
    """Return services, engine and box, and the machines' memory as bars."""
    memory = report.memory
    parts: list[RenderableType] = []
    if service_rows(report):
        parts.append(_terminal_services(report, width))
    if isinstance(memory, MemoryReport):
        engine = ", ".join(
            f"{part.name}{f' {part.processes}{numbers.TIMES}' if part.processes > 1 else ''} "
            f"{numbers.memory(part.pss_bytes)}"
            for part in memory.engine
        )
        pss = numbers.memory(memory.engine_pss_bytes)
        rows = (
            ("engine", f"{pss} PSS: {engine}"),
            (machine_name(memory), _box_line(memory)),
            *twin_rows(memory),
            ("boots", boots_line(report)),
            ("squeeze", _squeeze_line(memory)),
            ("throttled", _message(report, "memory.throttled")),
            ("reboot", _message(report, "memory.reboot")),
        )
        table = marked((Text(name), Text(plain(text))) for name, text in rows if text)
        parts.append(section(f"Engine and {machine_name(memory)}", table))
    for waterfall in report.verdict.waterfalls:
        text = Text(no_wrap=True, overflow="ellipsis")
        for kind, label, bar in _waterfall_lines(waterfall, 60, width):
            text.append(label).append(f"{bar}\n", _COLORS[kind])
        text.rstrip()
        parts.append(section(f"Where the memory goes: {plain(_machine(waterfall))}", text))
    return parts


def _terminal_services(report: Report, width: int) -> RenderableType:
    rows, table = service_rows(report), services_table(report, *_DETAILS)
    failing = sum(row.state is not State.GO for row in rows)
    shown = max(failing, SERVICES_SHOWN)
    rest = rows[shown:]
    cost = numbers.memory(sum(row.cost_bytes for row in rest))
    more = f"and {numbers.plural(len(rest), 'smaller service')} within their limits, {cost}"
    notes = [more if rest else "", _limit_note(report)]
    lines = [Text(note, "dim") for note in notes if note]
    title = f"{numbers.plural(len(rows), 'service')} (MB)"
    return section(title, print_table(table.cut(0, shown), width - 2), *lines)


def _changed_table(report: Report) -> Table:
    """Return services that are new, gone, or differ by more than the noise."""
    rows = {row.name: row for row in service_rows(report)}
    ranks = {name: -row.state.rank for name, row in rows.items()}
    deltas = comparison.changed_services(report)
    order = sorted(deltas, key=lambda delta: ranks.get(delta.name, 0))
    metric = METRIC_NAMES.get(report.verdict.metric, report.verdict.metric)
    versus = f"vs {plain(comparison.branch(report), 24)}"
    return Table(
        heads=("service", metric, versus, "limit", "image", versus, "state"),
        rows=tuple(_changed_row(delta, rows.get(delta.name)) for delta in order),
        texts=1,
    )


def _changed_row(delta: ServiceDelta, row: ServiceRow | None) -> Row:
    cells = []
    for now, before, convention in (
        (delta.memory_now, delta.memory_before, Convention.MEMORY),
        (delta.image_now, delta.image_before, Convention.STORAGE),
    ):
        after = 0 if delta.change is Change.REMOVED else now
        difference = numbers.DASH
        if isinstance(after, int) and delta.change is Change.NEW:
            difference = "new"
        elif isinstance(after, int) and isinstance(before, int):
            difference = numbers.tenths_change(after, before, convention)
        cells += [numbers.tenths(now, convention), difference]
    cells.insert(2, row.limit if row else numbers.DASH)
    outcome = row.outcome if row else view.NOT_MEASURED
    cells.append("removed" if delta.change is Change.REMOVED else outcome)
    return Row(name=delta.name, cells=tuple(cells), state=row.mark if row else None)


def values(report: Report) -> Mapping[str, object]:
    """Return what the templates show."""
    memory = report.memory if isinstance(report.memory, MemoryReport) else None
    changed = comparison.changed_services(report)
    names = {delta.name for delta in changed}
    others = services_table(report, *_DETAILS[1:])
    is_same = comparison.comparison(report) is not None and not changed
    return {
        "memory": memory,
        "services": services_table(report),
        "changed": _changed_table(report),
        "counts": comparison.count_changes(changed),
        "others": replace(others, rows=tuple(r for r in others.rows if r.name not in names)),
        "unchanged": ", none changed by more than noise" if is_same else "",
        "breakdown": breakdown_table(report),
        "limit_note": _limit_note(report) if memory else "",
        "engine": _engine_table(memory) if memory else None,
        "box": _box_line(memory) if memory else "",
        "machine": machine_name(memory),
        "twin": twin_rows(memory) if memory else (),
        "squeeze": _squeeze_line(memory) if memory else "",
        "throttled": _message(report, "memory.throttled"),
        "reboot": _message(report, "memory.reboot"),
        "settings": _settings_line(memory) if memory else "",
        "boots": boots_table(report),
        "legend": partial(legend, report),
        "draw_boots": partial(draw_boots, report),
        "describe_machine": _machine,
        "strips": waterfall_strips,
        "draw_lines": _draw_lines,
        "draw_waterfall": draw_waterfall,
        "bands": partial(_bands, report),
        "draw_memory": draw_memory,
    }


def _draw_lines(waterfall: Waterfall) -> list[str]:
    lines = _waterfall_lines(waterfall, _BAR_WIDTH)
    return [f"{label}{bar}".rstrip() for _, label, bar in lines]


def _bands(report: Report) -> tuple[Band, ...]:
    """Return memory over time; kernel and OS are what the headline has over the samples.

    Nothing if these are of another metric.
    """
    memory, total = report.memory, report.verdict.total_bytes
    if not isinstance(memory, MemoryReport) or not memory.samples:
        return ()
    if memory.window.metric != report.verdict.metric:
        return ()
    highest = max(sample.total_bytes for sample in memory.samples)
    return memory_bands(memory, 0 if isinstance(total, Missing) else max(0, total - highest))
