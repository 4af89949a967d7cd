"""Building blocks of documents: tables, and parts of a page for a terminal and in Markdown.

Texts in a Table are as they come; the renderers escape them. What goes into the other Markdown
pieces is escaped already, but for `prose`.
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from io import StringIO
from typing import TypeVar

from rich.cells import cell_len
from rich.console import Console, Group, RenderableType
from rich.padding import Padding
from rich.table import Table as RichTable
from rich.text import Text

from onegig.model.state import State
from onegig.text import code, disarm, format_rest, markdown, plain

T = TypeVar("T")
TEXT_WIDTH = 20  # of a column of text that others follow
GAP = 2  # between columns


@dataclass(frozen=True, kw_only=True, slots=True)
class Row:
    """One line of a table. `share` of 1 is drawn as a bar behind the first figure on a page."""

    name: str
    cells: tuple[str, ...]
    state: State | None = None
    share: float = 0.0
    is_total: bool = False


@dataclass(frozen=True, kw_only=True, slots=True)
class Table:
    """Names, then columns of figures, then `texts` columns of text.

    `wraps`: the last text may take several lines of a terminal, else it is cut.
    """

    heads: tuple[str, ...]
    rows: tuple[Row, ...]
    texts: int = 0
    wraps: bool = False

    def cut(self, first: int, last: int | None = None) -> "Table":
        """Return the table with some of its rows."""
        return replace(self, rows=self.rows[first:last])


@dataclass(frozen=True, kw_only=True, slots=True)
class Room:
    """Numbers of items that a comment lists, open or folded; the rest is counted."""

    problems: int
    logs: int
    services: int  # of those that changed, and of the others
    images: int = 20  # with their bytes by cause
    remarks: int = 30  # about Dockerfiles
    limits: int = 12
    files: int = 6


ROOMS = (  # from plenty to what always fits
    *(Room(problems=100, logs=5, services=count) for count in (1000, 700, 600, 500, 350, 200)),
    Room(problems=50, logs=2, services=100),
    Room(problems=20, logs=2, services=60),
    Room(problems=10, logs=0, services=20, images=5, remarks=5, limits=6),
    Room(problems=5, logs=0, services=0, images=0, remarks=0, limits=6, files=3),
)


def print_parts(parts: Iterable[RenderableType], *, width: int, color: bool = False) -> str:
    """Return the parts one below the other, no line wider than `width`."""
    out = StringIO()
    console = Console(
        file=out,
        width=width,
        height=1000,
        force_terminal=color,
        color_system="standard" if color else None,
        no_color=not color,
        force_jupyter=False,
        highlight=False,
        markup=False,
        emoji=False,
        legacy_windows=False,
        _environ={},
    )
    for part in parts:
        console.print(part, soft_wrap=False)
    lines = (disarm(line).rstrip() for line in out.getvalue().splitlines())
    return "\n".join(lines).strip("\n") + "\n"


def section(title: str, *body: RenderableType) -> RenderableType:
    """Return a body, indented under a bold line."""
    return Group(Text(), Text(title, "bold"), Padding(Group(*body), (0, 0, 0, 2)))


def marked(rows: Iterable[tuple[Text, Text]]) -> RichTable:
    """Return marks, and beside each a text that may take several lines."""
    table = RichTable.grid(padding=(0, 2, 0, 0))
    table.add_column(no_wrap=True)
    table.add_column(overflow="fold")
    for row in rows:
        table.add_row(*row)
    return table


def dashed(items: Sequence[str | Text], shown: int) -> RichTable:
    """Return the first `shown` items as a list, and how many are left out."""
    rows = [(Text("-"), item if isinstance(item, Text) else Text(item)) for item in items[:shown]]
    rest = format_rest(len(items) - shown)
    return marked([*rows, (Text("…"), Text(rest, "dim"))] if rest else rows)


def print_table(table: Table, width: int) -> RichTable:
    """Return a table for a terminal of so many columns."""
    marks = [row.state.symbol if row.state else " " for row in table.rows]
    names = [plain(row.name) for row in table.rows]
    if any(row.state for row in table.rows):
        names = [f"{mark} {name}" for mark, name in zip(marks, names, strict=True)]
    lines = [(name, *map(plain, row.cells)) for name, row in zip(names, table.rows, strict=True)]
    last, texts = len(table.heads) - 1, len(table.heads) - table.texts
    shown = RichTable(box=None, padding=(0, GAP, 0, 0), pad_edge=False, header_style="dim")
    for place, size in enumerate(_fit(table, lines, width)):
        is_wrapped = table.wraps and place == last
        shown.add_column(
            table.heads[place],
            justify="right" if 0 < place < texts else "left",
            no_wrap=not is_wrapped,
            overflow="fold" if is_wrapped else "ellipsis",
            width=size,
        )
    for row, line in zip(table.rows, lines, strict=True):
        style = "" if row.state in (None, State.GO) else row.state.color
        styles = (style, *("" for _ in line[1:-1]), style)
        shown.add_row(*(Text(text, style) for text, style in zip(line, styles, strict=True)))
    return shown


def _fit(table: Table, lines: Sequence[Sequence[str]], width: int) -> list[int]:
    """Return the columns' widths. Figures stay whole: texts, names and then heads give way."""
    columns = [[*map(cell_len, column)] for column in zip(table.heads, *lines, strict=True)]
    texts, last = len(columns) - table.texts, len(columns) - 1
    widths = [
        min(max(sizes), TEXT_WIDTH) if texts <= place < last else max(sizes)
        for place, sizes in enumerate(columns)
    ]
    heads = [(place, max((4, *columns[place][1:]))) for place in range(1, texts)]
    heads.sort(key=lambda head: head[1] - widths[head[0]])
    end, inner = [last] if table.texts else [], range(texts, last)
    some = [*((place, 16) for place in (*end, 0)), *((place, 8) for place in inner)]
    most = [(place, 4) for place in (*inner, 0, *end)]
    over = sum(widths) + GAP * last - width
    for place, size in (*some, *heads, *most):
        less = max(0, min(over, widths[place] - size))
        widths[place], over = widths[place] - less, over - less
    return widths


def md_table(table: Table, name: Callable[[str], str] = code, *, bold: bool = False) -> str:
    """Return a table in Markdown; `bold`: the last figure of what does not pass."""
    texts = len(table.heads) - table.texts
    marks = [":--", *("--:" if place < texts else ":--" for place in range(1, len(table.heads)))]
    lines: list[Sequence[str]] = [[markdown(head) for head in table.heads], marks]
    for row in table.rows:
        figures = [cell.replace(" ", "\u00a0", 1) for cell in row.cells[: texts - 1]]
        if bold and row.state and row.state is not State.GO:
            figures[-1] = f"**{figures[-1]}**"
        icon = f"{row.state.icon} " if row.state else ""
        text = name(row.name) if not row.is_total else row.name
        lines.append([icon + text, *figures, *map(prose, row.cells[texts - 1 :])])
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)


def split_open(items: Sequence[T], most: int) -> tuple[Sequence[T], Sequence[T]]:
    """Return the items to show at once and those to fold: folding one or two saves nothing."""
    shown = len(items) if len(items) <= most + 2 else most
    return items[:shown], items[shown:]


def prose(text: str) -> str:
    """Return a sentence from outside; what stands between backticks in it is code."""
    parts = text.split("`")
    if len(parts) % 2 == 0:
        return markdown(text)
    return "".join(code(part) if at % 2 else _between(part) for at, part in enumerate(parts))


def _between(text: str) -> str:
    """Escape prose without losing the blanks at its ends, which set it apart from code."""
    if not text.strip():
        return " " if text else ""
    lead, trail = (" " if text[at].isspace() else "" for at in (0, -1))
    return f"{lead}{markdown(text)}{trail}"
