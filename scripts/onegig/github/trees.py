"""Files of commits, read from GitHub folder by folder as they are needed, and tips of branches.

Branches are looked up if a tag of the same name can't change the answer.
"""

import posixpath
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum
from urllib.parse import quote

from onegig.errors import GithubError
from onegig.github.client import Client
from onegig.github.transport import RAW

MOST_TEXT_BYTES = 1_000_000
CONTAINED = ("ahead", "identical")  # what a branch is to a commit that it contains
UNKNOWN_COMMIT = (404, 422)


class TreeError(GithubError):
    """A folder has more files than GitHub lists."""


class Mode(StrEnum):
    """Git's modes of entries that are not plain files."""

    FOLDER = "040000"
    LINK = "120000"
    SUBMODULE = "160000"


@dataclass(frozen=True, kw_only=True, slots=True)
class Entry:
    """One entry of a folder. Equal entries have equal content: of folders, all below them."""

    mode: str
    sha: str


class Trees:
    """The trees of a repository's commits."""

    def __init__(self, client: Client) -> None:
        self._client = client
        self._known: dict[tuple[str, bool], dict[str, Entry]] = {}

    def list_folder(self, sha: str, *, recursive: bool = False) -> Mapping[str, Entry]:
        """Return a tree's entries by path; TreeError if it is too large to list."""
        key = (sha, recursive)
        if key not in self._known:
            options = {"recursive": "1"} if recursive else {}
            answer = self._client.get(f"git/trees/{sha}", **options)
            if answer["truncated"]:
                raise TreeError(
                    "GitHub does not list all files of a folder",
                    command=f"git/trees/{sha}",
                    advice="move the files that affect the measurement to a smaller folder",
                )
            self._known[key] = {
                item["path"]: Entry(mode=item["mode"], sha=item["sha"]) for item in answer["tree"]
            }
        return self._known[key]

    def read(self, entry: Entry) -> str:
        """Return the text of a file, or the target of a link."""
        path = f"git/blobs/{entry.sha}"
        content = self._client.download(path, accept=RAW, most_bytes=MOST_TEXT_BYTES)
        return content.decode("utf-8", errors="replace")


@dataclass(frozen=True, slots=True)
class Tree:
    """The files of one commit, given by its SHA."""

    forest: Trees
    commit: str

    def find(self, path: str) -> tuple[str, Entry | None]:
        """Return the entry at a path; that of a link or submodule on the way to it, with its path.

        None if there is nothing.
        """
        entry, place = Entry(mode=Mode.FOLDER, sha=self.commit), ""
        for name in path.strip("/").split("/"):
            below = self.forest.list_folder(entry.sha).get(name)
            if below is None:
                return path, None
            entry, place = below, posixpath.join(place, name)
            if entry.mode != Mode.FOLDER:
                return place, entry
        return path, entry

    def text(self, path: str) -> str | None:
        """Return the text of a plain file, or None if there is none."""
        place, entry = self.find(path)
        if place != path or entry is None or entry.mode in tuple(Mode):
            return None
        return self.forest.read(entry)

    def below(self, path: str) -> Iterator[tuple[str, Entry]]:
        """Yield the entry at a path and, if it is a folder, everything below it."""
        place, entry = self.find(path)
        if entry:
            yield place, entry
        if entry and entry.mode == Mode.FOLDER:
            for name, inner in self.forest.list_folder(entry.sha, recursive=True).items():
                yield posixpath.join(path, name), inner


def branch_tip(client: Client, name: str) -> str:
    """Return the SHA of a branch's newest commit; GithubError if there is no such branch."""
    return str(client.get(f"branches/{quote(name, safe='')}")["commit"]["sha"])


def contains(client: Client, commit: str, older: str) -> bool:
    """Return whether `older` is `commit` or one of its ancestors, both given by SHA."""
    if commit == older:
        return True
    compared = client.find(f"compare/{older}...{commit}", absent=UNKNOWN_COMMIT, per_page=1)
    return compared is not None and compared["status"] in CONTAINED
