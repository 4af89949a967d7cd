"""The catalogue of machines as a table."""

from collections.abc import Sequence
from datetime import date

from rich.text import Text

from onegig.model.measured import Missing
from onegig.model.tiers import GB, Tier
from onegig.plan.pay import describe_free, describe_old_rows, price_of
from onegig.report import numbers
from onegig.report.layout import Row, Table, dashed, print_parts, print_table, section


def render_tiers(
    tiers: Sequence[Tier], disk_bytes: int, today: date, *, width: int = 80, color: bool = False
) -> str:
    """Return the catalogue with prices that include IPv4 and a disk of that size."""
    table = Table(
        heads=("tier", "MB sold", "MB seen", "CPUs", "USD/month", "arch", "free"),
        rows=tuple(Row(name=tier.name, cells=_cells(tier, disk_bytes)) for tier in tiers),
        texts=2,
    )
    dates = sorted({tier.as_of for tier in tiers})
    checked = dates[0] if len(dates) == 1 else f"between {dates[0]} and {dates[-1]}"
    legend = (
        f"MB seen is MemTotal. Prices with a public IPv4 address and {disk_bytes // GB} GB "
        f"of disk; {numbers.DASH} is not known. Checked {checked}."
    )
    notes = [f"{tier.name}: {tier.price_note}" for tier in tiers if tier.price_note]
    listed = dashed([*describe_old_rows(tiers, today), *notes], len(tiers) + 1)
    parts = [print_table(table, width), Text(), Text(legend, "dim"), section("Notes", listed)]
    return print_parts(parts, width=width, color=color)


def _cells(tier: Tier, disk_bytes: int) -> tuple[str, ...]:
    usd, _ = price_of(tier, disk_bytes)
    memtotal = tier.memtotal_bytes
    return (
        f"{tier.memory_bytes // 1024**2:,}",
        numbers.DASH if memtotal is None else f"{memtotal // 1024**2:,}",
        f"{tier.vcpus:g}",
        numbers.DASH if isinstance(usd, Missing) else f"{usd:.2f}",
        tier.architecture,
        describe_free(tier, short=True),
    )
