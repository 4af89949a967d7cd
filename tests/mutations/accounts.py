"""Accounts, scans, duplicates and remarks that cannot be true."""

from collections.abc import Iterator

from mutations.changes import FINDING, Change, account, dockerfiles, duplicate, item, longer, scan

REMARK = {"rule": "non-root", "level": "warning", "text": "no USER", "path": "a", "line": 1}
DOCKERFILE = {"path": "a", "services": [], "remarks": [REMARK], "hadolint": "2.15.1"}
LEFT_OUT = {
    "kind": "vulnerability",
    "severity": "HIGH",
    "fixed": True,
    "package": "musl 1.2.5",
    "count": 3,
}
_PARTS: dict[str, Change] = {
    "live bytes that are too few": account(live_bytes=1),
    "dead bytes that are too many": account(deleted_bytes=1),
    "parts that are too few": account(parts=[]),
    "a part of other bytes": item("parts", bytes=9),
    "a part of a layer that is not there": item("parts", layers=[4]),
    "a part of one layer twice": item("parts", layers=[0, 0]),
    "a part of a long name": item("parts", name="x" * 20_001),
    "too many parts": longer("parts", 20_000, bytes=0),
    "too many losses": longer("dead", 20_001, bytes=0, largest=[]),
    "too many fixes": longer("fixes", 501),
}
_LOSSES: dict[str, Change] = {
    "a loss that is none": item("dead", fate="live"),
    "a loss of another fate": item("dead", fate="overwritten"),
    "a loss of a layer that is not there": item("dead", layer=4, killer=4),
    "a loss to a layer that is not there": item("dead", killer=4),
    "a loss to a layer below": item("dead", layer=3),
    "a loss of no files with a path": item("dead", files=0),
    "a loss that is less than its path": item("dead", bytes=1),
    "a loss of six paths": item("dead", largest=[{"path": f"/{i}", "bytes": 1} for i in range(6)]),
    "a loss of a long path": item("dead", largest=[{"path": "/" * 20_001, "bytes": 1}]),
}
_FIXES: dict[str, Change] = {
    "a fix of more than there is": item("fixes", bytes=2**40),
    "a fix of a layer that is not there": item("fixes", layer=4),
    "a fix without end": item("fixes", text="x" * 20_001),
    "more to eliminate than there is": account(eliminable_bytes=2**40),
    "a remark without end": account(remark="x" * 20_001),
}
_SCANS: dict[str, Change] = {
    "too many findings": scan(findings=[FINDING] * 20_001),
    "too many scanners": scan(scanners=["vuln"] * 6),
    "too many packages": scan(packages=["musl 1"] * 20_001),
    "a package without end": scan(packages=["x" * 20_001]),
    "findings left out that are none": scan(left_out=[{**LEFT_OUT, "count": 0}]),
    "too many that were left out": scan(left_out=[LEFT_OUT] * 20_001),
    "one left out without end": scan(left_out=[{**LEFT_OUT, "package": "x" * 20_001}]),
    "a finding without end": scan(findings=[{**FINDING, "title": "x" * 20_001}]),
}
_DUPLICATES: dict[str, Change] = {
    "a duplicate of one copy": duplicate(copies=1, wasted_bytes=0),
    "a duplicate that wastes more": duplicate(wasted_bytes=9),
    "a duplicate in six places": duplicate(places=["a: /b"] * 6),
    "a duplicate in a long place": duplicate(places=["x" * 20_001]),
    "a remark about duplicates without end": lambda one: one.update(duplicates_remark="x" * 20_001),
    "a part's large files": lambda one: one.update(large={"at_least_bytes": 1, "layers": []}),
    "too many duplicates": lambda one: one.update(duplicates=one["duplicates"] * 1_001),
}
_DOCKERFILES: dict[str, Change] = {
    "a Dockerfile twice": dockerfiles(DOCKERFILE, DOCKERFILE),
    "too many Dockerfiles": dockerfiles(*[DOCKERFILE] * 2_001),
    "a remark about no line": dockerfiles({**DOCKERFILE, "remarks": [{**REMARK, "line": 0}]}),
    "a remark elsewhere": dockerfiles({**DOCKERFILE, "path": "b"}),
    "a long remark": dockerfiles({**DOCKERFILE, "remarks": [{**REMARK, "text": "x" * 5_001}]}),
    "too many remarks": dockerfiles({**DOCKERFILE, "remarks": [REMARK] * 10_001}),
}


def accounts() -> Iterator[tuple[str, str, Change]]:
    """All of them, of images.json."""
    for changes in (_PARTS, _LOSSES, _FIXES, _SCANS, _DUPLICATES, _DOCKERFILES):
        for what, change in changes.items():
            yield what, "images.json", change
