"""Which files a pull request changes, and which of them decide how is measured."""

from collections.abc import Iterator
from dataclasses import dataclass

from onegig.errors import GithubError
from onegig.publish.github.client import Client

MOST_FILES = 3000  # GitHub lists no more
MEASURING = (  # what decides how is measured, in this repository and in those that use the action
    ".github/workflows/",
    ".github/actions/",
    "action.yml",
    "action.yaml",
    "scripts/",
    "pyproject.toml",
)
NOT_LISTED = (422, 500, 502, 503)  # a diff that GitHub can't make


@dataclass(frozen=True, kw_only=True, slots=True)
class Changes:
    """Paths, old names of moved files included. `gap` says why there may be more."""

    paths: frozenset[str]
    gap: str = ""

    def below(self, places: tuple[str, ...]) -> tuple[str, ...]:
        """Those that are, or lie in, one of `places`; what can't be ruled out counts."""
        found = sorted(path for path in self.paths if path.startswith(places))
        return (*found, self.gap) if self.gap else tuple(found)

    def may_have(self, path: str) -> bool:
        """Whether a file is, or may be, among them."""
        return path in self.paths or bool(self.gap)


def find_changes(client: Client, pull: int) -> Changes:
    """The files of a pull request."""
    try:
        listed = list(client.pages(f"pulls/{pull}/files", most=MOST_FILES))
    except GithubError as error:
        if error.status not in NOT_LISTED:
            raise
        return Changes(paths=frozenset(), gap="which files change could not be listed")
    paths = frozenset(path for one in listed for path in _paths(one))
    gap = f"more than {MOST_FILES:,} files change" if len(listed) >= MOST_FILES else ""
    return Changes(paths=paths, gap=gap)


def _paths(changed: dict[str, object]) -> Iterator[str]:
    for key in ("filename", "previous_filename"):
        path = changed.get(key)
        if isinstance(path, str):
            yield path
