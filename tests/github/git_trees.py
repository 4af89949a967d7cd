"""What the stand-in tells of git's own objects: folders and what is in them."""

import hashlib
from collections.abc import Iterator, Mapping

from github.bodies import blob_sha
from github.reads import RAW
from github.routes import NOT_FOUND, Call, Reply, route
from github.state import Commit

FILE, FOLDER, SUBMODULE = "100644", "040000", "160000"


@route("get", "/git/trees/{tree_sha}", needs="contents=read")
def get_tree(call: Call) -> Reply:
    """By the SHA of a folder or of a commit, or a name."""
    name = call.values["tree_sha"]
    folders = {tree_sha(item, folder): (item, folder) for item, folder in _folders(call)}
    commit = call.state.find_commit(name)
    result = (commit, "") if commit else folders.get(name)
    if not result:
        return NOT_FOUND
    entries = list(_entries(*result))
    if "recursive" in call.query:
        entries = list(_all_below(*result))
    example = call.bodies.example("get", "/git/trees/{tree_sha}")
    body = {**example, "sha": name, "truncated": call.state.truncated_trees, "tree": entries}
    return Reply(body=body)


@route("get", "/git/blobs/{file_sha}", needs="contents=read")
def get_blob(call: Call) -> Reply:
    name = call.values["file_sha"]
    texts = (text for commit in call.state.commits.values() for text in commit.files.values())
    for text in texts:
        if blob_sha(text.encode()) == name and call.accept.startswith(RAW):
            return Reply(raw=text.encode(), headers={"Content-Type": f"{RAW}; charset=utf-8"})
    return NOT_FOUND


def tree_sha(commit: Commit, folder: str) -> str:
    """Equal for equal content."""
    below = sorted(
        (path.removeprefix(folder), commit.modes.get(path, FILE), text)
        for path, text in commit.files.items()
        if path.startswith(folder)
    )
    return hashlib.sha1(repr(below).encode()).hexdigest()


def _folders(call: Call) -> Iterator[tuple[Commit, str]]:
    for commit in call.state.commits.values():
        yield from ((commit, folder) for folder in _folders_of(commit))


def _folders_of(commit: Commit) -> set[str]:
    """ "" and every folder, with a slash at its end."""
    result = {""}
    for path in commit.files:
        parts = path.split("/")[:-1]
        result |= {"/".join(parts[:end]) + "/" for end in range(1, len(parts) + 1)}
    return result


def _entries(commit: Commit, folder: str) -> Iterator[Mapping[str, object]]:
    for item in _all_below(commit, folder):
        if "/" not in str(item["path"]):
            yield item


def _all_below(commit: Commit, folder: str) -> Iterator[Mapping[str, object]]:
    for item in sorted(_folders_of(commit)):
        if item.startswith(folder) and item != folder and item:
            path = item.removeprefix(folder).rstrip("/")
            yield {"path": path, "mode": FOLDER, "type": "tree", "sha": tree_sha(commit, item)}
    for path, text in sorted(commit.files.items()):
        if path.startswith(folder):
            mode = commit.modes.get(path, FILE)
            sub = mode == SUBMODULE
            yield {
                "path": path.removeprefix(folder),
                "mode": mode,
                "type": "commit" if sub else "blob",
                "sha": text if sub else blob_sha(text.encode()),
            }
