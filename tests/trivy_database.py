"""Databases for trivy, made by hand.

That of vulnerabilities is a bbolt file (go.etcd.io/bbolt) of few pages, that of Java archives an
SQLite file that says by their SHA-1 what they are.

bbolt keeps trees of sorted keys in pages. Here every bucket is one leaf, which may be several pages
long, and lies before the bucket that holds it.
"""

import json
import sqlite3
import struct
from collections.abc import Mapping
from pathlib import Path
from typing import Any

PAGE_BYTES = 4096
SCHEMA, JAVA_SCHEMA = 2, 1  # trivy's
MAVEN = "maven::GitHub Security Advisory Maven"
_LEAF, _META, _FREELIST = 0x02, 0x04, 0x10
_MAGIC, _VERSION = 0xED0CDAED, 2
_IS_BUCKET = 1
_FIRST_PAGE = 3  # after two metas and the freelist

Bucket = Mapping[str, "Bucket | bytes"]


def make_database(
    folder: Path,
    system: str,
    advisories: Mapping[str, Mapping[str, Any]],
    java: Mapping[str, Mapping[str, Any]] | None = None,
) -> None:
    """trivy's cache in `folder`: advisories of a system ("alpine 3.23") by CVE, and those of Java.

    Each says `package`, `fixed` ("" for none), `severity` (a word) and may say `title`.
    """
    packages: dict[str, dict[str, bytes]] = {}
    for identity, advisory in advisories.items():
        fixed = json.dumps(
            {"FixedVersion": advisory["fixed"]} if advisory["fixed"] else {}
        ).encode()
        packages.setdefault(advisory["package"], {})[identity] = fixed
    archives: dict[str, dict[str, bytes]] = {}
    for identity, entry in (java or {}).items():
        ranges = {
            "PatchedVersions": [entry["fixed"]],
            "VulnerableVersions": [f"< {entry['fixed']}"],
        }
        archives.setdefault(entry["package"], {})[identity] = json.dumps(ranges).encode()
    details = {
        identity: json.dumps(
            {"Title": entry.get("title", "a flaw"), "Severity": entry["severity"]}
        ).encode()
        for identity, entry in {**advisories, **(java or {})}.items()
    }
    place = folder / "db"
    place.mkdir(parents=True, exist_ok=True)
    buckets = {system: packages, MAVEN: archives, "vulnerability": details}
    (place / "trivy.db").write_bytes(write_bbolt(buckets))
    (place / "metadata.json").write_text(_metadata(SCHEMA, "2026-11-24T06:20:00Z"))


def make_java_database(folder: Path, archives: Mapping[str, tuple[str, str, str]]) -> None:
    """What archives are: (group, artifact, version) by SHA-1, in trivy's cache in `folder`."""
    place = folder / "java-db"
    place.mkdir(parents=True, exist_ok=True)
    database = sqlite3.connect(place / "trivy-java.db")
    database.executescript(
        "CREATE TABLE artifacts(id INTEGER PRIMARY KEY, group_id TEXT, artifact_id TEXT);"
        "CREATE TABLE indices"
        "(artifact_id INTEGER, version TEXT, sha1 BLOB, archive_type TEXT, license TEXT);"
    )
    for number, (sha1, (group, artifact, version)) in enumerate(archives.items()):
        database.execute("INSERT INTO artifacts VALUES(?, ?, ?)", (number, group, artifact))
        row = (number, version, bytes.fromhex(sha1), "jar", "")
        database.execute("INSERT INTO indices VALUES(?, ?, ?, ?, ?)", row)
    database.commit()
    database.close()
    (place / "metadata.json").write_text(_metadata(JAVA_SCHEMA, "2026-11-20T01:10:00Z"))


def _metadata(schema: int, created: str) -> str:
    dates = {
        "UpdatedAt": created,
        "NextUpdate": "2999-01-01T00:00:00Z",  # until then none is fetched
        "DownloadedAt": "2026-11-24T08:00:00Z",
    }
    return json.dumps({"Version": schema, **dates})


def write_bbolt(root: Bucket) -> bytes:
    """The whole file."""
    pages: list[bytes] = []
    top = _put(root, pages)
    end = _FIRST_PAGE + len(pages)
    head = [_meta(number, top, end) for number in (0, 1)]
    return b"".join([*head, _page(2, _FREELIST, 0, b""), *pages])


def _put(bucket: Bucket, pages: list[bytes]) -> int:
    """Append a bucket and what it holds; the number of its page."""
    elements = []
    for key, value in sorted(bucket.items()):
        if isinstance(value, bytes):
            elements.append((0, key.encode(), value))
        else:
            number = _put(value, pages)
            elements.append((_IS_BUCKET, key.encode(), struct.pack("<QQ", number, 0)))
    number = _FIRST_PAGE + len(pages)
    page = _page(number, _LEAF, len(elements), _leaf(elements))
    pages += [page[at : at + PAGE_BYTES] for at in range(0, len(page), PAGE_BYTES)]
    return number


def _leaf(elements: list[tuple[int, bytes, bytes]]) -> bytes:
    size = struct.calcsize("<IIII")
    heads, content = b"", b""
    for place, (flags, key, value) in enumerate(elements):
        offset = size * (len(elements) - place) + len(content)  # from its own head
        heads += struct.pack("<IIII", flags, offset, len(key), len(value))
        content += key + value
    return heads + content


def _meta(number: int, root: int, end: int) -> bytes:
    fields = struct.pack("<IIIIQQQQQ", _MAGIC, _VERSION, PAGE_BYTES, 0, root, 0, 2, end, number)
    return _page(number, _META, 0, fields + struct.pack("<Q", _fnv1a(fields)))


def _page(number: int, flags: int, count: int, content: bytes) -> bytes:
    size = struct.calcsize("<QHHI") + len(content)
    more = (size - 1) // PAGE_BYTES
    head = struct.pack("<QHHI", number, flags, count, more)
    return (head + content).ljust((more + 1) * PAGE_BYTES, b"\0")


def _fnv1a(content: bytes) -> int:
    value = 0xCBF29CE484222325
    for byte in content:
        value = ((value ^ byte) * 0x100000001B3) % 2**64
    return value
