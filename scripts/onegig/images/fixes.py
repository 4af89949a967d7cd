"""Fixes of a Dockerfile that make its image smaller, the largest saving first. Pure.

No byte is in two fixes: every live file has at most one remedy, duplicates are looked for among
files that have none, and dead bytes are not live. Layers count from 1 in the texts.

There is no remedy for bytecode: without it `import redis.asyncio` takes 1.1 s instead of 0.15 s.
Nor for caches that programs of the distribution read (debconf, ldconfig, fontconfig), nor for
translations in a library's package, which it may show.
"""

import re
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

from onegig.dockerfiles.parse import Dockerfile, is_copied, line_of
from onegig.images.causes import Explained
from onegig.images.path_causes import PATH, folder_of
from onegig.model.images import Cause, Dead, Fate, Fix, Image, ImagesReport
from onegig.model.measured import Missing
from onegig.model.sizes import Convention, format_mb
from onegig.text import format_list, format_rest

FLOOR_BYTES = 100_000  # less is not worth a line
MOST_FIXES = 100
DEBIAN_BYTES = 30_000_000  # of a Debian base, from which on another one is suggested
DUPLICATE_BYTES = 4096  # smaller files are alike by chance
_INSTRUCTION_LENGTH = 70
_NAMES = 3  # in a list; the others are counted
_DELETED = (Fate.DELETED, Fate.DELETED_WITH_DIRECTORY)
_UPGRADES = ("apk upgrade", "apt-get upgrade", "apt upgrade", "dist-upgrade", "full-upgrade")
_DATABASES = ("var/lib/dpkg/", "var/lib/apt/", "var/cache/", "lib/apk/", "usr/lib/apk/", "etc/")
_INSTALLING = "every RUN that installs packages does this, so install them in a single RUN"


@dataclass(frozen=True, slots=True)
class Remedy:
    """Advice about files of one kind.

    `problem` follows the instruction that caused it, with {size} and {names} to be filled in.
    """

    problem: str
    advice: str


_SAME_RUN = "delete it in the same RUN"
_CACHES = [
    (re.compile(path), Remedy("left {size} in {names}", advice))
    for path, advice in (
        (
            r"/(?:root|home/[^/]+)/\.cache/pip",
            "add --no-cache-dir, or mount a cache there (RUN --mount=type=cache,target={names})",
        ),
        (r"/.*/\.npm", "end that RUN with `npm cache clean --force`, or mount a cache there"),
        (r"/var/lib/apt/lists", "end that RUN with `rm -rf /var/lib/apt/lists/*`"),
        (r"/var/cache/apt", "end that RUN with `apt-get clean`"),
        (
            r"/(?:var/cache|etc/apk/cache|lib/apk/cache).*apk.*|/lib/apk/cache",
            "use `apk add --no-cache`",
        ),
        (r"/(?:var/)?tmp|/var/log", _SAME_RUN),
        (r"(?!/var/cache/)/.*", f"{_SAME_RUN}, or mount a cache there"),
    )
]
_INSTALLERS = re.compile(
    r"(?:pip|setuptools|wheel|npm|corepack|yarn|ensurepip)(?: .*)?", re.IGNORECASE
)
_INSIDE = re.compile(r"(?:tests|headers|static libraries) (?:of|in) .*|/usr/(?:local/)?lib/.*")
_STRAY = re.compile(r"/.*/(?:\.[^/]+|tests?|__tests__|htmlcov|venv|node_modules|[^/]+\.egg-info)")

COMPILERS = Remedy(
    "left {size} that is only needed for building ({names})",
    "build in a separate stage and COPY --from it only what is needed, or remove it in the same RUN"
    " (`apk add --virtual .build ... && apk del .build`, `apt-get purge --auto-remove`)",
)
REQUIREMENTS = Remedy(
    "installed {size} that is only needed for development ({names})",
    "move these packages to a separate requirements file that the image does not install",
)
NODE_REQUIREMENTS = Remedy(REQUIREMENTS.problem, "use `npm ci --omit=dev`")
INSTALLERS = Remedy(
    "left {size} of installers ({names})",
    "install in a separate stage and COPY --from it only what is needed",
)
INSIDE = Remedy(
    "installed {size} of tests, headers and static libraries ({names})",
    f"{_SAME_RUN}, or COPY --from a stage where they are deleted",
)
STRAYS = Remedy("copied {size} that the image does not need ({names})", "add it to .dockerignore")
DOCUMENTATION = Remedy(
    "installed {size} of documentation and locales ({names})",
    f"{_SAME_RUN}; or exclude it with path-exclude in /etc/dpkg/dpkg.cfg.d",
)
BASE = Remedy(
    "has {size} that is not needed at run time ({names})",
    "build on it, and COPY --from that stage only what is needed to its -slim or -alpine variant,"
    " or to plain alpine",
)


def live_fixes(
    files: Sequence[Explained], instructions: Sequence[str], *, base_layers: int
) -> tuple[Fix, ...]:
    """Return the fixes that keep unneeded files out of the image."""
    groups: defaultdict[tuple[Remedy, int | None], list[Explained]] = defaultdict(list)
    rest = []
    for file in files:
        remedy = _remedy_of(file)
        if remedy is None:
            rest.append(file)
        elif file.layer < base_layers:
            groups[BASE, None].append(file)
        else:
            groups[remedy, file.layer].append(file)
    fixes = [_remedy_fix(remedy, members, instructions) for (remedy, _), members in groups.items()]
    return _worthwhile((*fixes, *_duplicate_fixes(rest, base_layers)))


def dead_fixes(
    dead: Sequence[Dead], instructions: Sequence[str], *, base_layers: int
) -> tuple[Fix, ...]:
    """Return the fixes for bytes that a later layer deletes, replaces or copies.

    There is one fix for what one layer did to another's files in one way.
    """
    groups: defaultdict[tuple[int, int, bool, bool], list[Dead]] = defaultdict(list)
    for part in dead:
        key = part.layer, part.killer, part.fate in _DELETED, part.fate is Fate.METADATA
        groups[key].append(part)
    return _worthwhile(_dead_fix(group, instructions, base_layers) for group in groups.values())


def suggestions(files: Iterable[Explained], *, base_layers: int) -> tuple[Fix, ...]:
    """Suggest another base, as a fix of 0 bytes: the saving is known when it was tried."""
    base = [file for file in files if file.cause is Cause.BASE and file.layer < base_layers]
    total = sum(file.entry.size for file in base)
    if total < DEBIAN_BYTES or all(file.kind != "dpkg" for file in base):
        return ()
    text = (
        f"the base OS takes {_size(total)}, Alpine only 8.5 MB: try an -alpine base "
        "(an estimate, so not counted)"
    )
    return (Fix(bytes=0, text=text, layer=0),)


def in_order(fixes: Iterable[Fix]) -> tuple[Fix, ...]:
    """Sort fixes, the largest saving first."""
    return tuple(sorted(fixes, key=lambda fix: (-fix.bytes, fix.text)))[:MOST_FIXES]


def place_fixes(report: ImagesReport, files: Mapping[str, Dockerfile]) -> ImagesReport:
    """Add to each fix the line of the Dockerfile to change; `files` are by service.

    A fix of a layer that came with the base image gets the line that names the base.
    """
    images = []
    for image in report.images:
        account, placed = image.accounting, image
        file = next((files[name] for name in image.services if name in files), None)
        if file and not isinstance(account, Missing):
            fixes = tuple(_with_line(fix, image, file) for fix in account.fixes)
            placed = replace(image, accounting=replace(account, fixes=fixes))
        images.append(placed)
    return replace(report, images=tuple(images))


def _with_line(fix: Fix, image: Image, file: Dockerfile) -> Fix:
    if fix.layer is None or fix.place:
        return fix
    line = line_of(file.text, image.layers[fix.layer].instruction)
    return replace(fix, place=f"{file.path}:{line}")


def _remedy_of(file: Explained) -> Remedy | None:
    if file.cause is Cause.CACHE:
        return next((remedy for path, remedy in _CACHES if path.fullmatch(file.name)), None)
    if file.cause is Cause.DOCUMENTATION:
        return DOCUMENTATION if file.name.startswith("/") else None
    if file.cause is not Cause.DEVELOPMENT:
        return None
    if _INSTALLERS.fullmatch(file.name.rpartition("/")[2]):
        return INSTALLERS
    if _INSIDE.fullmatch(file.name):
        return INSIDE
    if file.kind == PATH:
        return STRAYS if _STRAY.fullmatch(file.name) else COMPILERS
    return {"pip": REQUIREMENTS, "npm": NODE_REQUIREMENTS}.get(file.kind, COMPILERS)


def _worthwhile(fixes: Iterable[Fix]) -> tuple[Fix, ...]:
    return tuple(fix for fix in fixes if fix.bytes >= FLOOR_BYTES)


def _remedy_fix(remedy: Remedy, files: Sequence[Explained], instructions: Sequence[str]) -> Fix:
    sizes: defaultdict[str, int] = defaultdict(int)
    layers: defaultdict[int, int] = defaultdict(int)
    for file in files:
        sizes[file.name] += file.entry.size
        layers[file.layer] += file.entry.size
    layer = max(layers, key=lambda at: layers[at])
    total = sum(layers.values())
    subject = "the base image" if remedy is BASE else _layer(instructions, layer)
    advice = f"{remedy.problem}: {remedy.advice}".format(size=_size(total), names=_listed(sizes))
    return Fix(bytes=total, text=f"{subject} {advice}", layer=layer)


def _duplicate_fixes(files: Iterable[Explained], base_layers: int) -> Iterable[Fix]:
    """Return one fix for all contents that the same folders hold.

    Duplicates that only the base image has are left alone: nobody can do anything about them.
    """
    alike: defaultdict[bytes, list[Explained]] = defaultdict(list)
    for file in files:
        if file.entry.size >= DUPLICATE_BYTES and file.entry.digest:
            alike[file.entry.digest].append(file)
    groups: defaultdict[tuple[str, ...], list[list[Explained]]] = defaultdict(list)
    for copies in alike.values():
        if len(copies) > 1 and max(copy.layer for copy in copies) >= base_layers:
            folders = {folder_of(copy.entry.path, 3) for copy in copies}
            groups[tuple(sorted(folders))].append(copies)
    return [_duplicate_fix(contents, base_layers) for contents in groups.values()]


def _duplicate_fix(contents: list[list[Explained]], base_layers: int) -> Fix:
    largest = max(contents, key=lambda copies: copies[0].entry.size)
    paths = [f"/{copy.entry.path}" for copy in largest]
    saved = sum(_spare_bytes(copies, base_layers) for copies in contents)
    names = (format_list(paths, _NAMES), format_rest(len(contents) - 1, "files"))
    where = "; ".join(filter(None, names))
    return Fix(
        bytes=saved,
        text=f"{_size(saved)} are duplicated in the image ({where}): keep one copy and link to it",
        layer=max(copy.layer for copies in contents for copy in copies),
    )


def _spare_bytes(copies: Sequence[Explained], base_layers: int) -> int:
    """Return the bytes of all copies but one; those in the base image stay, however many."""
    own = sum(copy.layer >= base_layers for copy in copies)
    return copies[0].entry.size * min(own, len(copies) - 1)


def _dead_fix(group: Sequence[Dead], instructions: Sequence[str], base_layers: int) -> Fix:
    first, total = group[0], sum(dead.bytes for dead in group)
    what, layer = _contents(group, total), first.killer
    subject = _layer(instructions, first.killer)
    in_base = first.layer < base_layers
    owner = "the base image" if in_base else _layer(instructions, first.layer)
    copied = not in_base and is_copied(instructions[first.layer])
    is_database = all(path.path.startswith(_DATABASES) for dead in group for path in dead.largest)
    if first.killer < base_layers:
        text = f"the base image holds {what} that no container can reach; choose a smaller base"
    elif first.fate in _DELETED:
        layer = first.layer
        text = f"{subject} deletes {what} of {owner}, which stay in it: "
        text += _delete_advice(in_base=in_base, copied=copied)
    elif first.fate is Fate.METADATA:
        text = f"{subject} duplicates {what} of {owner}"
        if is_database:
            text += f": {_INSTALLING}"
        elif is_copied(instructions[first.killer]):
            text += ": copy them once"
        else:
            advice = _metadata_advice(instructions[first.killer], in_base=in_base, copied=copied)
            text += f" to change their owner, mode or time: {advice}"
    else:
        text = f"{subject} replaces {what} of {owner}: "
        advice = _replace_advice(instructions[first.killer], in_base=in_base)
        text += _INSTALLING if is_database else advice
    return Fix(bytes=total, text=text, layer=layer)


def _delete_advice(*, in_base: bool, copied: bool) -> str:
    if in_base:
        return "use a base without them"
    if copied:
        return "exclude them in .dockerignore, or COPY --from a stage where they are deleted"
    return "delete them in the RUN that creates them, or build in a separate stage"


def _metadata_advice(killer: str, *, in_base: bool, copied: bool) -> str:
    if in_base:
        return "do not change the base image's files"
    if copied:
        is_owner = any(command in killer for command in ("chown", "chgrp"))
        return f"use COPY {'--chown' if is_owner else '--chmod'} there"
    return "change owner and mode in the RUN that creates them"


def _replace_advice(killer: str, *, in_base: bool) -> str:
    if any(command in killer for command in _UPGRADES):
        return "build on a newer base image instead of upgrading it"
    if in_base:
        return "both copies stay; use a base that has the right files"
    return "both copies stay; create the files only once, or in one RUN"


def _contents(group: Sequence[Dead], total: int) -> str:
    largest = {f"/{path.path}": path.bytes for dead in group for path in dead.largest if path.bytes}
    files = sum(dead.files for dead in group)
    if files == 1 or len(largest) == 1:
        return f"{_size(total)} ({next(iter(largest), 'an empty file')})"
    names = sorted(largest, key=lambda name: (-largest[name], name))[:2]
    more = ", ..." if files > len(names) else ""
    return f"{_size(total)} in {files:,} files ({', '.join(names)}{more})"


def _size(count_bytes: int) -> str:
    return format_mb(count_bytes, Convention.STORAGE)


def _layer(instructions: Sequence[str], layer: int) -> str:
    """Describe an instruction and its layer, counted from 1: "`RUN make` in layer 3"."""
    instruction = " ".join(instructions[layer].replace("`", "'").split())
    place = f"layer {layer + 1}"
    if not instruction:
        return place
    if len(instruction) > _INSTRUCTION_LENGTH:
        instruction = instruction[: _INSTRUCTION_LENGTH - 1].rstrip() + "…"
    return f"`{instruction}` in {place}"


def _listed(sizes: Mapping[str, int]) -> str:
    """List the largest and how many more: "mypy 2.4.1 61 MB, ruff 26 MB and 9 more"."""
    names = sorted(sizes, key=lambda name: (-sizes[name], name))
    if len(names) == 1:
        return names[0]
    return format_list([f"{name} {_size(sizes[name])}" for name in names], _NAMES)
