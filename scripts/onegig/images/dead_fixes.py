"""Fixes for dead bytes: what a later layer deletes, replaces or copies is still pulled. Pure."""

from collections import defaultdict
from collections.abc import Iterable, Sequence

from onegig.dockerfiles.instructions import is_copied
from onegig.images.sentences import layer_of, size_of
from onegig.model.images import Dead, Fate, Fix

_DELETED = (Fate.DELETED, Fate.DELETED_WITH_DIRECTORY)
_UPGRADES = ("apk upgrade", "apt-get upgrade", "apt upgrade", "dist-upgrade", "full-upgrade")
_OWNERS = ("chown", "chgrp")
_STATE = ("var/lib/dpkg/", "var/lib/apt/", "var/cache/", "lib/apk/", "usr/lib/apk/", "etc/")
_INSTALLING = "installing packages does that, once in each RUN that installs some"


def loss_fixes(
    dead: Iterable[Dead], instructions: Sequence[str], *, base_layers: int
) -> tuple[Fix, ...]:
    """One fix for what one layer did to another's files in one way."""
    groups: defaultdict[tuple[int, int, bool, bool], list[Dead]] = defaultdict(list)
    for one in dead:
        key = one.layer, one.killer, one.fate in _DELETED, one.fate is Fate.METADATA
        groups[key].append(one)
    return tuple(_fix(group, instructions, base_layers) for group in groups.values())


def _fix(group: Sequence[Dead], instructions: Sequence[str], base_layers: int) -> Fix:
    first = group[0]
    if first.killer < base_layers:
        text, layer = _of_the_base(group), first.killer
    elif first.fate in _DELETED:
        text, layer = _deleted(group, instructions, base_layers), first.layer
    elif first.fate is Fate.METADATA:
        text, layer = _copied(group, instructions, base_layers), first.killer
    else:
        text, layer = _replaced(group, instructions, base_layers), first.killer
    return Fix(bytes=_bytes(group), text=text, layer=layer)


def _deleted(group: Sequence[Dead], instructions: Sequence[str], base_layers: int) -> str:
    first = group[0]
    says = f"{layer_of(instructions, first.killer)} deletes {_what(group)}"
    if first.layer < base_layers:
        return f"{says} of the base image, which stay in it: start from a base without them"
    if is_copied(instructions[first.layer]):
        remedy = "leave them out by .dockerignore, or COPY --from a stage where they are deleted"
    else:
        remedy = "delete them in the RUN that makes them, or build in a stage of its own"
    return f"{says} of {layer_of(instructions, first.layer)}, which stay in it: {remedy}"


def _copied(group: Sequence[Dead], instructions: Sequence[str], base_layers: int) -> str:
    first = group[0]
    killer = instructions[first.killer]
    says = f"{layer_of(instructions, first.killer)} holds {_what(group)} once more"
    whose = _whose(first, instructions, base_layers)
    if _is_state(group):
        return f"{says}, the same as {whose}: {_INSTALLING}"
    if is_copied(killer):
        return f"{says}, the same as {whose}: copy them once"
    option = "--chown" if any(word in killer for word in _OWNERS) else "--chmod"
    if first.layer >= base_layers and is_copied(instructions[first.layer]):
        remedy = f"use COPY {option} there"
    elif first.layer >= base_layers:
        remedy = "change owner and mode in the RUN that makes them"
    else:
        remedy = "leave the base image's files as they are"
    return f"{says} for their owner, mode or time, the same as {whose}: {remedy}"


def _replaced(group: Sequence[Dead], instructions: Sequence[str], base_layers: int) -> str:
    first = group[0]
    says = (
        f"{layer_of(instructions, first.killer)} replaces {_what(group)} of "
        f"{_whose(first, instructions, base_layers)}"
    )
    if _is_state(group):
        return f"{says}: {_INSTALLING}"
    if any(word in instructions[first.killer] for word in _UPGRADES):
        return f"{says}: build on a newer base image instead of upgrading it"
    if first.layer < base_layers:
        return f"{says}: both stay; start from a base that has the right ones"
    return f"{says}: both stay; make them once, or make them in one RUN"


def _of_the_base(group: Sequence[Dead]) -> str:
    return f"the base image holds {_what(group)} that no container can reach: choose a smaller one"


def _is_state(group: Sequence[Dead]) -> bool:
    """Whether these are what package managers keep about themselves."""
    return all(one.path.startswith(_STATE) for dead in group for one in dead.largest)


def _whose(dead: Dead, instructions: Sequence[str], base_layers: int) -> str:
    return "the base image" if dead.layer < base_layers else layer_of(instructions, dead.layer)


def _what(group: Sequence[Dead]) -> str:
    largest = {f"/{one.path}": one.bytes for dead in group for one in dead.largest if one.bytes}
    files = sum(dead.files for dead in group)
    if files == 1 or len(largest) == 1:
        return f"{size_of(_bytes(group))} ({next(iter(largest), 'an empty file')})"
    return f"{size_of(_bytes(group))} in {files:,} files ({_names(largest, files)})"


def _names(largest: dict[str, int], files: int) -> str:
    shown = sorted(largest.items(), key=lambda item: (-item[1], item[0]))[:2]
    names = ", ".join(name for name, _ in shown)
    return f"{names}, ..." if files > len(shown) else names


def _bytes(group: Iterable[Dead]) -> int:
    return sum(dead.bytes for dead in group)
