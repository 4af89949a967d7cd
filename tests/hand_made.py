"""Indexes of layers written down by hand, and what is said of images made of them."""

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from onegig.images.account import account
from onegig.images.causes import Explained, explain
from onegig.images.examine import make_accounting
from onegig.images.layer import Entry, Kind, LayerIndex
from onegig.images.packages import is_database
from onegig.model.images import Accounting, Cause

BASE = "ADD alpine-minirootfs.tar.gz / # buildkit"


def made_layer(
    files: Mapping[str, int | str], *, gone: Sequence[str] = (), links: Mapping[str, str] = {}
) -> LayerIndex:
    """Files by path: a size, or the text in it; equal sizes of other paths are other contents."""
    entries = [_file(path, content) for path, content in files.items()]
    entries += [Entry(path=path, kind=Kind.HARDLINK, link=link) for path, link in links.items()]
    entries += [Entry(path=path, kind=Kind.WHITEOUT) for path in gone]
    contents = {
        path: text.encode()
        for path, text in files.items()
        if isinstance(text, str) and is_database(path)
    }
    name = hashlib.sha256(repr(entries).encode()).hexdigest()
    return LayerIndex(diff_id=f"sha256:{name}", entries=tuple(entries), contents=contents)


def _file(path: str, content: int | str) -> Entry:
    size = content if isinstance(content, int) else len(content.encode())
    text = f"{path}: {content}" if isinstance(content, int) else content
    digest = hashlib.blake2b(text.encode("utf-8", "surrogateescape"), digest_size=16).digest()
    return Entry(path=path, kind=Kind.FILE, size=size, digest=digest)


@dataclass(frozen=True)
class MadeByHand:
    """An image: (instruction, layer) from the lowest up; the first is the base."""

    steps: Sequence[tuple[str, LayerIndex]]
    workdir: str = "/app"
    base_layers: int = 1

    @property
    def layers(self) -> list[LayerIndex]:
        return [layer for _, layer in self.steps]

    @property
    def instructions(self) -> list[str]:
        return [instruction for instruction, _ in self.steps]

    def explained(self) -> dict[str, Explained]:
        """By path."""
        live = account(self.layers).live
        files = explain(
            self.layers,
            live,
            self.instructions,
            base_layers=self.base_layers,
            workdir=self.workdir,
        )
        return {file.entry.path: file for file in files}

    def causes(self) -> dict[str, tuple[Cause, str]]:
        """Cause and name by path."""
        return {path: (file.cause, file.name) for path, file in self.explained().items()}

    def accounting(self) -> Accounting:
        return make_accounting(
            self.layers, self.instructions, base_layers=self.base_layers, workdir=self.workdir
        )


def apk_database(*packages: str) -> str:
    """Alpine's database of "name version need,need path path"; "-" for no needs."""
    return "\n".join(_apk(*package.split()) for package in packages)


def _apk(name: str, version: str, needs: str, *paths: str) -> str:
    lines = [f"P:{name}", f"V:{version}", f"D:{'' if needs == '-' else needs.replace(',', ' ')}"]
    for path in paths:
        folder, _, file = path.rpartition("/")
        lines += [f"F:{folder}", f"R:{file}", "Z:Q1eL5C6="]
    return "\n".join(lines) + "\n"
