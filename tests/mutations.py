"""An honest artifact spoiled in one way at a time: in the zip, its names, its JSON, its numbers."""

import copy
import io
import json
import random
import stat
import struct
import tarfile
import zipfile
from collections.abc import Callable, Iterator
from functools import cache
from typing import Any

from gate_runs import REGULAR, make_honest_images, make_honest_memory, zip_files
from onegig.model.codec import to_json
from onegig.model.run import RunReport

FILES = ("run.json", "images.json", "memory.json")
REMARK = {"rule": "non-root", "level": "warning", "text": "no USER", "path": "a", "line": 1}
DOCKERFILE = {"path": "a", "services": [], "remarks": [REMARK], "hadolint": "2.15.1"}
FINDING = {
    "kind": "vulnerability",
    "id": "CVE-2026-1234",
    "severity": "HIGH",
    "target": "musl",
    "installed": "",
    "fixed": "",
    "title": "",
}
PARITY = {"efficiency": 1, "wasted_bytes": 0, "user_wasted_share": 0}
Document = dict[str, Any]
Change = Callable[[Document], None]


@cache
def mutations(claim: RunReport) -> dict[str, bytes]:
    """All of them by name; each must be refused."""
    files = {
        "run.json": to_json(claim),
        "images.json": to_json(make_honest_images()),
        "memory.json": to_json(make_honest_memory()),
    }
    spoiled = dict(_zips(files))
    spoiled |= _names(files)
    for name in FILES:
        spoiled |= {f"{name}: {what}": data for what, data in _texts(files, name)}
    for what, name, change in (*_shapes(), *_numbers(), *_accounts()):
        spoiled[f"{name}: {what}"] = zip_files({**files, name: _changed(files[name], change)})
    return spoiled


def _zips(files: dict[str, str]) -> Iterator[tuple[str, bytes]]:
    whole = zip_files(files)
    yield "no bytes", b""
    yield "text", b"GO: 1 of 1,024 MB\n"
    yield "JSON instead of a zip", files["run.json"].encode()
    yield "an end record alone", whole[-22:]
    yield "an empty zip", zip_files({})
    yield "a tar file", _tar(files)
    for share in (0.01, 0.25, 0.5, 0.75, 0.99):
        yield f"cut at {share:.0%}", whole[: int(len(whole) * share)]
    yield "its last byte missing", whole[:-1]
    yield "something before it", b"#!/bin/sh\n" + whole
    yield "something behind it", whole + b"\n"
    yield "a comment", whole[:-2] + b"\x05\x00hello"
    yield "two zips in a row", whole + whole
    yield "a 64-bit locator", whole[:-22] + b"PK\x06\x07" + bytes(16) + whole[-22:]
    yield "a directory that is elsewhere", _patched(whole, 16, "<I", lambda n: n - 1)
    yield "a directory that is longer", _patched(whole, 12, "<I", lambda n: n + 1)
    yield "a directory of gigabytes", _patched(whole, 12, "<I", lambda _: 2**32 - 1)
    yield "a count of 65,535", _patched(whole, 10, "<H", lambda _: 65_535)
    yield "a thousand files", zip_files({f"{i}.json": "{}" for i in range(1000)})
    start = _directory(whole)
    yield "an encrypted file", _at(whole, start + 8, b"\x01")
    yield "a strongly encrypted file", _at(whole, start + 8, b"\x41")
    for method in (1, 6, 9, 12, 14, 93, 98, 99):
        yield f"compression method {method}", _at(whole, start + 10, bytes([method]))
    yield "bzip2 inside", _compressed(files, zipfile.ZIP_BZIP2)
    yield "LZMA inside", _compressed(files, zipfile.ZIP_LZMA)
    yield "a wrong checksum", _at(whole, start + 16, bytes(4))
    yield "a file said to be shorter", _at(whole, start + 24, struct.pack("<I", 10))
    yield "a file said to be longer", _at(whole, start + 24, struct.pack("<I", 10_000))
    yield "a file said to be gigabytes", _at(whole, start + 24, struct.pack("<I", 2**31))
    yield "a file of the wrong start", _at(whole, start + 42, struct.pack("<I", 5))
    yield "a file that starts behind the end", _at(whole, start + 42, struct.pack("<I", 2**30))
    yield "a local name that differs", _at(whole, 30, b"RUN")
    yield "noise in the compressed bytes", _at(whole, 60, bytes(range(64)))
    yield "a bomb", zip_files({**files, "memory.json": bytes(12 * 1024**2)})
    yield "a larger bomb", zip_files({**files, "memory.json": bytes(64 * 1024**2)})
    yield (
        "a bomb of blanks around JSON",
        zip_files({**files, "images.json": " " * 6_000_000 + files["images.json"]}),
    )
    noise = random.Random(1)
    yield "a zip of 9 MB", zip_files({**files, "memory.json": noise.randbytes(9 * 1024**2)})


def _names(files: dict[str, str]) -> dict[str, bytes]:
    wrong = (
        *("../run.json", "/run.json", "numbers/run.json", "./run.json", "run.json/", "RUN.JSON"),
        *(
            "numbers\\run.json",
            "C:\\run.json",
            "..\\..\\run.json",
            "run.json\u200b",
            "r\u0443n.json",
        ),
        *("\x1b[31mrun.json", "::error::run.json", "evil.sh", ".git/config", "a" * 5000, ""),
    )
    others = {name: text for name, text in files.items() if name != "memory.json"}
    spoiled = {f"the name {name[:20]!r}": zip_files({**others, name: "{}"}) for name in wrong}
    spoiled["a fourth file"] = zip_files({**files, "evil.sh": "#!/bin/sh"})
    spoiled["a NUL in a name"] = zip_files({**others, "memoryXjson": "{}"}).replace(
        b"memoryXjson", b"run.json\0.x"
    )
    spoiled["run.json twice"] = _twice({"images.json": "{}"}, files["run.json"])
    spoiled["no run.json"] = zip_files(
        {name: text for name, text in files.items() if name != "run.json"}
    )
    kinds = {"symlink": stat.S_IFLNK, "folder": stat.S_IFDIR, "device": stat.S_IFCHR}
    for what, kind in {**kinds, "pipe": stat.S_IFIFO, "socket": stat.S_IFSOCK}.items():
        whole = zip_files(files)
        mode = struct.pack("<I", (kind | 0o777) << 16)
        spoiled[f"a {what}"] = _at(whole, _directory(whole) + 38, mode)
    return spoiled


def _texts(files: dict[str, str], name: str) -> Iterator[tuple[str, bytes]]:
    text = files[name]
    inner = text.strip().removeprefix("{")
    schema = f'"schema": "onegig/{name.removesuffix(".json")}/1"'
    spoiled: dict[str, str | bytes] = {
        "empty": "",
        "no UTF-8": text.encode().replace(b"0.1.0", b"\xff\xfe"),
        "UTF-16": text.encode("utf-16"),
        "a byte order mark": "\ufeff" + text,
        "cut": text[: len(text) // 2],
        "an array": f"[{text}]",
        "null": "null",
        "a number": "1",
        "a string": json.dumps(text[:100]),
        "two documents": text + text,
        "a trailing comma": text.rstrip().removesuffix("}") + ",}",
        "a comment in it": "{ // hello\n" + inner,
        "a duplicate key": f"{{{schema}, {inner}",
        "a duplicate key deeper": text.replace(
            '"onegig_version"', '"onegig_version": "9", "onegig_version"', 1
        ),
        "an unknown key": f'{{"extra": 1, {inner}',
        "deep": "[" * 100_000 + "]" * 100_000,
        "deep under a key": '{"extra": ' + '{"a":' * 50_000 + "1" + "}" * 50_000 + f", {inner}",
        "a million values": '{"extra": [' + "0," * 1_000_000 + f"0], {inner}",
        "a lot of objects": '{"extra": [' + "{}," * 100_001 + f"{{}}], {inner}",
        "a lone surrogate": text.replace("0.1.0", "\\ud800", 1),
        "a long string": text.replace("0.1.0", "v" * 100_000, 1),
    }
    for value in ("NaN", "Infinity", "-Infinity", "1e999", "-1", "9" * 5000, "1" + "0" * 20):
        spoiled[f"the number {value[:12]}"] = f'{{"extra": {value}, {inner}'
    for what, content in spoiled.items():
        yield what, zip_files({**files, name: content})


def _shapes() -> Iterator[tuple[str, str, Change]]:
    """Well-formed JSON that is not the model's."""
    for name in FILES:
        yield "no schema", name, lambda one: one.pop("schema")
        yield "another version", name, lambda one: one.update(schema=one["schema"][:-1] + "2")
        yield "another document's schema", name, lambda one: one.update(schema="onegig/report/1")
        yield "a schema that is a number", name, lambda one: one.update(schema=1)
    for key in ("event", "head_sha", "measured_sha", "onegig_version", "reproduce"):
        yield f"no {key}", "run.json", lambda one, key=key: one.pop(key)
        yield f"{key} of null", "run.json", lambda one, key=key: one.update({key: None})
        yield f"{key} as a list", "run.json", lambda one, key=key: one.update({key: ["x"]})
    yield "failure of text", "run.json", lambda one: one.update(failure="it broke")
    for key in ("cap_bytes", "charged_bytes", "total_rss_bytes", "oom_kills"):
        for what, value in (("text", "1"), ("a fraction", 1.5), ("true", True), ("null", None)):
            yield f"{key} of {what}", "memory.json", _box(**{key: value})
    yield "a peak of text", "memory.json", _box(peak_bytes="1")
    yield "a peak of another kind", "memory.json", _box(peak_bytes={"kind": "zero", "reason": ""})
    yield "an unknown key in the box", "memory.json", _box(extra=1)
    yield "no box", "memory.json", lambda one: one.pop("box")
    yield "services of an object", "memory.json", lambda one: one.update(services={})
    yield "a state nobody knows", "memory.json", _service(state="fine")
    yield "a service of text", "memory.json", lambda one: one["services"].insert(0, "redis")
    yield "optional of 1", "memory.json", _service(optional=1)
    yield "a size of text", "images.json", _image(size_bytes="1")
    yield "dive of null", "images.json", _image(dive=None)
    yield "layers of null", "images.json", _image(layers=None)
    yield "an unknown key of an image", "images.json", _image(extra={})
    yield "an account of null", "images.json", _image(accounting=None)
    yield (
        "a missing account without a reason",
        "images.json",
        _image(accounting={"kind": "skipped"}),
    )
    yield "a cause nobody knows", "images.json", _item("parts", cause="magic")
    yield "a fate nobody knows", "images.json", _item("dead", fate="asleep")
    yield "a fix of text", "images.json", _account(fixes=["buy a disk"])
    yield "a layer of text", "images.json", _item("fixes", layer="1")
    yield "a severity nobody knows", "images.json", _scan(findings=[{**FINDING, "severity": "BAD"}])
    yield "a database of a number", "images.json", _scan(database=20261123)
    yield "duplicates of an object", "images.json", lambda one: one.update(duplicates={})


def _numbers() -> Iterator[tuple[str, str, Change]]:
    """The model's JSON that cannot be true."""
    for key in ("head_sha", "measured_sha", "base_sha"):
        for what, sha in (("a branch", "main"), ("39 digits", "a" * 39), ("capitals", "A" * 40)):
            yield f"{key} of {what}", "run.json", lambda one, k=key, v=sha: one.update({k: v})
        yield f"{key} with a line", "run.json", lambda one, k=key: one.update({k: "a" * 40 + "\n"})
    yield "no head", "run.json", lambda one: one.update(head_sha="")
    yield "an event of prose", "run.json", lambda one: one.update(event="pull request!")
    yield "a petabyte", "memory.json", _box(cap_bytes=2**50 + 1)
    yield "less RSS in the box", "memory.json", _box(total_rss_bytes=1)
    yield "less PSS in the box", "memory.json", _box(total_pss_bytes=1)
    yield "fewer kills in the box", "memory.json", _service(oom_kills=5)
    yield "RSS above its range", "memory.json", _service(rss_max_bytes=0)
    yield "RSS below its range", "memory.json", _service(rss_min_bytes=2**40)
    yield "a service twice", "memory.json", _service(name="market-data")
    yield "a service without a name", "memory.json", _service(name="")
    yield "a name without end", "memory.json", _service(name="x" * 300)
    yield "a metric nobody knows", "memory.json", lambda one: one["window"].update(metric="vibes")
    yield "a sample too short", "memory.json", lambda one: _sample(one).pop()
    yield "a sample too long", "memory.json", lambda one: _sample(one).append(1)
    yield (
        "a sample below its parts",
        "memory.json",
        lambda one: one["samples"][0].update(total_bytes=1),
    )
    yield (
        "too many services",
        "memory.json",
        lambda one: one.update(
            services=[{**one["services"][0], "name": f"s{i}"} for i in range(2001)], samples=[]
        ),
    )
    yield (
        "too many samples",
        "memory.json",
        lambda one: one.update(
            samples=[{**one["samples"][0], "service_rss_bytes": []}] * 50_001, services=[]
        ),
    )
    yield "a window too short", "memory.json", _window(services=[])
    yield "a window upside down", "memory.json", _window(low_bytes=2, high_bytes=1)
    yield "the engine twice", "memory.json", lambda one: one["engine"].append(one["engine"][0])
    yield "too many gaps", "memory.json", lambda one: one.update(incomplete=["gap"] * 101)
    yield "a smaller sum", "images.json", lambda one: one.update(total_bytes=1)
    yield "a smaller disk", "images.json", lambda one: one.update(disk_bytes=1)
    yield "a size that is no sum", "images.json", _image(size_bytes=1)
    yield "a compressed size that is no sum", "images.json", _image(compressed_bytes=1)
    yield "own bytes that are not its own", "images.json", _image(own_bytes=0)
    yield "shared bytes that are not shared", "images.json", _image(shared_bytes=0)
    yield "an image twice", "images.json", lambda one: one["images"].append(one["images"][0])
    yield "two images of a service", "images.json", _image(services=["market-data"])
    yield (
        "efficiency of 101 %",
        "images.json",
        lambda one: one["images"][0]["dive"].update(efficiency=1.01),
    )
    yield (
        "too many layers",
        "images.json",
        lambda one: one["images"][0].update(layers=one["images"][0]["layers"] * 40),
    )
    yield (
        "too many images",
        "images.json",
        lambda one: one.update(
            images=[{**one["images"][0], "reference": f"i{i}", "services": []} for i in range(2001)]
        ),
    )


def _accounts() -> Iterator[tuple[str, str, Change]]:
    """Accounts, scans and duplicates that cannot be true."""
    changes = {
        "live bytes that are too few": _account(live_bytes=1),
        "dead bytes that are too many": _account(deleted_bytes=1),
        "parts that are too few": _account(parts=[]),
        "a part of other bytes": _item("parts", bytes=9),
        "a part of a layer that is not there": _item("parts", layers=[4]),
        "a part of one layer twice": _item("parts", layers=[0, 0]),
        "a part of a long name": _item("parts", name="x" * 20_001),
        "too many parts": _longer("parts", 20_000, bytes=0),
        "too many losses": _longer("dead", 20_001, bytes=0, largest=[]),
        "too many fixes": _longer("fixes", 501),
        "a loss that is none": _item("dead", fate="live"),
        "a loss of another fate": _item("dead", fate="overwritten"),
        "a loss of a layer that is not there": _item("dead", layer=4, killer=4),
        "a loss to a layer that is not there": _item("dead", killer=4),
        "a loss to a layer below": _item("dead", layer=3),
        "a loss of no files with a path": _item("dead", files=0),
        "a loss that is less than its path": _item("dead", bytes=1),
        "a loss of six paths": _item(
            "dead", largest=[{"path": f"/{i}", "bytes": 1} for i in range(6)]
        ),
        "a loss of a long path": _item("dead", largest=[{"path": "/" * 20_001, "bytes": 1}]),
        "a fix of more than there is": _item("fixes", bytes=2**40),
        "a fix of a layer that is not there": _item("fixes", layer=4),
        "a fix without end": _item("fixes", text="x" * 20_001),
        "more to eliminate than there is": _account(eliminable_bytes=2**40),
        "a parity of 101 %": _account(parity={**PARITY, "efficiency": 1.01}),
        "a remark without end": _account(remark="x" * 20_001),
        "too many findings": _scan(findings=[FINDING] * 20_001),
        "too many scanners": _scan(scanners=["vuln"] * 6),
        "too many packages": _scan(packages=[{"name": "musl", "version": "1"}] * 20_001),
        "a package without end": _scan(packages=[{"name": "x" * 20_001, "version": "1"}]),
        "a finding without end": _scan(findings=[{**FINDING, "title": "x" * 20_001}]),
        "a duplicate of one copy": _duplicate(copies=1, wasted_bytes=0),
        "a duplicate that wastes more": _duplicate(wasted_bytes=9),
        "a duplicate in six places": _duplicate(places=["a: /b"] * 6),
        "a duplicate in a long place": _duplicate(places=["x" * 20_001]),
        "too many duplicates": lambda one: one.update(duplicates=one["duplicates"] * 1_001),
        "a Dockerfile twice": _dockerfiles(DOCKERFILE, DOCKERFILE),
        "too many Dockerfiles": _dockerfiles(*[DOCKERFILE] * 2_001),
        "a remark about no line": _dockerfiles({**DOCKERFILE, "remarks": [{**REMARK, "line": 0}]}),
        "a remark elsewhere": _dockerfiles({**DOCKERFILE, "path": "b"}),
        "a long remark": _dockerfiles({**DOCKERFILE, "remarks": [{**REMARK, "text": "x" * 5_001}]}),
        "too many remarks": _dockerfiles({**DOCKERFILE, "remarks": [REMARK] * 10_001}),
    }
    for what, change in changes.items():
        yield what, "images.json", change


def _box(**values: Any) -> Change:
    return lambda one: one["box"].update(values)


def _service(**values: Any) -> Change:
    return lambda one: one["services"][0].update(values)


def _image(**values: Any) -> Change:
    return lambda one: one["images"][0].update(values)


def _account(**values: Any) -> Change:
    return lambda one: one["images"][0]["accounting"].update(values)


def _item(kind: str, **values: Any) -> Change:
    """The first part, loss or fix of the first image."""
    return lambda one: one["images"][0]["accounting"][kind][0].update(values)


def _longer(kind: str, count: int, **values: Any) -> Change:
    """So many more of them, as the first is but for `values`."""

    def change(one: Document) -> None:
        items = one["images"][0]["accounting"][kind]
        items += [{**items[0], **values}] * count

    return change


def _scan(**values: Any) -> Change:
    return lambda one: one["images"][0]["scan"].update(values)


def _duplicate(**values: Any) -> Change:
    return lambda one: one["duplicates"][0].update(values)


def _dockerfiles(*files: dict[str, Any]) -> Change:
    return lambda one: one.update(dockerfiles=list(files))


def _window(**values: Any) -> Change:
    """One window, honest but for `values`."""

    def change(one: Document) -> None:
        window = {"offset_seconds": 0, "samples": 1, "low_bytes": 1, "high_bytes": 1}
        ranges = [[1, 1]] * len(one["services"])
        one["windows"] = [{**window, "totals": [1], "services": ranges, **values}]

    return change


def _sample(one: Document) -> list[int]:
    values: list[int] = one["samples"][3]["service_rss_bytes"]
    return values


def _changed(text: str, change: Change) -> str:
    document = copy.deepcopy(json.loads(text))
    change(document)
    return json.dumps(document)


def _directory(whole: bytes) -> int:
    return int(struct.unpack("<I", whole[-6:-2])[0])


def _at(whole: bytes, place: int, content: bytes) -> bytes:
    return whole[:place] + content + whole[place + len(content) :]


def _patched(whole: bytes, offset: int, form: str, change: Callable[[int], int]) -> bytes:
    """A field of the end record changed."""
    place = len(whole) - 22 + offset
    (value,) = struct.unpack_from(form, whole, place)
    return _at(whole, place, struct.pack(form, change(value)))


def _compressed(files: dict[str, str], method: int) -> bytes:
    target = io.BytesIO()
    with zipfile.ZipFile(target, "w", method) as archive:
        for name, text in files.items():
            archive.writestr(name, text)
    return target.getvalue()


def _twice(files: dict[str, str], run: str) -> bytes:
    """Two entries named run.json, written under another name first."""
    data = zip_files({**files, "run.json": run, "ruN.json": run})
    return data.replace(b"ruN.json", b"run.json")


def _tar(files: dict[str, str]) -> bytes:
    target = io.BytesIO()
    with tarfile.open(fileobj=target, mode="w:gz") as archive:
        for name, text in files.items():
            entry = tarfile.TarInfo(name)
            entry.size, entry.mode = len(text.encode()), REGULAR
            archive.addfile(entry, io.BytesIO(text.encode()))
    return target.getvalue()
