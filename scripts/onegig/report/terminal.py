"""The report for a terminal: the verdict first, then why, then every figure behind it."""

from rich.console import RenderableType
from rich.text import Text

from onegig.model.report import Report
from onegig.model.state import State
from onegig.report import comparison, view
from onegig.report.layout import dashed, marked, print_parts, print_table, section
from onegig.report.sections import SECTIONS
from onegig.text import format_rest, lines, plain

LOGS_SHOWN = 3
PROBLEMS_SHOWN = 30


def render(report: Report, *, width: int = 80, color: bool = False) -> str:
    """Return the report as text no line of which is wider than `width`."""
    under = comparison.all_inherited(report), *view.facts(report)
    parts: list[RenderableType] = [
        _sentence(report),
        *(Text(plain(line), "dim") for line in under if line),
        *_failure(report),
        *_problems(report),
    ]
    if report.verdict.notes:
        notes = [plain(note) for note in report.verdict.notes]
        parts.append(section("Notes", dashed(notes, PROBLEMS_SHOWN)))
    for part in SECTIONS.values():
        parts += part.terminal(report, width)
    limits = view.limits(report)
    if limits.rows:
        parts.append(section("Limits", print_table(limits, width - 2)))
    environment = view.environment_line(report)
    if environment:
        parts.append(section("Measured on", Text(plain(environment), "dim")))
    parts.append(section("Reproduce", Text(plain(report.reproduce), "bold")))
    return print_parts((*parts, Text(), _sentence(report)), width=width, color=color)


def _sentence(report: Report) -> Text:
    state = report.verdict.state
    text = Text(f"{state.symbol} {plain(report.verdict.sentence)}", "bold")
    text.stylize(f"bold {state.color}", 0, len(state.symbol) + 1 + len(state.value))
    return text


def _failure(report: Report) -> list[RenderableType]:
    failure = report.failure
    if failure is None:
        return []
    where = f" ({failure.place})" if failure.place else ""
    texts = {"what": f"{failure.message}{where}", "command": failure.command}
    texts["next"] = failure.advice
    rows = [(Text(name), Text(plain(text))) for name, text in texts.items() if text]
    detail = [_tail(failure.detail)] if failure.detail.strip() else []
    return [section("What failed", marked(rows), *detail)]


def _problems(report: Report) -> list[RenderableType]:
    """Return failing checks with cause and place, then what could not be measured."""
    problems = view.problems(report)
    rows = [_problem(problem) for problem in problems[:PROBLEMS_SHOWN]]
    if len(problems) > PROBLEMS_SHOWN:
        rows.append((Text("…"), Text(format_rest(len(problems) - PROBLEMS_SHOWN), "dim")))
    gap = Text(State.INCOMPLETE.symbol, State.INCOMPLETE.color)
    reasons = [(gap, Text(plain(reason))) for reason in view.incomplete_reasons(report)]
    parts: list[RenderableType] = []
    if rows:
        parts.append(section(view.failing_title(view.failing(report.verdict)), marked(rows)))
    if reasons:
        parts.append(section("Also not measured" if rows else "Not measured", marked(reasons)))
    return parts + [
        section(f"Last lines of {plain(service.name)}", _tail(service.log_tail))
        for service in view.failed_with_log(report)[:LOGS_SHOWN]
    ]


def _tail(log: str) -> Text:
    return Text("\n".join(lines(log, 8)), "dim", no_wrap=True, overflow="ellipsis")


def _problem(problem: view.Problem) -> tuple[Text, Text]:
    state = problem.check.state
    text = Text(plain(problem.message))
    if problem.place:
        text.append(f" ({plain(problem.place)})", "dim")
    if problem.remark:
        text.append(f" · {plain(problem.remark)}")
    more = f" … {format_rest(problem.more)} like it" if problem.more else ""
    return Text(state.symbol, state.color), text.append(more)
