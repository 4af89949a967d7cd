"""What is on the data branch: the numbers kept there, and the files that show them."""

from collections.abc import Mapping
from dataclasses import dataclass
from urllib.parse import quote

from onegig.errors import ConfigError, PublishError
from onegig.model.baseline import Baseline
from onegig.model.codec import from_json, to_json
from onegig.publish.data.history import add, newest_complete, parse_history, write_history
from onegig.report import trend
from onegig.report.badge import Badge, make_badge, to_endpoint, to_svg, unknown_badge

README, HISTORY, BASELINE = "README.md", "history.jsonl", "baseline.json"
READ = (README, HISTORY, BASELINE)  # the rest is drawn from these
MARKER = "<!-- written by `onegig publish`, which leaves a branch without this line alone -->"
SHIELDS = "https://img.shields.io/endpoint"
_README = """\
{marker}

# Memory of the default branch

![memory](badge.svg)

![Memory over the commits of the default branch](trend.svg)

| file | what it is |
| :-- | :-- |
| `badge.svg` | memory and limit of the newest commit, "unknown" if it could not be measured |
| `badge.json` | the same for [shields.io](https://shields.io/badges/endpoint-badge) |
| `trend.svg` | memory over the commits; one that could not be measured is a gap |
| `history.jsonl` | all numbers, a commit a line, oldest first; the oldest make room for new ones |
| `baseline.json` | the newest complete commit: what was only measured in part leaves it as it is |

To show them elsewhere (the second needs a public repository):

```markdown
[![memory]({raw}/badge.svg)]({tree})
[![memory]({endpoint})]({tree})
![Memory over the commits of the default branch]({raw}/trend.svg)
```

`onegig publish` replaces this branch by a single commit each time, so that no clone grows with it.
It writes the files above and this one, and keeps all others. To begin anew, delete `history.jsonl`
and `baseline.json`, or the branch.
"""


@dataclass(frozen=True, kw_only=True, slots=True)
class Kept:
    """The numbers on the branch. `baseline` is the newest commit with complete ones."""

    history: tuple[Baseline, ...] = ()
    baseline: Baseline | None = None

    def with_entry(self, entry: Baseline) -> "Kept":
        """One more commit, at its place in time: a late one replaces neither newer nor complete."""
        history = add(self.history, entry)
        measured = {one.commit for one in history if one.is_complete}
        old = [self.baseline] if self.baseline and self.baseline.commit not in measured else []
        return Kept(history=history, baseline=newest_complete([*history, *old]))

    @property
    def badge(self) -> Badge:
        """The newest commit's; unknown where it was not measured, whatever was known before."""
        if not self.history:
            return unknown_badge()
        last = self.history[-1]
        return make_badge(last.state, last.total_bytes, last.limit_bytes)


def read_files(files: Mapping[str, str], branch: str) -> Kept:
    """The numbers in the files of a branch (READ of them, those that it has).

    PublishError: the branch is somebody else's, or baseline.json cannot be read. HistoryError: the
    history cannot. A file that was deleted begins anew.
    """
    if MARKER not in files.get(README, ""):
        raise PublishError(
            f"the branch {branch} is not one of onegig's, so nothing was changed",
            advice="choose another --branch; or, if it is one whose README.md was edited, "
            f"put this line back into it: {MARKER}",
        )
    return Kept(
        history=parse_history(files.get(HISTORY, "")),
        baseline=_baseline(files[BASELINE], branch) if BASELINE in files else None,
    )


def write_files(kept: Kept, web: str, branch: str) -> dict[str, str]:
    """Return every file by its name; `web` is the repository's address, "" if unknown."""
    files = {
        README: readme(web, branch),
        HISTORY: write_history(kept.history),
        "badge.svg": to_svg(kept.badge),
        "badge.json": to_endpoint(kept.badge),
        "trend.svg": trend.render(kept.history),
    }
    return files | ({BASELINE: to_json(kept.baseline)} if kept.baseline else {})


def readme(web: str, branch: str) -> str:
    """The page that GitHub shows for the branch, with what to paste elsewhere."""
    address = quote(web, safe="/:~@") or "https://github.com/OWNER/REPOSITORY"
    raw = f"{address}/raw/{quote(branch)}"
    return _README.format(
        marker=MARKER,
        raw=raw,
        tree=f"{address}/tree/{quote(branch)}",
        endpoint=f"{SHIELDS}?url={quote(f'{raw}/badge.json', safe='')}",
    )


def _baseline(text: str, branch: str) -> Baseline:
    try:
        return from_json(Baseline, text, BASELINE, strict=True)
    except ConfigError as error:
        raise PublishError(
            f"{BASELINE} on {branch} cannot be read, so nothing was changed",
            advice="repair the file there, or delete it: the next complete run writes it again",
            detail=error.detail or error.message,
        ) from error
