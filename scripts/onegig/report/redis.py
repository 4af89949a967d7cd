"""The section about each Redis: where its memory goes by pattern of keys, and what would save some.

`show` draws a single audit, as `onegig redis audit` prints it.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from rich.console import RenderableType
from rich.text import Text

from onegig.judge.checks import duration
from onegig.judge.redis import audits, last_saving
from onegig.model.measured import Missing
from onegig.model.memory import MemoryReport
from onegig.model.redis import Estimate, Pattern, RedisAudit, RedisServer, Setting
from onegig.model.report import Report
from onegig.report import numbers
from onegig.report.figures import draw
from onegig.report.layout import Row, Table, dashed, print_table, section
from onegig.report.treemap import Area, lay_out
from onegig.text import format_list, format_rest, plain

SHOWN = 12  # patterns, streams and the like in a terminal and on a page
DRAWN = 24  # patterns in a figure
NAME_LENGTH = 80  # of a pattern or key
HEIGHTS = {720: 300, 328: 380}  # of the figure, by its width
CHARACTER = 8.3  # pixels, at 13 px
_COLORS = {"string": "c1", "stream": "c2", "hash": "c3", "zset": "c4", "set": "c5", "list": "c6"}
_OTHER_COLOR, _OWN_COLOR, _REST_COLOR = "c7", "os", "rest"
OWN, UNEXPLAINED = "the server's own", "unexplained"
_EMPTY = Table(heads=("",), rows=())


@dataclass(frozen=True, kw_only=True, slots=True)
class Shown:
    """One audit as every output shows it; tables without rows are left out."""

    name: str
    title: str  # "redis-coordinator holds 238 MB; 162 MB could be saved"
    problem: str = ""  # why there is no audit
    facts: tuple[str, ...] = ()
    patterns: Table = _EMPTY
    savings: Table = _EMPTY
    advice: tuple[tuple[str, str], ...] = ()  # what a technique saves, and what to change
    streams: Table = _EMPTY
    values: Table = _EMPTY
    settings: tuple[str, ...] = ()
    gaps: tuple[str, ...] = ()
    figure: str = ""
    legend: tuple[tuple[str, str, str], ...] = ()  # colour, label, size


@dataclass(frozen=True, kw_only=True, slots=True)
class Cell:
    """A rectangle of the figure; texts that don't fit are empty."""

    area: Area
    color: str
    about: str
    name: str
    size: str


def terminal(report: Report, width: int) -> list[RenderableType]:
    """Return the audits for a terminal of so many columns."""
    return [part for shown in list_shown(report) for part in _print(shown, width)]


def values(report: Report) -> Mapping[str, object]:
    """Return what the templates show."""
    return {"audits": list_shown(report)}


def show(audit: RedisAudit, width: int) -> list[RenderableType]:
    """Return a single audit for a terminal of so many columns."""
    return _print(describe(plain(audit.target, NAME_LENGTH), audit, "redis"), width)


def list_shown(report: Report) -> tuple[Shown, ...]:
    """Return every Redis of the stack that was audited, or should have been."""
    memory = report.memory
    each = audits(memory.redis) if isinstance(memory, MemoryReport) else ()
    return tuple(
        Shown(name=one.service, title=f"{one.service} was not audited", problem=one.audit.reason)
        if isinstance(one.audit, Missing)
        else describe(one.service, one.audit, f"redis-{place}")
        for place, one in enumerate(each, start=1)
    )


def describe(name: str, audit: RedisAudit, key: str) -> Shown:
    """Return an audit with everything that is shown of it; `key` names its figure."""
    parts = parts_of(audit)
    streams, contents = streams_table(audit), values_table(audit)
    return Shown(
        name=name,
        title=_title(name, audit),
        facts=tuple(_facts(audit)),
        patterns=patterns_table(audit),
        savings=savings_table(audit),
        advice=tuple(_advice(audit)),
        streams=streams,
        values=contents,
        settings=tuple(map(_setting, audit.settings)),
        gaps=tuple(plain(gap) for gap in (*audit.coverage.gaps, *audit.notes)),
        figure=_draw(name, parts, key),
        legend=_legend(parts),
    )


def _print(shown: Shown, width: int) -> list[RenderableType]:
    if shown.problem:
        return [section(f"Redis: {plain(shown.title)}", Text(plain(shown.problem)))]
    body: list[RenderableType] = [Text(plain(fact), "dim") for fact in shown.facts]
    tables = (shown.patterns, shown.savings, shown.streams, shown.values)
    for table in tables:
        if table.rows:
            body += [Text(), print_table(table.cut(0, SHOWN), width - 2)]
            if rest := format_rest(len(table.rows) - SHOWN):
                body.append(Text(f"… {rest}", "dim"))
    for title, lines in (("Settings", shown.settings), ("Not known", shown.gaps)):
        if lines:
            body += [Text(), Text(title, "dim"), dashed(lines, SHOWN)]
    return [section(f"Redis: {plain(shown.title)}", *body)]


def _title(name: str, audit: RedisAudit) -> str:
    """Return "cache holds 238 MB; 162 MB could be saved"."""
    if not audit.servers:
        return f"{name} does not say how much it holds"
    used = numbers.memory(audit.used_bytes)
    last = last_saving(audit)
    if last is None:
        return f"{name} holds {used}"
    return f"{name} holds {used}; {_saved(last.cumulative_bytes)} could be saved"


def _saved(value_bytes: int) -> str:
    return numbers.memory(value_bytes, down=True)


def _facts(audit: RedisAudit) -> Iterator[str]:
    keys = sum(pattern.keys.value for pattern in audit.patterns)
    yield numbers.joined(
        f"{numbers.memory(audit.key_bytes)} in {numbers.plural(keys, 'key')}",
        f"{numbers.memory(audit.overhead_bytes)} of {OWN}",
        f"{numbers.memory(audit.unexplained_bytes)} {UNEXPLAINED}",
    )
    yield from map(_server, audit.servers)
    covered = audit.coverage
    how = "sampled" if covered.is_sampled else "all examined"
    yield numbers.joined(
        f"{covered.examined_keys:,} of {numbers.plural(covered.keys, 'key')} {how}"
        if covered.is_sampled
        else f"{numbers.plural(covered.keys, 'key')} {how}",
        f"in {numbers.seconds(audit.seconds)}",
        f"at most {audit.latency_ms:.1f} ms of the server at a time" if audit.latency_ms else "",
    )


def _server(server: RedisServer) -> str:
    limit = numbers.memory(server.max_bytes, down=True) if server.max_bytes else "no limit"
    return numbers.joined(
        f"{server.product.capitalize()} {plain(server.version, 20)}",
        f"maxmemory {limit}, {plain(server.policy, 20)}",
        f"peak {numbers.memory(server.peak_bytes)}",
        f"{numbers.memory(server.rss_bytes)} resident",
        f"{numbers.memory(server.fragmentation_bytes)} fragmented",
    )


def patterns_table(audit: RedisAudit) -> Table:
    """Return the patterns, then what is in no key, then the sum."""
    rows = [_pattern(pattern, audit.used_bytes) for pattern in audit.patterns]
    for name, size in ((OWN, audit.overhead_bytes), (UNEXPLAINED, audit.unexplained_bytes)):
        rows.append(_plain_row(name, size, audit.used_bytes))
    if len(rows) > SHOWN:  # the end is what a reader checks the sum by
        rest = audit.patterns[SHOWN - 4 :]
        keys = sum(pattern.keys.value for pattern in rest)
        size = sum(pattern.bytes.value for pattern in rest)
        more = _plain_row(numbers.plural(len(rest), "other pattern"), size, audit.used_bytes, keys)
        rows = [*rows[: SHOWN - 4], more, *rows[-2:]]
    cells = (numbers.tenths(audit.used_bytes), "", "", "", "")
    rows.append(Row(name="used memory", cells=cells, is_total=True))
    heads = ("keys by pattern", "MB", "keys", "without TTL", "idle", "type")
    return Table(heads=heads, rows=tuple(rows), texts=1)


def _pattern(pattern: Pattern, whole: int) -> Row:
    share = 1 - pattern.expiring_keys / (pattern.keys.value or 1)
    idle = numbers.DASH
    if not isinstance(pattern.idle, Missing):
        idle = duration(pattern.idle.median_seconds)
    encodings = [plain(each.name, 20) for each in pattern.encodings if each.name != pattern.type]
    cells = (
        _estimate_mb(pattern.bytes),
        _estimate(pattern.keys),
        _share(share),
        idle,
        numbers.joined(plain(pattern.type, 20), format_list(encodings, 2)),
    )
    return Row(
        name=plain(pattern.name, NAME_LENGTH), cells=cells, share=pattern.bytes.value / (whole or 1)
    )


def _plain_row(name: str, size: int, whole: int, keys: int | None = None) -> Row:
    count = numbers.DASH if keys is None else f"{keys:,}"
    cells = (numbers.tenths(size), count, numbers.DASH, numbers.DASH, "")
    return Row(name=name, cells=cells, share=max(0.0, size / (whole or 1)))


def _share(value: float) -> str:
    return f"{min(1.0, max(0.0, value)):.0%}".replace("%", " %")


def _estimate(value: Estimate) -> str:
    return f"{value.value:,}" if value.is_exact else f"~{value.value:,}"


def _estimate_mb(value: Estimate) -> str:
    """Return MB, with the larger side of the 95 % interval where they are estimated."""
    text = numbers.tenths(value.value)
    if value.is_exact:
        return text
    return f"{text} ±{numbers.tenths(max(value.high - value.value, value.value - value.low))}"


def savings_table(audit: RedisAudit) -> Table:
    """Return each technique in the order of application, with what it leaves."""
    savings = () if isinstance(audit.savings, Missing) else audit.savings
    rows = []
    for saving in savings:
        low, high = numbers.tenths(saving.low_bytes, down=True), numbers.tenths(saving.high_bytes)
        saved, left = saving.saved_bytes, saving.left_bytes
        together = numbers.tenths(saving.cumulative_bytes, down=True)
        cells = (numbers.tenths(saved, down=True), f"{low} to {high}", together)
        rows.append(
            Row(
                name=plain(saving.title, NAME_LENGTH),
                cells=(*cells, numbers.tenths(left)),
            )
        )
    is_measured = all(saving.measured for saving in savings)
    first = "measured savings" if is_measured else "predicted savings"
    return Table(heads=(first, "MB", "95 %", "together", "left"), rows=tuple(rows))


def _advice(audit: RedisAudit) -> Iterator[tuple[str, str]]:
    for saving in () if isinstance(audit.savings, Missing) else audit.savings:
        yield _saved(saving.saved_bytes), plain(saving.advice, 400)


def streams_table(audit: RedisAudit) -> Table:
    """Return the largest streams: bytes of an entry against those it could take."""
    streams = () if isinstance(audit.streams, Missing) else audit.streams
    rows = [
        Row(
            name=plain(stream.key, NAME_LENGTH),
            cells=(
                f"{stream.entries:,}",
                f"{stream.bytes_per_entry:.0f}",
                f"{stream.ideal_bytes_per_entry:.0f}",
                f"{stream.field_sets:,}",
                _share(stream.node_fill),
                numbers.tenths(stream.hole_bytes),
                f"{stream.pending:,}",
            ),
        )
        for stream in streams
    ]
    heads = ("streams", "entries", "B/entry", "ideal", "forms", "filled", "holes", "pending")
    return Table(heads=heads, rows=tuple(rows))


def values_table(audit: RedisAudit) -> Table:
    """Return the shares of a sample of each pattern's values that say little."""
    facts = () if isinstance(audit.values, Missing) else audit.values
    rows = []
    for each in facts:
        whole = each.sampled_bytes or 1
        counts = (
            each.json_bytes,
            each.field_name_bytes,
            each.number_text_bytes,
            each.duplicate_bytes,
            each.compressible_bytes,
        )
        cells = (_share(count / whole) for count in counts)
        name = plain(each.pattern, NAME_LENGTH)
        rows.append(Row(name=name, cells=(f"{each.sampled:,}", *cells)))
    heads = ("values", "sample", "JSON", "names", "numbers", "repeated", "squeezable")
    return Table(heads=heads, rows=tuple(rows))


def _setting(setting: Setting) -> str:
    saved = "" if isinstance(setting.saved_bytes, Missing) else _saved(setting.saved_bytes)
    change = f"{setting.name}: {setting.value} → {setting.better}"
    return plain(f"{change}{f', saves {saved}' if saved else ''}: {setting.reason}", 300)


def parts_of(audit: RedisAudit) -> tuple[tuple[str, str, int], ...]:
    """Return name, colour and bytes of what the used memory is made of, the largest first."""
    ordered = sorted(audit.patterns, key=lambda pattern: -pattern.bytes.value)
    parts = [
        (plain(each.name, NAME_LENGTH), _COLORS.get(each.type, _OTHER_COLOR), each.bytes.value)
        for each in ordered[:DRAWN]
    ]
    others = ordered[DRAWN:]
    if others:
        size = sum(pattern.bytes.value for pattern in others)
        parts.append((numbers.plural(len(others), "other pattern"), _OTHER_COLOR, size))
    parts += [(OWN, _OWN_COLOR, audit.overhead_bytes)]
    parts += [(UNEXPLAINED, _REST_COLOR, audit.unexplained_bytes)]
    return tuple(sorted((part for part in parts if part[2] > 0), key=lambda part: -part[2]))


def _draw(name: str, parts: Sequence[tuple[str, str, int]], key: str) -> str:
    if not parts:
        return ""
    description = ", ".join(f"{label} {numbers.memory(size)}" for label, _, size in parts)
    title = f"Where the memory of {name} goes"
    return draw(
        "treemap.svg.j2",
        key,
        title,
        description,
        heights=HEIGHTS,
        cells=lambda width: _cells(parts, width),
    )


def _cells(parts: Sequence[tuple[str, str, int]], width: int) -> Iterator[Cell]:
    whole = Area(x=0, y=0, width=width, height=HEIGHTS[width])
    areas = lay_out([size for *_, size in parts], whole)
    for (label, color, size), area in zip(parts, areas, strict=True):
        room, text = int((area.width - 12) / CHARACTER), numbers.memory(size)
        is_named = room >= 5 and area.height >= 22
        yield Cell(
            area=area,
            color=color,
            about=f"{label}: {text}",
            name=plain(label, room) if is_named else "",
            size=text if room >= len(text) and area.height >= 40 else "",
        )


def _legend(parts: Sequence[tuple[str, str, int]]) -> tuple[tuple[str, str, str], ...]:
    """Return the colours in use: types of keys, and what is in none."""
    labels = {color: kind for kind, color in _COLORS.items()}
    labels |= {_OTHER_COLOR: "other", _OWN_COLOR: OWN, _REST_COLOR: UNEXPLAINED}
    sums: dict[str, int] = {}
    for _, color, size in parts:
        sums[color] = sums.get(color, 0) + size
    return tuple((color, labels[color], numbers.memory(size)) for color, size in sums.items())
