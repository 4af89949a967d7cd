"""Fixes for live files of one image that have the same content. Pure."""

from collections import defaultdict
from collections.abc import Iterable

from onegig.images.causes import Explained
from onegig.images.path_causes import folder_of
from onegig.images.sentences import size_of
from onegig.model.images import Fix
from onegig.text import format_list, format_rest

FLOOR_BYTES = 4096  # of one file: smaller ones are alike by chance
FOLDER_DEPTH = 3
SHOWN = 3


def copy_fixes(files: Iterable[Explained], *, base_layers: int) -> tuple[Fix, ...]:
    """One fix for all contents that the same folders hold, of all copies but the first.

    Copies that only the base image has are left alone: nobody can do anything about them.
    """
    alike: defaultdict[bytes, list[Explained]] = defaultdict(list)
    for file in files:
        if file.entry.size >= FLOOR_BYTES and file.entry.digest:
            alike[file.entry.digest].append(file)
    groups: defaultdict[tuple[str, ...], list[list[Explained]]] = defaultdict(list)
    for copies in alike.values():
        if len(copies) > 1 and max(copy.layer for copy in copies) >= base_layers:
            folders = {folder_of(copy.entry.path, FOLDER_DEPTH) for copy in copies}
            groups[tuple(sorted(folders))].append(copies)
    return tuple(_fix(found) for found in groups.values())


def _fix(found: list[list[Explained]]) -> Fix:
    largest = max(found, key=lambda copies: copies[0].entry.size)
    paths = [f"/{copy.entry.path}" for copy in largest]
    saved = sum(copy.entry.size for copies in found for copy in copies[1:])
    named = (format_list(paths, SHOWN), format_rest(len(found) - 1, "files"))
    where = "; ".join(filter(None, named))
    return Fix(
        bytes=saved,
        text=f"{size_of(saved)} are duplicated in the image ({where}): keep one, link to it",
        layer=max(copy.layer for copies in found for copy in copies),
    )
