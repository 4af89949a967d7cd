"""Techniques that save memory, each as what it does to keys: no information is lost.

`rewrite` applies any set of them to samples, always in the same order: what is temporary goes,
entries of streams get one set of fields, values are written shorter, small keys share a hash, and
settings come last. Of a number its value is kept, not how it was written.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import chain

from onegig.redis.columns import date_of, rewrite_column
from onegig.redis.documents import Number, parse, write
from onegig.redis.encodings import Entry
from onegig.redis.samples import Sample, batched

TTL_SECONDS = 3600
BUCKET_FIELDS = 100  # small strings in a hash; below any server's limit of a listpack
SMALL = 256  # bytes of a string that is worth a field
MOST_FIELDS = 64  # of a hash that is a record; of a larger one all values are alike
FEWEST = 5  # strings of a sample that are worth a hash
WIDEST = 3  # times the fields of an average entry that one set of fields may have
SHARED = b"onegig:shared"  # the hash with what is kept once


@dataclass(frozen=True, kw_only=True, slots=True)
class Technique:
    """A technique, what to do, and what it rests on."""

    name: str
    title: str
    advice: str
    note: str = ""


TECHNIQUES = (
    Technique(
        name="rewrite-streams",
        title="Rewrite streams with deleted entries",
        advice="trim with XTRIM MAXLEN or MINID instead of XDEL; copy the stream once",
        note="XDEL frees a node only when all of its entries are gone",
    ),
    Technique(
        name="ttl",
        title="Let temporary keys expire",
        advice=f"write them with SET ... EX {TTL_SECONDS} (or EXPIRE)",
        note=f"keys unused, or named by a time, older than {TTL_SECONDS // 60} minutes are gone",
    ),
    Technique(
        name="compact-entries",
        title="Write the members of JSON entries as fields",
        advice="XADD stream * field value ..., the same fields in the same order in every entry",
    ),
    Technique(
        name="uniform-fields",
        title="Write the same fields in every stream entry",
        advice="always write all fields in one order, empty ones included",
        note="a node keeps names once only while entries have the same fields",
    ),
    Technique(
        name="json-fields",
        title="Write JSON by position, without names",
        advice="keep the names once, and write an array in their order",
    ),
    Technique(
        name="pack-numbers",
        title="Write numbers as integers",
        advice="scale decimals to whole numbers, and write documents in MessagePack",
        note="numbers keep their value, not how they are written",
    ),
    Technique(
        name="deduplicate",
        title="Keep repeated values once",
        advice="write a number instead, and the values once into a hash",
    ),
    Technique(
        name="hash-buckets",
        title="Keep small strings in hashes",
        advice=f"HSET bucket field value, {BUCKET_FIELDS} fields to a hash; "
        "hash-max-listpack-value 256",
        note="a hash expires as a whole: put keys of the same minutes together",
    ),
    Technique(
        name="compress",
        title="Compress long values",
        advice="compress values of 100 bytes and more (zlib)",
        note="costs the clients some time",
    ),
    Technique(
        name="node-limits",
        title="Allow larger stream nodes",
        advice="stream-node-max-bytes 16kb, stream-node-max-entries 400",
        note="MAXLEN ~ trims whole nodes",
    ),
    Technique(
        name="listpack-limits",
        title="Allow larger listpacks",
        advice="hash-, set- and zset-max-listpack-entries 1024 and -value 256",
        note="finding a field takes longer: up to 1024 are looked at",
    ),
)
NODE_LIMITS = {"stream-node-max-bytes": "16384", "stream-node-max-entries": "400"}
BUCKET_LIMITS = {"hash-max-listpack-value": str(SMALL)}
LISTPACK_LIMITS = {
    f"{kind}-max-listpack-{what}": limit
    for kind in ("hash", "zset", "set")
    for what, limit in (("entries", "1024"), ("value", "256"))
}


def rewrite(samples: Sequence[Sample], techniques: frozenset[str]) -> tuple[Sample, ...]:
    """Return keys with the same contents after some techniques, and a hash of what they share."""
    if "ttl" in techniques:
        samples = [*_expire(samples)]
    shared: list[str] = []
    result: list[Sample] = []
    rest = [sample for sample in samples if sample.type != "stream"]
    for sample in samples:
        if sample.type == "stream":
            entries, kept = _rewrite_stream(sample.entries, techniques)
            shared += kept
            result.append(replace(sample, entries=entries))
    result += _rewrite_values(rest, techniques, shared)
    if "hash-buckets" in techniques:
        result = [*_bucket(result)]
    if shared:
        pairs = chain.from_iterable((b"%d" % n, text.encode()) for n, text in enumerate(shared))
        result.append(Sample(name=SHARED, type="hash", content=tuple(pairs)))
    return tuple(result)


def configure(techniques: frozenset[str], config: Mapping[str, str]) -> dict[str, str]:
    """Return the settings that techniques change; never to a smaller limit than there is."""
    wanted: dict[str, str] = {}
    if "node-limits" in techniques:
        wanted |= NODE_LIMITS
    if "hash-buckets" in techniques:
        wanted |= BUCKET_LIMITS
    if "listpack-limits" in techniques:
        wanted |= LISTPACK_LIMITS
    known = {name: int(config[name]) for name in wanted if config.get(name, "").isdigit()}
    unlimited = {name for name, value in known.items() if value == 0}
    return {
        name: value
        for name, value in wanted.items()
        if name in known and name not in unlimited and int(value) > known[name]
    }


# ---- temporary keys -----------------------------------------------------------------------------


def _expire(samples: Sequence[Sample]) -> Iterable[Sample]:
    """Leave out keys that would be gone; those that stay get a time to live."""
    names = [date_of(sample.name) for sample in samples]
    newest = max(names, default=0)
    for sample, date in zip(samples, names, strict=True):
        if sample.expires or sample.type == "stream":
            yield sample
        elif max(sample.idle_seconds, newest - date if date else 0) < TTL_SECONDS:
            yield replace(sample, expires=bool(newest))


# ---- streams ------------------------------------------------------------------------------------


def _rewrite_stream(
    entries: tuple[Entry, ...], techniques: frozenset[str]
) -> tuple[tuple[Entry, ...], list[str]]:
    rows = [dict(zip(content[::2], content[1::2], strict=True)) for _, content in entries]
    if any(len(row) * 2 != len(content) for row, (_, content) in zip(rows, entries, strict=True)):
        return entries, []  # a field twice in an entry
    if techniques & {"compact-entries", "uniform-fields"}:
        rows = _unify(_flatten(rows) if "compact-entries" in techniques else rows)
    if "compact-entries" not in techniques:
        techniques -= {"json-fields"}  # as fields, names are kept once for a node anyway
    shared: list[str] = []
    places: dict[bytes, list[int]] = {}
    for place, row in enumerate(rows):
        for name in row:
            places.setdefault(name, []).append(place)
    for name, found in places.items():
        values, kept = rewrite_column([rows[place][name] for place in found], techniques)
        shared += kept
        for place, value in zip(found, values, strict=True):
            rows[place][name] = value
    contents = (tuple(chain.from_iterable(row.items())) for row in rows)
    return tuple((each[0], row) for each, row in zip(entries, contents, strict=True)), shared


def _flatten(rows: list[dict[bytes, bytes]]) -> list[dict[bytes, bytes]]:
    """Return entries with the members of fields that always hold a JSON object as fields."""
    names = {name for row in rows for name in row}
    objects = {
        name
        for name in names
        if all(isinstance(parse(row[name]), dict) for row in rows if name in row)
    }
    if not objects:
        return rows
    texts = _texts(rows, objects)
    flat = []
    for row in rows:
        members: dict[bytes, bytes] = {}
        for name, value in row.items():
            if name not in objects:
                members[name] = value
                continue
            for member, each in parse(value).items():
                field = member.encode()
                place = field if field not in names and len(objects) == 1 else name + b"." + field
                is_text = texts.get((name, member), False)
                members[place] = (each if is_text else write(each)).encode()
        flat.append(members)
    return flat


def _texts(rows: list[dict[bytes, bytes]], objects: set[bytes]) -> dict[tuple[bytes, str], bool]:
    """Return which members always hold text, and so need no quotes; others stay JSON."""
    texts: dict[tuple[bytes, str], bool] = {}
    for row in rows:
        for name in objects & row.keys():
            for member, each in parse(row[name]).items():
                is_text = isinstance(each, str) and not isinstance(each, Number) and each != ""
                texts[name, member] = is_text and texts.get((name, member), True)
    return texts


def _unify(rows: list[dict[bytes, bytes]]) -> list[dict[bytes, bytes]]:
    """Return entries with all fields in one order; b"" stands for one that is missing."""
    fields = [*dict.fromkeys(name for row in rows for name in row)]
    is_uniform = all([*row] == fields for row in rows)
    is_wide = len(fields) * len(rows) > WIDEST * sum(map(len, rows))
    has_empty = any(value == b"" for row in rows for value in row.values())
    if is_uniform or is_wide:
        return rows
    missing = b"\0" if has_empty else b""
    if has_empty and any(value == missing for row in rows for value in row.values()):
        return rows
    return [{name: row.get(name, missing) for name in fields} for row in rows]


# ---- values -------------------------------------------------------------------------------------


def _rewrite_values(
    samples: Sequence[Sample], techniques: frozenset[str], shared: list[str]
) -> list[Sample]:
    """Return samples with the values of strings, lists and hashes rewritten, by column."""
    columns: dict[bytes, list[tuple[int, int]]] = {}
    contents = [list(sample.content) for sample in samples]
    for place, sample in enumerate(samples):
        if sample.type in {"string", "list"}:
            for n in range(len(sample.content)):
                columns.setdefault(b"", []).append((place, n))
        elif sample.type == "hash":
            for n in range(1, len(sample.content), 2):
                columns.setdefault(_field_of(samples, sample, n), []).append((place, n))
    for found in columns.values():
        values, kept = rewrite_column([contents[place][n] for place, n in found], techniques)
        shared += kept
        for (place, n), value in zip(found, values, strict=True):
            contents[place][n] = value
    return [
        replace(sample, content=tuple(content))
        for sample, content in zip(samples, contents, strict=True)
    ]


def _field_of(samples: Sequence[Sample], sample: Sample, n: int) -> bytes:
    """Return the column of a hash's value: its field; one for all where a hash is a table."""
    is_table = len(sample.content) > 2 * MOST_FIELDS or len(samples) == 1
    return b"" if is_table else b"f" + sample.content[n - 1]


def _bucket(samples: list[Sample]) -> Iterable[Sample]:
    """Yield small strings as fields of hashes, under what their names do not have in common.

    Strings that expire get hashes of their own, which expire as a whole.
    """
    small = [s for s in samples if s.type == "string" and len(s.content[0]) <= SMALL]
    lasting = [sample for sample in small if not sample.expires]
    expiring = [sample for sample in small if sample.expires]
    taken: set[bytes] = set()
    for strings in (lasting, expiring):
        if len(strings) >= FEWEST:
            yield from _hashes(strings)
            taken |= {sample.name for sample in strings}
    yield from (sample for sample in samples if sample.name not in taken)


def _hashes(strings: list[Sample]) -> Iterable[Sample]:
    ordered = sorted(strings, key=_name)
    first, last = ordered[0].name, ordered[-1].name
    alike = (n for n, (a, b) in enumerate(zip(first, last, strict=False)) if a != b)
    prefix = first[: next(alike, min(len(first), len(last)))]
    for number, bucket in enumerate(batched(ordered, BUCKET_FIELDS)):
        pairs = ((sample.name[len(prefix) :], sample.content[0]) for sample in bucket)
        content = tuple(chain.from_iterable(pairs))
        name, expires = prefix + b"%d" % number, bucket[0].expires
        yield Sample(name=name, type="hash", content=content, expires=expires)


def _name(sample: Sample) -> bytes:
    return sample.name
