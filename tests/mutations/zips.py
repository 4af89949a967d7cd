"""A zip that is none, is not what it says, or is too much; names that are not of an artifact."""

import random
import stat
import struct
import zipfile
from collections.abc import Iterator

from gate_runs import zip_files
from mutations.raw import at, compressed, directory, patched, tar, twice


def zips(files: dict[str, str]) -> Iterator[tuple[str, bytes]]:
    """Zips by what is wrong with them."""
    whole = zip_files(files)
    yield "no bytes", b""
    yield "text", b"GO: 1 of 1,024 MB\n"
    yield "JSON instead of a zip", files["run.json"].encode()
    yield "an end record alone", whole[-22:]
    yield "an empty zip", zip_files({})
    yield "a tar file", tar(files)
    for share in (0.01, 0.25, 0.5, 0.75, 0.99):
        yield f"cut at {share:.0%}", whole[: int(len(whole) * share)]
    yield "its last byte missing", whole[:-1]
    yield "something before it", b"#!/bin/sh\n" + whole
    yield "something behind it", whole + b"\n"
    yield "a comment", whole[:-2] + b"\x05\x00hello"
    yield "two zips in a row", whole + whole
    yield "a 64-bit locator", whole[:-22] + b"PK\x06\x07" + bytes(16) + whole[-22:]
    yield "a directory that is elsewhere", patched(whole, 16, "<I", lambda n: n - 1)
    yield "a directory that is longer", patched(whole, 12, "<I", lambda n: n + 1)
    yield "a directory of gigabytes", patched(whole, 12, "<I", lambda _: 2**32 - 1)
    yield "a count of 65,535", patched(whole, 10, "<H", lambda _: 65_535)
    yield "a thousand files", zip_files({f"{i}.json": "{}" for i in range(1000)})
    start = directory(whole)
    yield "an encrypted file", at(whole, start + 8, b"\x01")
    yield "a strongly encrypted file", at(whole, start + 8, b"\x41")
    for method in (1, 6, 9, 12, 14, 93, 98, 99):
        yield f"compression method {method}", at(whole, start + 10, bytes([method]))
    yield "bzip2 inside", compressed(files, zipfile.ZIP_BZIP2)
    yield "LZMA inside", compressed(files, zipfile.ZIP_LZMA)
    yield "a wrong checksum", at(whole, start + 16, bytes(4))
    yield "a file said to be shorter", at(whole, start + 24, struct.pack("<I", 10))
    yield "a file said to be longer", at(whole, start + 24, struct.pack("<I", 10_000))
    yield "a file said to be gigabytes", at(whole, start + 24, struct.pack("<I", 2**31))
    yield "a file of the wrong start", at(whole, start + 42, struct.pack("<I", 5))
    yield "a file that starts behind the end", at(whole, start + 42, struct.pack("<I", 2**30))
    yield "a local name that differs", at(whole, 30, b"RUN")
    yield "noise in the compressed bytes", at(whole, 60, bytes(range(64)))
    yield "a bomb", zip_files({**files, "memory.json": bytes(12 * 1024**2)})
    yield "a larger bomb", zip_files({**files, "memory.json": bytes(64 * 1024**2)})
    yield (
        "a bomb of blanks around JSON",
        zip_files({**files, "images.json": " " * 6_000_000 + files["images.json"]}),
    )
    noise = random.Random(1)
    yield "a zip of 9 MB", zip_files({**files, "memory.json": noise.randbytes(9 * 1024**2)})


def names(files: dict[str, str]) -> dict[str, bytes]:
    """Zips by the wrong name or kind of a file in them."""
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
    spoiled["run.json twice"] = twice({"images.json": "{}"}, files["run.json"])
    spoiled["no run.json"] = zip_files(
        {name: text for name, text in files.items() if name != "run.json"}
    )
    kinds = {"symlink": stat.S_IFLNK, "folder": stat.S_IFDIR, "device": stat.S_IFCHR}
    for what, kind in {**kinds, "pipe": stat.S_IFIFO, "socket": stat.S_IFSOCK}.items():
        whole = zip_files(files)
        mode = struct.pack("<I", (kind | 0o777) << 16)
        spoiled[f"a {what}"] = at(whole, directory(whole) + 38, mode)
    return spoiled
