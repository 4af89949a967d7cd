"""What documents for a terminal are made of: sections, lists, and plain text out of them."""

from collections.abc import Iterable
from io import StringIO

from rich.console import Console, Group, RenderableType
from rich.padding import Padding
from rich.table import Table
from rich.text import Text


def printed(parts: Iterable[RenderableType], *, width: int, color: bool = False) -> str:
    """The parts one below the other, no line wider than `width`."""
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
    return "\n".join(map(_line, out.getvalue().splitlines())).strip("\n") + "\n"


def section(title: str, body: RenderableType) -> RenderableType:
    """A body, indented under a bold line."""
    return Group(Text(), Text(title, "bold"), Padding(body, (0, 0, 0, 2)))


def grid() -> Table:
    """A table without lines and head."""
    return Table.grid(padding=(0, 2, 0, 0))


def listed(rows: Iterable[tuple[Text, Text]]) -> Table:
    """A mark of one character and a text that may take several lines, in each row."""
    table = grid()
    table.add_column(width=1)
    table.add_column(overflow="fold")
    for mark, text in rows:
        table.add_row(mark, text)
    return table


def figures(heads: Iterable[str], *, names: str, most: int) -> Table:
    """A table of figures with names, at most so wide, before them."""
    table = Table(box=None, padding=(0, 2, 0, 0), pad_edge=False, header_style="dim")
    table.add_column(names, overflow="ellipsis", no_wrap=True, max_width=most)
    for head in heads:
        table.add_column(head, justify="right", no_wrap=True)
    return table


def _line(line: str) -> str:
    """A line that GitHub's runner, which reads what a job prints, takes for no command of its."""
    start = len(line) - len(line.lstrip())
    if line.startswith("::", start):
        line = f"{line[:start]}¦{line[start + 1 :]}"
    return line.replace("##[", "##¦").rstrip()
