"""The comment's tables: the few rows that decide, services that changed, all others folded."""

from collections.abc import Sequence

from onegig.model.measured import Missing
from onegig.model.memory import MemoryReport
from onegig.model.report import Change, Report, ServiceDelta
from onegig.model.sizes import Convention
from onegig.model.state import State
from onegig.model.verdict import Check
from onegig.report import changes, facts, view, words
from onegig.report.comment.room import Room
from onegig.report.comment.syntax import folded, opened, paragraphs, table, together
from onegig.text import code, markdown, plain

OPEN = 12  # changed services that are listed without a click


def summary(report: Report) -> str:
    """Totals and the worst of each kind: now, against the branch, limit and headroom."""
    rows = view.summary(report.verdict)
    if all(isinstance(row.check.value, Missing) for row in rows):
        return ""
    heads = ["", "now", "limit", "headroom"]
    cells = [_summary_row(row) for row in rows]
    if changes.comparison(report):
        found = changes.deltas(report)
        heads.insert(2, _versus(report))
        for row, line in zip(rows, cells, strict=True):
            line.insert(2, together(changes.check_cell(row.check, found)))
    return table(heads, cells)


def no_baseline(report: Report) -> str:
    """Why nothing is compared."""
    review = report.review
    if review is None or not isinstance(review.comparison, Missing):
        return ""
    return f"Not compared with {code(review.base_branch)}: {markdown(review.comparison.reason)}"


def changed(report: Report, room: Room) -> str:
    """Services that are new, gone, or differ by more than the noise."""
    found = changes.services(report)
    if not found:
        return ""
    metric = words.METRICS.get(report.verdict.metric, report.verdict.metric)
    versus = _versus(report)
    heads = ("service", metric, versus, "limit", "image", versus, "state")
    rows = {row.name: row for row in view.service_rows(report)}
    order = sorted(found, key=lambda one: _severity(rows.get(one.name)))
    cells = [_changed_row(one, rows.get(one.name)) for one in order[: room.services]]
    first, rest = opened(cells, OPEN)
    parts = [
        f"**Services: {changes.counted(found)}** (in MB)",
        table(heads, first, last_left=True),
        folded(f"{len(rest):,} more", table(heads, rest, last_left=True)) if rest else "",
        _cut(len(found) - len(cells)),
    ]
    return paragraphs(parts)


def others(report: Report, room: Room) -> str:
    """Every other service, folded."""
    seen = {one.name for one in changes.services(report)}
    rows = [row for row in view.service_rows(report) if row.name not in seen]
    if not rows or not room.services:
        return _cut(len(rows))
    measured = isinstance(report.memory, MemoryReport)
    cells = _memory_cells if measured else _image_cells
    heads = ("service", "cost", "RSS", "PSS", "shmem", "limit", "image", "state")
    head = heads if measured else ("service", "image")
    body = table(head, [cells(row) for row in rows[: room.services]], last_left=measured)
    noun = "other service" if seen else "service"
    title = f"{words.plural(len(rows), noun)}{_unchanged(report)}, in MB"
    note = view.compose_limit_note(rows) if measured else ""
    return folded(title, paragraphs((body, markdown(note), _cut(len(rows) - room.services))))


def engine(report: Report) -> str:
    """What else was measured: engine, box and images, folded."""
    memory, images = report.memory, report.images
    texts: list[str] = []
    if isinstance(memory, MemoryReport):
        parts = [
            (code(part.name), str(part.processes), words.tenths(part.pss_bytes))
            for part in memory.engine
        ]
        texts.append(table(("engine", "processes", "PSS, MB"), parts))
        texts.append(f"Box: {markdown(facts.box_line(memory))}")
    told = words.missing(images) if isinstance(images, Missing) else facts.images_line(images)
    texts.append(f"Images: {markdown(told)}")
    if isinstance(memory, Missing) and isinstance(images, Missing):
        return ""
    return folded("Engine, box and images", paragraphs(texts))


def _versus(report: Report) -> str:
    return f"vs {markdown(plain(changes.branch(report), 24))}"


def _summary_row(row: view.SummaryRow) -> list[str]:
    check = row.check
    room = together(words.check_headroom(check))
    missing = isinstance(check.value, Missing)
    return [
        f"{_icon(check)}{markdown(view.summary_title(row))}",
        together(words.check_value(check)) if not missing else "not measured",
        together(words.check_limit(check)),
        room if check.state is State.GO else f"**{room}**",
    ]


def _icon(check: Check) -> str:
    """Return the state's icon; none for a mere fact."""
    return "" if view.is_fact(check) else f"{check.state.icon} "


def _changed_row(one: ServiceDelta, row: view.ServiceRow | None) -> tuple[str, ...]:
    memory = row.memory if row else None
    state = words.service_state(memory) if memory else "not measured"
    return (
        _service_name(row) if row else code(one.name),
        _now(one.memory_now, Convention.MEMORY),
        _difference(one, one.memory_now, one.memory_before, Convention.MEMORY),
        row.limit if row else words.DASH,
        _now(one.image_now, Convention.STORAGE),
        _difference(one, one.image_now, one.image_before, Convention.STORAGE),
        "removed" if one.change is Change.REMOVED else state,
    )


def _now(value: int | Missing, convention: Convention) -> str:
    return words.DASH if isinstance(value, Missing) else words.tenths(value, convention)


def _difference(
    one: ServiceDelta, now: int | Missing, before: int | Missing, convention: Convention
) -> str:
    if one.change is Change.NEW:
        return "new" if isinstance(now, int) else words.DASH
    if one.change is Change.REMOVED:
        now = 0
    if isinstance(now, Missing) or isinstance(before, Missing):
        return words.DASH
    return words.tenths_change(now, before, convention)


def _severity(row: view.ServiceRow | None) -> int:
    return -(row.state if row else State.GO).rank


def _unchanged(report: Report) -> str:
    if changes.comparison(report) is None or changes.services(report):
        return ""
    return ", none changed by more than noise"


def _cut(count: int) -> str:
    if count <= 0:
        return ""
    left = words.plural(count, "service")
    return f"_{left} left out to fit a comment; the full report has them._"


def _memory_cells(row: view.ServiceRow) -> Sequence[str]:
    memory = row.memory
    return (
        _service_name(row),
        words.tenths(memory.cost_bytes if memory else None),
        words.tenths(memory.rss_bytes if memory else None),
        words.tenths(memory.pss_bytes if memory else None),
        words.tenths(memory.shmem_bytes if memory else None),
        row.limit,
        _image_size(row),
        words.service_state(memory) if memory else "not measured",
    )


def _image_cells(row: view.ServiceRow) -> Sequence[str]:
    return _service_name(row), _image_size(row)


def _service_name(row: view.ServiceRow) -> str:
    mark = "" if row.state is State.GO else f"{row.state.icon} "
    return mark + code(row.name)


def _image_size(row: view.ServiceRow) -> str:
    return words.tenths(row.image.size_bytes if row.image else None, Convention.STORAGE)
