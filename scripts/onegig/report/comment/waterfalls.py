"""Where the memory goes, as bars of characters."""

from onegig.model.report import Report
from onegig.model.verdict import Waterfall
from onegig.report.bars import draw, scale, waterfall_strips
from onegig.report.comment.syntax import folded, paragraphs
from onegig.text import fence, html, markdown, plain

_BAR_WIDTH = 40


def waterfalls(report: Report) -> str:
    """The budget's machine, then the tier's, folded."""
    found = report.verdict.waterfalls
    return paragraphs([_waterfall(one, first=at == 0) for at, one in enumerate(found)])


def _waterfall(waterfall: Waterfall, *, first: bool) -> str:
    bars = waterfall_strips(waterfall)
    labels = [plain(bar.label, 24) for bar in bars]
    values = [bar.amount for bar in bars]
    pad, number = max(map(len, labels)), max(map(len, values))
    drawn = [
        f"{label:<{pad}}  {value:>{number}}  {draw(bar, scale(bars), _BAR_WIDTH)}".rstrip()
        for bar, label, value in zip(bars, labels, values, strict=True)
    ]
    picture = fence(tuple(drawn), "text")
    if first:
        return f"**Where the memory goes** ({markdown(waterfall.machine)})\n\n{picture}"
    return folded(f"Where the memory goes on {html(waterfall.machine)}", picture)
