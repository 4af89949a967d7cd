"""Whether what a stranger says of an image's bytes and findings can be true at all.

Sums fit the image's own layers, places are places in it, lists and texts have an end. As in
plausible.py, what passes is not thereby true.
"""

from collections.abc import Iterable, Iterator
from itertools import chain

from onegig.model.accounting import Accounting, Dead, Duplicate, Fate, Fix, Part
from onegig.model.images import Image
from onegig.model.measured import Missing
from onegig.model.scan import Finding, Scan

MOST_ITEMS = 20_000  # parts or findings of one image
MOST_FIXES = 500
MOST_DUPLICATES = 1_000
MOST_SHOWN = 5  # largest paths of a loss, places of a duplicate
MOST_TEXT = 20_000  # the longest path, each of its bytes escaped


def doubt_image(image: Image) -> Iterator[str]:
    """What can't be so of one image's account and scan."""
    if isinstance(image.accounting, Accounting):
        yield from _doubt_account(image, image.accounting)
    if isinstance(image.scan, Scan):
        yield from _doubt_scan(image.scan)


def doubt_duplicates(found: tuple[Duplicate, ...], remark: str) -> Iterator[str]:
    """What can't be so of contents that are there several times."""
    if len(found) > MOST_DUPLICATES:
        yield f"has more than {MOST_DUPLICATES:,} duplicates"
    for one in found:
        if one.copies < 2 or one.wasted_bytes != one.bytes * (one.copies - 1):
            yield "has a duplicate that does not waste all of its copies but one"
        if len(one.places) > min(MOST_SHOWN, one.copies):
            yield "has a duplicate in more places than it has copies, or than are listed"
        yield from _texts(one.places)
    yield from _texts((remark,))


def _doubt_account(image: Image, account: Accounting) -> Iterator[str]:
    """live + dead by fate = the sum of its layers' bytes, exactly."""
    if account.live_bytes + account.dead_bytes != image.size_bytes:
        yield "has an image whose live and dead bytes are not its size"
    if account.live_bytes != sum(part.bytes for part in account.parts):
        yield "has an image whose parts are not its live bytes"
    if account.eliminable_bytes > image.size_bytes:
        yield "has an image of which more than all can be eliminated"
    if account.parity.efficiency > 1:
        yield "has an efficiency above 100 %"
    if max(len(account.parts), len(account.dead)) > MOST_ITEMS or len(account.fixes) > MOST_FIXES:
        yield "has an image with an account that is too long"
    layers = len(image.layers)
    yield from _doubt_dead(account, layers)
    for part in account.parts:
        yield from _doubt_part(part, layers)
    for fix in account.fixes:
        yield from _doubt_fix(fix, image)
    yield from _texts((account.remark,))


def _doubt_dead(account: Accounting, layers: int) -> Iterator[str]:
    """Each loss is one of the sums; not every loss need be listed."""
    sums = {
        Fate.LIVE: 0,
        Fate.OVERWRITTEN: account.overwritten_bytes,
        Fate.DELETED: account.deleted_bytes,
        Fate.DELETED_WITH_DIRECTORY: account.deleted_with_directory_bytes,
        Fate.METADATA: account.metadata_bytes,
    }
    for fate, total in sums.items():
        if sum(one.bytes for one in account.dead if one.fate is fate) > total:
            yield f"has an image with more bytes {fate.value} than it says"
    if account.base_layers is not None and account.base_layers > layers:
        yield "has an image with more layers of its base than layers"
    of_base = sum(one.bytes for one in account.dead if account.is_of_base(one))
    if not of_base <= account.base_dead_bytes <= account.dead_bytes:
        yield "has an image whose base has other dead bytes than it says"
    if account.base_layers is None and account.base_dead_bytes:
        yield "has an image with dead bytes of a base that is not known"
    for one in account.dead:
        if not one.layer <= one.killer < layers:
            yield "has dead bytes of a layer that is not there, or not below the one that killed it"
        yield from _doubt_largest(one)


def _doubt_largest(dead: Dead) -> Iterator[str]:
    if len(dead.largest) > min(MOST_SHOWN, dead.files):
        yield "has dead bytes with more paths than files, or than are listed"
    if sum(one.bytes for one in dead.largest) > dead.bytes:
        yield "has dead bytes that are fewer than those of its paths"
    yield from _texts(one.path for one in dead.largest)


def _doubt_part(part: Part, layers: int) -> Iterator[str]:
    if len(set(part.layers)) != len(part.layers) or any(at >= layers for at in part.layers):
        yield "has a part of an image in a layer that is not there, or in one twice"
    yield from _texts((part.name, part.kind))


def _doubt_fix(fix: Fix, image: Image) -> Iterator[str]:
    if fix.bytes > image.size_bytes:
        yield "has a fix that saves more than its image has"
    if fix.layer is not None and fix.layer >= len(image.layers):
        yield "has a fix of a layer that is not there"
    yield from _texts((fix.text, fix.place))


def _doubt_scan(scan: Scan) -> Iterator[str]:
    packages = () if isinstance(scan.packages, Missing) else scan.packages
    if max(len(scan.findings), len(scan.left_out), len(packages)) > MOST_ITEMS:
        yield "has an image with more findings or packages than there can be"
    if len(scan.scanners) > MOST_SHOWN:
        yield "has an image with more scanners than there are"
    yield from _texts((scan.trivy_version, *scan.scanners))
    yield from _texts(chain.from_iterable(map(_words, scan.findings)))
    yield from _texts(packages)
    if any(one.count < 1 for one in scan.left_out):
        yield "has an image of which no findings were left out"
    yield from _texts(one.package for one in scan.left_out)


def _words(found: Finding) -> tuple[str, ...]:
    return (found.id, found.target, found.installed, found.fixed, found.title, found.system)


def _texts(texts: Iterable[str]) -> Iterator[str]:
    if any(len(text) > MOST_TEXT for text in texts):
        yield f"has a text of more than {MOST_TEXT:,} characters"
