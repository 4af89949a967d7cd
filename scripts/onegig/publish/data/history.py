"""history.jsonl: the numbers of the default branch's commits, one a line, oldest first.

What cannot be read is an error, never an empty history: whoever writes the file back would
otherwise drop what others measured. The order is that of `Baseline.created`, which publishing sets
to when the commit was pushed: a run that finishes late stays at its place, and a branch that was
turned back to an older commit ends with that one.
"""

import re
from collections.abc import Iterable, Sequence
from dataclasses import replace
from datetime import datetime

from onegig.errors import ConfigError, HistoryError
from onegig.model.baseline import Baseline
from onegig.model.codec import from_json, to_line
from onegig.model.measured import Missing, Skipped

MOST_ENTRIES = 400
MOST_BYTES = 4_000_000
MOST_CONTENTS = 20  # newest entries that keep packages and remarks: pull requests go on those
CONTENTS_GONE = Skipped(reason=f"only the newest {MOST_CONTENTS} commits keep images' packages")
REMARKS_GONE = Skipped(reason=f"only the newest {MOST_CONTENTS} commits keep Dockerfiles' remarks")
_COMMIT = re.compile(r"[0-9a-f]{40}")


def parse_history(text: str) -> tuple[Baseline, ...]:
    """The entries of a history.jsonl, oldest first; of two for one commit the later line's.

    An empty text is an empty history. HistoryError names the first line that is not an entry.
    """
    lines = text.removesuffix("\n").split("\n") if text else []
    return _ordered(_entry(line, number) for number, line in enumerate(lines, start=1))


def add(
    history: Sequence[Baseline],
    entry: Baseline,
    *,
    most: int = MOST_ENTRIES,
    most_bytes: int = MOST_BYTES,
) -> tuple[Baseline, ...]:
    """The history with one more entry, instead of the one its commit had; oldest ones make room.

    A service whose image was not built from nothing keeps what that cost when it last was.
    """
    known = [one for one in history if one.commit != entry.commit]
    grown = _without_contents(_ordered([*known, _with_costs(entry, history)])[-most:])
    room = most_bytes
    kept = 0
    for one in reversed(grown):
        room -= len(to_line(one).encode())
        if room < 0 and kept:
            break
        kept += 1
    return grown[-kept:]


def write_history(history: Iterable[Baseline]) -> str:
    """The text of history.jsonl. HistoryError when it could not be read back."""
    entries = tuple(history)
    text = "".join(map(to_line, entries))
    if parse_history(text) != entries:
        raise HistoryError("the history does not read back as it was written")
    return text


def nearest(history: Iterable[Baseline], commits: Sequence[str]) -> tuple[Baseline, int] | None:
    """The first of `commits` that has complete numbers, and how many commits lie before it.

    `commits` starts with the one to compare with, its ancestors follow.
    """
    complete = {entry.commit: entry for entry in history if entry.is_complete}
    found = ((complete[one], behind) for behind, one in enumerate(commits) if one in complete)
    return next(found, None)


def newest_complete(history: Iterable[Baseline]) -> Baseline | None:
    """The last entry that others can be compared with."""
    return max((one for one in history if one.is_complete), key=_place, default=None)


def _entry(line: str, number: int) -> Baseline:
    source = f"line {number} of the history"
    try:
        entry = from_json(Baseline, line, source, strict=True)
        _place(entry)
    except (ConfigError, ValueError) as error:
        detail = error.detail if isinstance(error, ConfigError) else ""
        raise _broken(source, detail or str(error)) from error
    if not _COMMIT.fullmatch(entry.commit):
        raise _broken(source, f"commit: {entry.commit!r} is not 40 hex digits")
    return entry


def _broken(source: str, detail: str) -> HistoryError:
    return HistoryError(
        f"{source} cannot be read, so nothing was changed",
        advice="repair or remove that line of history.jsonl on the data branch, "
        "or delete the file there to begin anew",
        detail=detail,
    )


def _ordered(entries: Iterable[Baseline]) -> tuple[Baseline, ...]:
    return tuple(sorted({one.commit: one for one in entries}.values(), key=_place))


def _place(entry: Baseline) -> tuple[datetime, str]:
    """What entries are ordered by. ValueError when `created` is not a time with its zone."""
    created = datetime.fromisoformat(entry.created)
    if created.tzinfo is None:
        raise ValueError(f"created: {entry.created!r} has no time zone")
    return created, entry.commit


def _without_contents(entries: Sequence[Baseline]) -> tuple[Baseline, ...]:
    """The entries, of which only the newest keep packages of images and remarks."""
    old, new = entries[:-MOST_CONTENTS], entries[-MOST_CONTENTS:]
    return (*map(_bare, old), *new)


def _bare(entry: Baseline) -> Baseline:
    contents, dockerfiles = entry.contents, entry.dockerfiles
    return replace(
        entry,
        contents=contents if isinstance(contents, Missing) else CONTENTS_GONE,
        dockerfiles=dockerfiles if isinstance(dockerfiles, Missing) else REMARKS_GONE,
    )


def _with_costs(entry: Baseline, history: Sequence[Baseline]) -> Baseline:
    known: dict[str, float] = {}
    for one in _ordered(history):
        if _place(one) <= _place(entry):
            known |= {s.name: s.cost_seconds for s in one.services if s.cost_seconds is not None}
    services = (
        replace(service, cost_seconds=known.get(service.name))
        if service.cost_seconds is None
        else service
        for service in entry.services
    )
    return replace(entry, services=tuple(services))
