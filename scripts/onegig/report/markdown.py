"""The report as a GitHub comment: verdict and headroom first, the worst first, the rest folded.

Every word from outside passes through `escape`; the document stays under GitHub's limit by leaving
out whole rows, the least important first, and says so.
"""

from collections.abc import Sequence

from onegig.model.measured import Missing
from onegig.model.memory import MemoryReport
from onegig.model.report import Report
from onegig.model.sizes import Convention
from onegig.model.verdict import State, Waterfall
from onegig.report import facts, view, words
from onegig.report.bars import draw, scale, waterfall_bars
from onegig.report.escape import code, fence, html, lines, markdown, plain

MARKER = "<!-- onegig -->"
MAX_CHARACTERS = 65_536
ICONS = {
    State.GO: "✅",
    State.WARN: "⚠️",
    State.NO_GO: "❌",
    State.INCOMPLETE: "❔",
}
_BAR_WIDTH = 40
_TOO_LONG = "_All the rest is too long for a comment; the full report has it._"
_SHOWN = ((30, 5, 1000), (30, 5, 200), (20, 2, 60), (10, 0, 20), (5, 0, 0))  # what fits first


def render(report: Report) -> str:
    """The comment; at most MAX_CHARACTERS long."""
    for problems, logs, rows in _SHOWN:
        document = _document(report, problems, logs, rows)
        if len(document) <= MAX_CHARACTERS:
            return document
    return f"{_top(report)}\n\n{_TOO_LONG}\n\n{_footer(report)}\n"


def _document(report: Report, problems: int, logs: int, rows: int) -> str:
    sections = [
        _top(report),
        _summary(report),
        _problems(report, problems),
        _not_measured(report, problems),
        *_logs(report, logs),
        *(_waterfall(one, first=index == 0) for index, one in enumerate(report.verdict.waterfalls)),
        _services(report, rows),
        _engine(report),
        _footer(report),
    ]
    return "\n\n".join(section for section in sections if section) + "\n"


def _top(report: Report) -> str:
    verdict = report.verdict
    return f"{MARKER}\n### {ICONS[verdict.state]} {markdown(verdict.sentence)}"


def _summary(report: Report) -> str:
    rows = view.summary(report.verdict)
    if not rows:
        return ""
    return _table(("", "now", "limit", "headroom"), [_summary_row(row) for row in rows])


def _summary_row(row: view.SummaryRow) -> tuple[str, ...]:
    check = row.check
    room = _together(words.check_headroom(check))
    missing = isinstance(check.value, Missing)
    return (
        f"{ICONS[check.state]} {markdown(view.summary_title(row))}",
        _together(words.check_value(check)) if not missing else "not measured",
        _together(words.check_limit(check)),
        room if check.state is State.GO else f"**{room}**",
    )


def _problems(report: Report, shown: int) -> str:
    title = view.failing_title(view.failing(report.verdict))
    return _list(title, [_problem(one) for one in view.problems(report.verdict)], shown)


def _problem(problem: view.Problem) -> str:
    check = problem.check
    where = f" ({code(problem.place)})" if problem.place else ""
    return f"{ICONS[check.state]} {markdown(check.message)}{where}{problem.rest}"


def _not_measured(report: Report, shown: int) -> str:
    reasons = [markdown(reason) for reason in view.incomplete_reasons(report)]
    return _list("Not measured", [f"{ICONS[State.INCOMPLETE]} {one}" for one in reasons], shown)


def _list(title: str, items: Sequence[str], shown: int) -> str:
    if not items:
        return ""
    bullets = [f"- {item}" for item in items[:shown]]
    rest = len(items) - shown
    if rest > 0:
        bullets.append(f"- … and {rest:,} more, left out here; the full report has them")
    return f"**{title}**\n\n" + "\n".join(bullets)


def _logs(report: Report, shown: int) -> list[str]:
    return [
        _folded(f"Last lines of {html(service.name)}", fence(lines(service.log_tail), "text"))
        for service in view.failed_with_log(report)[:shown]
    ]


def _waterfall(waterfall: Waterfall, *, first: bool) -> str:
    bars = waterfall_bars(waterfall)
    labels = [plain(bar.label, 24) for bar in bars]
    values = [words.memory(bar.value_bytes, down=bar.kind in ("sold", "free")) for bar in bars]
    pad, number = max(map(len, labels)), max(map(len, values))
    drawn = [
        f"{label:<{pad}}  {value:>{number}}  {draw(bar, scale(bars), _BAR_WIDTH)}".rstrip()
        for bar, label, value in zip(bars, labels, values, strict=True)
    ]
    picture = fence(tuple(drawn), "text")
    if first:
        return f"**Where the memory goes** ({markdown(waterfall.machine)})\n\n{picture}"
    return _folded(f"Where the memory goes on {html(waterfall.machine)}", picture)


def _services(report: Report, shown: int) -> str:
    rows = view.service_rows(report)
    if not rows or not shown:
        return _cut(len(rows))
    measured = isinstance(report.memory, MemoryReport)
    cells = _memory_cells if measured else _image_cells
    heads = ("service", "RSS", "PSS", "working set", "limit", "image", "state")
    head = heads if measured else ("service", "image")
    table = _table(head, [cells(row) for row in rows[:shown]], last_left=measured)
    title = f"{words.plural(len(rows), 'service')}, in MB"
    return _folded(title, "\n\n".join(filter(None, (table, _cut(len(rows) - shown)))))


def _cut(count: int) -> str:
    if count <= 0:
        return ""
    return (
        f"_{words.plural(count, 'service')} left out to fit a comment; the full report has them._"
    )


def _memory_cells(row: view.ServiceRow) -> tuple[str, ...]:
    memory = row.memory
    return (
        _service_name(row),
        words.tenths(memory.rss_bytes if memory else None),
        words.tenths(memory.pss_bytes if memory else None),
        words.tenths(memory.working_set_bytes if memory else None),
        words.tenths(row.memory_limit_bytes, down=True),
        _image_size(row),
        words.service_state(memory) if memory else "not measured",
    )


def _image_cells(row: view.ServiceRow) -> tuple[str, ...]:
    return _service_name(row), _image_size(row)


def _service_name(row: view.ServiceRow) -> str:
    mark = "" if row.state is State.GO else f"{ICONS[row.state]} "
    return mark + code(row.name)


def _image_size(row: view.ServiceRow) -> str:
    return words.tenths(row.image.size_bytes if row.image else None, Convention.STORAGE)


def _engine(report: Report) -> str:
    memory, images = report.memory, report.images
    texts: list[str] = []
    if isinstance(memory, MemoryReport):
        parts = [
            (plain(part.name), str(part.processes), words.tenths(part.pss_bytes))
            for part in memory.engine
        ]
        texts.append(_table(("engine", "processes", "PSS, MB"), [*map(_engine_cells, parts)]))
        texts.append(f"Box: {markdown(facts.box_line(memory))}")
    told = words.missing(images) if isinstance(images, Missing) else facts.images_line(images)
    texts.append(f"Images: {markdown(told)}")
    return _folded("Engine, box and images", "\n\n".join(texts))


def _engine_cells(cells: tuple[str, ...]) -> tuple[str, ...]:
    return (code(cells[0]), *cells[1:])


def _footer(report: Report) -> str:
    told = (facts.heading(report), facts.total_line(report), facts.environment_line(report))
    measured = "<br>\n".join(markdown(fact) for fact in told if fact)
    command = fence((plain(report.reproduce),), "sh")
    return f"{measured}\n\nReproduce it locally:\n\n{command}"


def _table(heads: Sequence[str], rows: Sequence[Sequence[str]], *, last_left: bool = False) -> str:
    marks = [":--", *["--:"] * (len(heads) - 1)]
    if last_left:
        marks[-1] = ":--"
    return "\n".join("| " + " | ".join(row) + " |" for row in (heads, marks, *rows))


def _together(text: str) -> str:
    """No line break between a number and its unit."""
    return text.replace(" ", "\u00a0", 1)


def _folded(title: str, body: str) -> str:
    return f"<details><summary>{title}</summary>\n\n{body}\n\n</details>"
