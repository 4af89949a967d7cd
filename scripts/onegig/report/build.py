"""The report of a measured build, for a terminal."""

from rich.text import Text

from onegig.judge.checks import shorten
from onegig.model.build import BuildReport
from onegig.report import numbers
from onegig.report.layout import Row, Table, dashed, print_parts, print_table, section
from onegig.text import plain

STEPS_SHOWN = 5
STEP_LENGTH = 140  # two lines
NOTES_SHOWN = 10


def render_build(report: BuildReport, *, width: int = 80, color: bool = False) -> str:
    """Return the report as text no line of which is wider than `width`."""
    memory, sentence = report.memory, _sentence(report)
    table = print_table(_parts(report), width - 2)
    parts = [sentence, section("Where the memory goes at the peak (MB)", table)]
    running = f"Steps running at that time, after {numbers.seconds(memory.peak_seconds)}"
    for title, steps in (("Failed", memory.failed), (running, memory.running)):
        if steps:
            texts = [shorten(plain(step), STEP_LENGTH) for step in steps]
            parts.append(section(title, dashed(texts, STEPS_SHOWN)))
    parts.append(section("Build", Text(plain(_build_line(report)))))
    if memory.notes:
        parts.append(section("Notes", dashed([plain(n) for n in memory.notes], NOTES_SHOWN)))
    return print_parts((*parts, Text(), sentence), width=width, color=color)


def _sentence(report: BuildReport) -> Text:
    state = report.state
    text = Text(f"{state.symbol} {plain(report.sentence)}", "bold")
    text.stylize(f"bold {state.color}", 0, len(state.symbol) + 1 + len(state.value))
    return text


def _parts(report: BuildReport) -> Table:
    memory = report.memory
    engine = memory.cost_bytes - memory.steps_bytes
    programs = ", ".join(f"{p.name} {numbers.memory(p.pss_bytes)}" for p in memory.engine)
    rows = (
        ("kernel and OS", report.system_bytes, ""),
        ("running stack", report.stack_bytes, "as onegig measure found it"),
        ("engine and BuildKit", engine, programs),
        ("steps", memory.steps_bytes, "build steps (RUN)"),
        ("client", memory.client_bytes, "docker compose build"),
        ("together", report.used_bytes, report.machine),
    )
    return Table(
        heads=("", "MB", ""),
        rows=tuple(
            Row(name=name, cells=(numbers.tenths(size), text), is_total=name == "together")
            for name, size, text in rows
            if size or name != "running stack"
        ),
        texts=1,
    )


def _build_line(report: BuildReport) -> str:
    memory = report.memory
    images = numbers.plural(len(memory.images), "image")
    return numbers.joined(
        f"{images} from nothing in {numbers.seconds(memory.seconds)}",
        f"cap {numbers.memory(memory.cap_bytes, down=True)}, no swap",
        f"at most {numbers.memory(memory.held_bytes)} held",
        numbers.with_page_cache(memory.usage_bytes),
        numbers.plural(memory.oom_kills, "OOM kill"),
    )
