"""history.jsonl: the numbers of the default branch's commits, one a line, oldest first.

What cannot be read is an error, never an empty history: whoever writes the file back would
otherwise drop what others measured. The order is that of `Baseline.created`, which publishing sets
to when the commit was pushed: a run that finishes late stays at its place, and a branch that was
turned back to an older commit ends with that one.

The baseline of a commit is its nearest ancestor in the history. Beside it the data branch has files
that show the numbers.
"""

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from itertools import accumulate
from pathlib import Path
from urllib.parse import quote

from jinja2 import Template

from onegig.errors import ConfigError, GithubError, HistoryError, PublishError
from onegig.github.client import GONE, Client
from onegig.github.job import DATA_BRANCH
from onegig.judge.baseline import condition_differences
from onegig.model.codec import from_json, to_json, to_line
from onegig.model.measured import Missing, Skipped, Unknown
from onegig.model.verdict import Baseline
from onegig.report.pictures import (
    Badge,
    make_badge,
    render_trend,
    to_endpoint,
    to_svg,
    unknown_badge,
)

MOST_ENTRIES = 400
MOST_BYTES = 4_000_000
MOST_CONTENTS = 20  # newest entries that keep packages and remarks: pull requests go on those
CONTENTS_GONE = Skipped(reason=f"packages are only stored for the newest {MOST_CONTENTS} commits")
REMARKS_GONE = Skipped(
    reason=f"Dockerfile findings are only stored for the newest {MOST_CONTENTS} commits"
)
_COMMIT = re.compile(r"[0-9a-f]{40}")


def parse_history(text: str) -> tuple[Baseline, ...]:
    """Return the entries of a history.jsonl, oldest first; of two for one commit the later line's.

    An empty text is an empty history. Raises HistoryError, which names the first broken line.
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
    """Return the history with an entry added or replaced; the oldest make room.

    A service whose image was not built from scratch keeps what that cost when it last was.
    """
    known = [item for item in history if item.commit != entry.commit]
    grown = _ordered([*known, _with_costs(entry, history)])[-most:]
    grown = (*map(_without_contents, grown[:-MOST_CONTENTS]), *grown[-MOST_CONTENTS:])
    sizes = accumulate(len(to_line(each).encode()) for each in reversed(grown))
    count = sum(size <= most_bytes for size in sizes)
    return grown[-max(1, count) :]


def write_history(history: Iterable[Baseline]) -> str:
    """Return the text of history.jsonl. Raises HistoryError when it would not read back."""
    entries = tuple(history)
    text = "".join(map(to_line, entries))
    if parse_history(text) != entries:
        raise HistoryError("the history could not be read back after writing")
    return text


def nearest(history: Iterable[Baseline], commits: Sequence[str]) -> tuple[Baseline, int] | None:
    """Return the first of `commits` with complete numbers, and how many commits lie before it.

    `commits` starts with the one to compare with, its ancestors follow.
    """
    complete = {entry.commit: entry for entry in history if entry.is_complete}
    places = enumerate(commits)
    near = ((complete[commit], behind) for behind, commit in places if commit in complete)
    return next(near, None)


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
        "or delete the file there to start over",
        detail=detail,
    )


def _ordered(entries: Iterable[Baseline]) -> tuple[Baseline, ...]:
    return tuple(sorted({entry.commit: entry for entry in entries}.values(), key=_place))


def _place(entry: Baseline) -> tuple[datetime, str]:
    """Return the key that orders entries. Raises ValueError when `created` has no time zone."""
    created = datetime.fromisoformat(entry.created)
    if created.tzinfo is None:
        raise ValueError(f"created: {entry.created!r} has no time zone")
    return created, entry.commit


def _without_contents(entry: Baseline) -> Baseline:
    """Return an entry without packages of images and remarks, which only the newest keep."""
    contents, dockerfiles = entry.contents, entry.dockerfiles
    return replace(
        entry,
        contents=contents if isinstance(contents, Missing) else CONTENTS_GONE,
        dockerfiles=dockerfiles if isinstance(dockerfiles, Missing) else REMARKS_GONE,
    )


def _with_costs(entry: Baseline, history: Sequence[Baseline]) -> Baseline:
    known: dict[str, float] = {}
    for item in _ordered(history):
        if _place(item) <= _place(entry):
            known |= {s.name: s.cost_seconds for s in item.services if s.cost_seconds is not None}
    services = [
        replace(service, cost_seconds=known.get(service.name))
        if service.cost_seconds is None
        else service
        for service in entry.services
    ]
    return replace(entry, services=tuple(services))


README, HISTORY, BASELINE = "README.md", "history.jsonl", "baseline.json"
READ = (README, HISTORY, BASELINE)  # the rest is drawn from these
MARKER = "<!-- written by `onegig publish`, which leaves a branch without this line alone -->"
SHIELDS = "https://img.shields.io/endpoint"
_README = Path(__file__).with_name("data_branch.md.j2")


@dataclass(frozen=True, kw_only=True, slots=True)
class Record:
    """The numbers on the branch. `baseline` is the newest commit with complete ones."""

    history: tuple[Baseline, ...] = ()
    baseline: Baseline | None = None

    def with_entry(self, entry: Baseline) -> "Record":
        """Add a commit at its place in time: a late one replaces nothing newer or complete."""
        history = add(self.history, entry)
        complete = {item.commit: item for item in history if item.is_complete}
        if self.baseline:
            complete.setdefault(self.baseline.commit, self.baseline)
        return Record(history=history, baseline=max(complete.values(), key=_place, default=None))

    @property
    def badge(self) -> Badge:
        """Return the newest commit's badge; unknown if it was not measured."""
        if not self.history:
            return unknown_badge()
        last = self.history[-1]
        return make_badge(last.state, last.total_bytes, last.limit_bytes)


def read_files(files: Mapping[str, str], branch: str) -> Record:
    """Return the numbers in the files of a branch (those of READ that it has).

    Raises PublishError when the branch is somebody else's or baseline.json cannot be read, and
    HistoryError when the history cannot. A file that was deleted starts over.
    """
    if MARKER not in files.get(README, ""):
        raise PublishError(
            f"the branch {branch} was not created by onegig, so nothing was changed",
            advice="choose another --branch; or, if its README.md was edited, add this "
            f"line to it again: {MARKER}",
        )
    return Record(
        history=parse_history(files.get(HISTORY, "")),
        baseline=_baseline(files[BASELINE], branch) if BASELINE in files else None,
    )


def write_files(record: Record, web: str, branch: str) -> dict[str, str]:
    """Return every file by its name; `web` is the repository's address, "" if unknown."""
    files = {
        README: readme(web, branch),
        HISTORY: write_history(record.history),
        "badge.svg": to_svg(record.badge),
        "badge.json": to_endpoint(record.badge),
        "trend.svg": render_trend(record.history),
    }
    return files | ({BASELINE: to_json(record.baseline)} if record.baseline else {})


def readme(web: str, branch: str) -> str:
    """Return the page that GitHub shows for the branch, with what to paste elsewhere."""
    address = quote(web, safe="/:~@") or "https://github.com/OWNER/REPOSITORY"
    raw = f"{address}/raw/{quote(branch)}"
    tree = f"{address}/tree/{quote(branch)}"
    endpoint = f"{SHIELDS}?url={quote(f'{raw}/badge.json', safe='')}"
    template = Template(_README.read_text(encoding="utf-8"), keep_trailing_newline=True)
    return str(template.render(marker=MARKER, raw=raw, tree=tree, endpoint=endpoint))


def _baseline(text: str, branch: str) -> Baseline:
    try:
        return from_json(Baseline, text, BASELINE, strict=True)
    except ConfigError as error:
        raise PublishError(
            f"{BASELINE} on {branch} cannot be read, so nothing was changed",
            advice="repair the file there, or delete it; the next complete run writes a new one",
            detail=error.detail or error.message,
        ) from error


MOST_COMMITS = 200  # looked at, from the compared one back


def find_baseline(
    client: Client, base_sha: str, branch: str, *, data_branch: str = DATA_BRANCH
) -> tuple[Baseline, int] | Missing:
    """Return the baseline of a change on top of `base_sha`, and how many commits it is behind.

    `branch` is what `base_sha` is a commit of. Skipped if there is none yet, Unknown if it
    could not be read: no error stops a report.
    """
    try:
        history = _read_history(client, data_branch)
        listed = client.pages("commits", most=MOST_COMMITS, sha=base_sha) if history else ()
        commits = [str(item["sha"]) for item in listed]  # newest first
    except GithubError as error:
        return Unknown(reason=f"the baseline could not be read: {error.message}")
    except HistoryError as error:
        return Unknown(reason=f"the history on {data_branch} could not be read: {error.message}")
    if not history:
        return Skipped(reason=f"no baseline yet: onegig has not run on {branch}")
    found = nearest(history, commits)
    if found is None:
        return Skipped(
            reason=f"no baseline: none of the last {len(commits)} commits up to {base_sha[:12]} "
            f"was measured on {branch}"
        )
    baseline, behind = found
    return replace(baseline, earlier=earlier_peaks(history, baseline)), behind


def earlier_peaks(history: Iterable[Baseline], baseline: Baseline) -> tuple[int, ...]:
    """Return the peak of one boot of each commit up to the baseline that was measured alike."""
    return tuple(
        _peak(entry)
        for entry in history
        if entry.is_complete
        and _place(entry) <= _place(baseline)
        and (entry.metric, entry.limit_bytes) == (baseline.metric, baseline.limit_bytes)
        and not condition_differences(baseline.environment, baseline.machine, entry)
    )


def _peak(entry: Baseline) -> int:
    """Return the first boot's peak: the highest of several would be another quantity."""
    if entry.peaks:
        return entry.peaks[0]
    values = [entry.total_bytes, *(m.value for m in entry.marks if m.id == "memory.boot")]
    return int(max(value for value in values if not isinstance(value, Missing)))


def _read_history(client: Client, data_branch: str) -> tuple[Baseline, ...]:
    """Return everything measured so far, or nothing if there is no branch or file yet."""
    branch = client.find(f"branches/{quote(data_branch, safe='')}", absent=GONE)
    if branch is None:
        return ()
    tip = str(branch["commit"]["sha"])  # a tag may have the branch's name
    try:
        return parse_history((client.read_file(HISTORY, tip, 2 * MOST_BYTES) or b"").decode())
    except UnicodeDecodeError as error:
        raise HistoryError("it is not UTF-8 text") from error
