"""What to change in a Dockerfile so that an image gets smaller, what saves most first. Pure.

No byte is in two fixes: every live file has at most one remedy, copies are looked for among files
that have none, and dead bytes are none of the live ones. Layers count from 1 in the texts.
"""

from collections import defaultdict
from collections.abc import Iterable, Sequence

from onegig.images.causes import Explained
from onegig.images.copies import copy_fixes
from onegig.images.dead_fixes import loss_fixes
from onegig.images.remedies import BASE, Remedy, remedy_of
from onegig.images.sentences import layer_of, listing, size_of
from onegig.model.images import Cause, Dead, Fix

FLOOR_BYTES = 100_000  # less is not worth a line
MOST_FIXES = 100
DEBIAN_BYTES = 30_000_000  # of a Debian base, from which on another one is suggested
ALPINE = "Alpine's takes 8.5 MB"


def live_fixes(
    files: Sequence[Explained], instructions: Sequence[str], *, base_layers: int
) -> tuple[Fix, ...]:
    """What keeps live files out that need not be there."""
    groups: defaultdict[tuple[Remedy, int | None], list[Explained]] = defaultdict(list)
    rest = []
    for file in files:
        remedy = remedy_of(file)
        if remedy is None:
            rest.append(file)
        elif file.layer < base_layers:
            groups[BASE, None].append(file)
        else:
            groups[remedy, file.layer].append(file)
    named = (_fix(remedy, members, instructions) for (remedy, _), members in groups.items())
    return _worth((*named, *copy_fixes(rest, base_layers=base_layers)))


def dead_fixes(
    dead: Sequence[Dead], instructions: Sequence[str], *, base_layers: int
) -> tuple[Fix, ...]:
    """What keeps a layer from adding what a later one makes unreachable."""
    return _worth(loss_fixes(dead, instructions, base_layers=base_layers))


def suggestions(files: Iterable[Explained], *, base_layers: int) -> tuple[Fix, ...]:
    """Another base, of 0 bytes: what it would save is known when it was tried."""
    debian = [file for file in files if file.cause is Cause.BASE and file.layer < base_layers]
    total = sum(file.entry.size for file in debian)
    if total < DEBIAN_BYTES or all(file.kind != "dpkg" for file in debian):
        return ()
    text = (
        f"the base OS takes {size_of(total)}, {ALPINE}: try an -alpine base (not measured, so not "
        "counted)"
    )
    return (Fix(bytes=0, text=text, layer=0),)


def in_order(fixes: Iterable[Fix]) -> tuple[Fix, ...]:
    """What saves most first."""
    return tuple(sorted(fixes, key=lambda fix: (-fix.bytes, fix.text)))[:MOST_FIXES]


def _worth(fixes: Iterable[Fix]) -> tuple[Fix, ...]:
    return tuple(fix for fix in fixes if fix.bytes >= FLOOR_BYTES)


def _fix(remedy: Remedy, files: Sequence[Explained], instructions: Sequence[str]) -> Fix:
    sizes: defaultdict[str, int] = defaultdict(int)
    layers: defaultdict[int, int] = defaultdict(int)
    for file in files:
        sizes[file.name] += file.entry.size
        layers[file.layer] += file.entry.size
    layer = max(layers, key=lambda at: layers[at])
    total, names = sum(layers.values()), listing(sizes)
    subject = "the base image" if remedy is BASE else layer_of(instructions, layer)
    advice = f"{remedy.says}: {remedy.how}".format(size=size_of(total), names=names)
    return Fix(bytes=total, text=f"{subject} {advice}", layer=layer)
