"""The report for a terminal: the verdict first, then why, then every figure behind it."""

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from onegig.model.images import ImagesReport
from onegig.model.measured import Missing
from onegig.model.memory import EnginePart, MemoryReport, ServiceMemory
from onegig.model.report import Report
from onegig.model.sizes import Convention
from onegig.model.state import State
from onegig.model.verdict import Waterfall
from onegig.report import accounts, changes, facts, scans, view, words
from onegig.report.bars import draw, scale, waterfall_strips
from onegig.report.console import grid, listed, printed, section
from onegig.text import format_rest, lines, plain

SERVICES_SHOWN = 40
LOGS_SHOWN = 3
PROBLEMS_SHOWN = 30
NUMBERS = ("cost", "RSS", "shmem", "limit", "image")
_BAR_COLORS = {"sold": "bright_black", "taken": "cyan", "free": "green", "over": "red"}


def render(report: Report, *, width: int = 80, color: bool = False) -> str:
    """The report as text no line of which is wider than `width`."""
    return printed(_parts(report, width), width=width, color=color)


def _parts(report: Report, width: int) -> list[RenderableType]:
    parts = [_verdict(report), *_failure(report), *_problems(report), *_notes(report)]
    if view.service_rows(report):
        parts.append(_services(report, width))
    if isinstance(report.memory, MemoryReport):
        parts.append(_box(report.memory))
    parts += [_waterfall(one, width) for one in report.verdict.waterfalls]
    parts += [_limits(report), _images(report.images), _footer(report)]
    return parts


def _verdict(report: Report) -> RenderableType:
    under = [
        changes.nothing_added(report),
        facts.heading(report),
        facts.compared_line(report),
        facts.differences_line(report),
        facts.total_line(report),
    ]
    return Group(_sentence(report), *(Text(plain(line), "dim") for line in under if line))


def _sentence(report: Report) -> Text:
    state = report.verdict.state
    text = Text(f"{state.symbol} {plain(report.verdict.sentence)}", "bold")
    text.stylize(f"bold {state.color}", 0, len(state.symbol) + 1 + len(state.value))
    return text


def _failure(report: Report) -> list[RenderableType]:
    """The step that failed and left gaps."""
    found = report.failure
    if found is None:
        return []
    table = grid()
    table.add_column(style="dim", no_wrap=True)
    table.add_column(overflow="fold")
    where = f" ({found.place})" if found.place else ""
    for head, text in (
        ("what", f"{found.message}{where}"),
        ("command", found.command),
        ("next", found.advice),
    ):
        if text:
            table.add_row(head, Text(plain(text)))
    parts: list[RenderableType] = [table]
    if found.detail.strip():
        parts.append(_tail(found.detail))
    return [section("What failed", Group(*parts))]


def _notes(report: Report) -> list[RenderableType]:
    """What decides nothing but should be known: waivers that end, what was left out."""
    rows = [(Text("·"), Text(plain(note))) for note in report.verdict.notes[:PROBLEMS_SHOWN]]
    return [section("Notes", listed(rows))] if rows else []


def _problems(report: Report) -> list[RenderableType]:
    """Failing checks with cause and place, then what could not be measured."""
    problems = view.problems(report)
    rows = [_problem(problem) for problem in problems[:PROBLEMS_SHOWN]]
    if len(problems) > PROBLEMS_SHOWN:
        rows.append((Text("…"), Text(format_rest(len(problems) - PROBLEMS_SHOWN), "dim")))
    reasons = [
        (Text(State.INCOMPLETE.symbol, State.INCOMPLETE.color), Text(plain(reason)))
        for reason in view.incomplete_reasons(report)
    ]
    parts: list[RenderableType] = []
    if rows:
        parts.append(section(view.failing_title(view.failing(report.verdict)), listed(rows)))
    if reasons:
        parts.append(section("Not measured besides" if rows else "Not measured", listed(reasons)))
    return parts + [_log(service) for service in view.failed_with_log(report)[:LOGS_SHOWN]]


def _log(service: ServiceMemory) -> RenderableType:
    return section(f"Last lines of {plain(service.name)}", _tail(service.log_tail))


def _tail(log: str) -> Text:
    return Text("\n".join(lines(log, 8)), "dim", no_wrap=True, overflow="ellipsis")


def _problem(problem: view.Problem) -> tuple[Text, Text]:
    state = problem.check.state
    text = Text(plain(problem.message))
    if problem.place:
        text.append(f" ({plain(problem.place)})", "dim")
    if problem.remark:
        text.append(f" · {plain(problem.remark)}")
    return Text(state.symbol, state.color), text.append(problem.rest)


def _services(report: Report, width: int) -> RenderableType:
    rows = view.service_rows(report)
    shown = [row for row in rows if row.state is not State.GO]
    shown += [row for row in rows if row.state is State.GO][: max(0, SERVICES_SHOWN - len(shown))]
    measured = isinstance(report.memory, MemoryReport)
    parts: list[RenderableType] = [_services_table(shown, width - 2, measured=measured)]
    rest = rows[len(shown) :]
    if rest:
        together = words.memory(sum(row.cost for row in rest))
        more = f"and {words.plural(len(rest), 'smaller service')} within their limits, {together}"
        parts.append(Text(more, "dim"))
    if measured and view.compose_limit_note(rows):
        parts.append(Text(view.compose_limit_note(rows), "dim"))
    return section(f"{words.plural(len(rows), 'service')} (MB)", Group(*parts))


def _services_table(rows: list[view.ServiceRow], width: int, *, measured: bool) -> Table:
    heads = NUMBERS if measured else NUMBERS[-1:]
    cells = [_figures(row)[-len(heads) :] for row in rows]
    room = width - sum(max(map(len, (h, *c))) + 2 for h, *c in zip(heads, *cells, strict=True))
    marked = any(row.state is not State.GO for row in rows)
    names = [_name(row, marked=marked) for row in rows]
    widest = min(max(map(len, (*names, "service"))), max(8, room - 16))
    table = Table(box=None, padding=(0, 2, 0, 0), pad_edge=False, header_style="dim")
    table.add_column("service", no_wrap=True, overflow="ellipsis", width=widest)
    for head in heads:
        table.add_column(head, justify="right", no_wrap=True)
    table.add_column("state" if measured else "", no_wrap=True, max_width=room - widest - 2)
    for row, name, figures in zip(rows, names, cells, strict=True):
        style = "" if row.state is State.GO else row.state.color
        state = words.service_state(row.memory) if row.memory else ""
        table.add_row(Text(name, style), *map(Text, figures), Text(state, style))
    return table


def _name(row: view.ServiceRow, *, marked: bool) -> str:
    mark = " " if row.state is State.GO else row.state.symbol
    return f"{mark} {plain(row.name)}" if marked else plain(row.name)


def _figures(row: view.ServiceRow) -> list[str]:
    memory, image = row.memory, row.image
    return [
        words.tenths(memory.cost_bytes if memory else None),
        words.tenths(memory.rss_bytes if memory else None),
        words.tenths(memory.shmem_bytes if memory else None),
        row.limit,
        words.tenths(image.size_bytes if image else None, Convention.STORAGE),
    ]


def _box(memory: MemoryReport) -> RenderableType:
    parts = ", ".join(map(_part, memory.engine))
    table = grid()
    table.add_column(no_wrap=True)
    table.add_column(overflow="fold")
    table.add_row("engine", f"{words.memory(memory.engine_pss_bytes)} PSS: {plain(parts)}")
    table.add_row("box", plain(facts.box_line(memory)))
    return section("Engine and box", table)


def _part(part: EnginePart) -> str:
    count = f" {part.processes}{words.TIMES}" if part.processes > 1 else ""
    return f"{part.name}{count} {words.memory(part.pss_bytes)}"


def _waterfall(waterfall: Waterfall, width: int) -> RenderableType:
    bars = waterfall_strips(waterfall)
    labels = [plain(bar.label, 24) for bar in bars]
    values = [bar.amount for bar in bars]
    pad, number = max(map(len, labels)), max(map(len, values))
    room = max(10, min(60, width - pad - number - 6))
    text = Text(no_wrap=True, overflow="ellipsis")
    for bar, label, value in zip(bars, labels, values, strict=True):
        text.append(f"{label:<{pad}}  {value:>{number}}  ")
        text.append(draw(bar, scale(bars), room) + "\n", _BAR_COLORS[bar.kind])
    text.rstrip()
    return section(f"Where the memory goes: {plain(waterfall.machine)}", text)


def _limits(report: Report) -> RenderableType:
    rows = view.summary(report.verdict)
    if not rows:
        return Text()
    heads = ["now", "limit", "headroom"]
    cells = [_limit(row) for row in rows]
    if changes.comparison(report):
        found = changes.deltas(report)
        heads.insert(1, f"vs {plain(changes.branch(report), 12)}")
        for row, line in zip(rows, cells, strict=True):
            line.insert(3, Text(changes.check_cell(row.check, found)))
    table = grid()
    table.add_column(width=1)
    table.add_column(overflow="ellipsis", no_wrap=True, ratio=1)
    for _ in heads:
        table.add_column(justify="right", no_wrap=True)
    table.add_row("", Text(), *(Text(head, "dim") for head in heads))
    for line in cells:
        table.add_row(*line)
    table.expand = True
    return section("Limits", table)


def _limit(row: view.SummaryRow) -> list[Text]:
    check = row.check
    missing = isinstance(check.value, Missing)
    return [
        Text("" if view.is_fact(check) else check.state.symbol, check.state.color),
        Text(plain(view.summary_title(row))),
        Text("not measured" if missing else words.check_value(check)),
        Text(words.check_limit(check)),
        Text(words.check_headroom(check), "" if check.state is State.GO else check.state.color),
    ]


def _images(images: ImagesReport | Missing) -> RenderableType:
    """Sizes, what could go and the fix that saves most, what trivy found."""
    if isinstance(images, Missing):
        return section("Images", Text(plain(words.missing(images))))
    lines = [facts.images_line(images), facts.eliminable_line(images)]
    if lines[-1]:
        fix = next(iter(accounts.advice(images)), None)
        lines[-1] += f"; `onegig inspect` tells how{f': {fix.line}' if fix else ''}"
    lines += [one.line for one in accounts.not_accounted(images)]
    lines.append(f"trivy: {scans.line(images)}")
    return section("Images", Group(*(Text(plain(line)) for line in lines if line)))


def _footer(report: Report) -> RenderableType:
    parts: list[RenderableType] = []
    environment = facts.environment_line(report)
    if environment:
        parts.append(section("Measured on", Text(plain(environment), "dim")))
    parts.append(section("Reproduce", Text(plain(report.reproduce), "bold")))
    return Group(*parts, Text(), _sentence(report))
