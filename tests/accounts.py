"""Accounts, scans and duplicates of the factories' images: every byte of a layer is in one place.

The shares are round, so that a test can say by hand what must be printed.
"""

from collections.abc import Iterable, Sequence
from dataclasses import replace

from onegig.model.images import (
    Accounting,
    Cause,
    Dead,
    Duplicate,
    Fate,
    Fix,
    Image,
    ImagesReport,
    Layer,
    Part,
    SizedPath,
)
from onegig.model.scan import Finding, FindingKind, Scan, Severity

KB = 1000
BYTECODE = 1_500 * KB
OVERWRITTEN, GONE = 90 * KB, 210 * KB
INSTALLED = SizedPath(path="/lib/apk/db/installed", bytes=OVERWRITTEN)
BUNDLED = SizedPath(path="/usr/local/lib/python3.13/ensurepip/pip.whl", bytes=180 * KB)


def part(cause: Cause, name: str, kind: str, size: int, layer: int) -> Part:
    files = max(1, size // (40 * KB))
    return Part(cause=cause, name=name, kind=kind, bytes=size, files=files, layers=(layer,))


def make_accounting(layers: Sequence[Layer]) -> Accounting:
    """Of an image of the reference stack: base, runtime, packages and the application."""
    base, runtime, packages, own = (layer.size_bytes for layer in layers)
    base, runtime = base - OVERWRITTEN, runtime - GONE
    named = (
        part(Cause.BASE, "libcrypto3 3.5.4-r0", "apk", 4_560 * KB, 0),
        part(Cause.BASE, "busybox 1.37.0-r12", "apk", 1_010 * KB, 0),
        part(Cause.BASE, "", "path", base - 5_570 * KB, 0),
        part(Cause.RUNTIME, "python 3.13.9", "path", runtime - BYTECODE, 1),
        part(Cause.DEPENDENCY, "redis 5.2.1", "pip", packages * 2 // 3, 2),
        part(Cause.DEPENDENCY, "hiredis 3.1.0", "pip", packages - packages * 2 // 3, 2),
        part(Cause.CACHE, "bytecode", "path", BYTECODE, 1),
        part(Cause.APPLICATION, "", "path", own, 3),
    )
    return Accounting(
        live_bytes=sum(entry.bytes for entry in named),
        overwritten_bytes=OVERWRITTEN,
        deleted_bytes=0,
        deleted_with_directory_bytes=GONE,
        metadata_bytes=0,
        dead=(
            _dead(1, 2, Fate.DELETED_WITH_DIRECTORY, GONE, 14, BUNDLED),
            _dead(0, 1, Fate.OVERWRITTEN, OVERWRITTEN, 1, INSTALLED),
        ),
        parts=named,
        fixes=(
            Fix(
                bytes=BYTECODE,
                text=f"`{layers[1].instruction}` in layer 2 brings 1.5 MB of pip with its "
                "bytecode: leave pip out",
                layer=1,
            ),
            Fix(
                bytes=GONE,
                text=f"`{layers[2].instruction}` in layer 3 removes 0.21 MB that layer 2 added: "
                "remove them where they are added",
                layer=2,
            ),
        ),
        eliminable_bytes=BYTECODE + GONE + OVERWRITTEN,
        remark="dive does not see 0.21 MB that went with their directory",
        base_layers=2,
        base_dead_bytes=OVERWRITTEN,
    )


def with_top_layer(account: Accounting, at: int, size: int, instruction: str) -> Accounting:
    """One more layer: a package, its headers, and what installing it left in a cache."""
    headers, cache = size // 5, size // 4
    name = instruction.rpartition(" ")[2].replace("==", " ")
    quoted = instruction.replace("`", "'")
    parts = (
        part(Cause.DEPENDENCY, name, "pip", size - headers - cache, at),
        part(Cause.DEVELOPMENT, f"headers of {name}", "path", headers, at),
        part(Cause.CACHE, "/root/.cache/pip", "path", cache, at),
    )
    fixes = (
        Fix(
            bytes=cache,
            text=f"`{quoted}` in layer {at + 1} left {cache / 1e6:.0f} MB in "
            "/root/.cache/pip: add --no-cache-dir",
            layer=at,
            place="services/Dockerfile:31",
        ),
        Fix(
            bytes=headers,
            text=f"`{quoted}` in layer {at + 1} brings {headers / 1e6:.0f} MB of headers and "
            "static libraries: remove them in the same instruction",
            layer=at,
            place="services/Dockerfile:31",
        ),
    )
    return replace(
        account,
        live_bytes=account.live_bytes + size,
        parts=(*account.parts, *parts),
        fixes=(*fixes, *account.fixes),
        eliminable_bytes=account.eliminable_bytes + headers + cache,
    )


def make_scan(*findings: Finding) -> Scan:
    """trivy's findings with a database of the day."""
    return Scan(
        trivy_version="0.69.1",
        findings=findings,
        scanners=("vuln", "secret", "misconfig"),
        database="2026-11-23T06:12:44Z",
    )


def make_finding(identity: str, severity: Severity, target: str, **changes: object) -> Finding:
    finding = Finding(
        kind=FindingKind.VULNERABILITY,
        id=identity,
        severity=severity,
        target=target,
        installed="1.0.0",
        fixed="1.0.1",
        title=f"{target}: something that should not be",
    )
    return replace(finding, **changes)  # type: ignore[arg-type]  # any field of the dataclass


def make_duplicates(images: Sequence[Image]) -> tuple[Duplicate, ...]:
    """Two images hold the same file."""
    if len(images) < 2:
        return ()
    places = tuple(f"{image.reference}: /app/schema.json" for image in images[:5])
    size, copies = 60 * KB, len(images)
    return (Duplicate(bytes=size, copies=copies, wasted_bytes=size * (copies - 1), places=places),)


def with_accounts(report: ImagesReport, scan: Scan | None = None) -> ImagesReport:
    """The factories' report with everything known of its images."""
    images = tuple(
        replace(image, accounting=make_accounting(image.layers), scan=scan or make_scan())
        for image in report.images
    )
    return replace(report, images=images, duplicates=make_duplicates(images))


def with_scans(report: ImagesReport, references: Iterable[str], scan: Scan) -> ImagesReport:
    """The same with another scan of some images."""
    chosen = {*references}
    images = (
        replace(image, scan=scan) if image.reference in chosen else image for image in report.images
    )
    return replace(report, images=tuple(images))


def _dead(layer: int, killer: int, fate: Fate, size: int, files: int, largest: SizedPath) -> Dead:
    return Dead(layer=layer, killer=killer, fate=fate, bytes=size, files=files, largest=(largest,))
