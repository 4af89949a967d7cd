"""Where a process's memory goes: every mapping counts once, and all of them make its PSS."""

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from onegig.machine.breakdown import Parts, kind_of, read_parts, settle_up, split_mappings
from onegig.machine.processes import read_memory

MIB = 1024**2
CHILD = """
import mmap, sys
held = bytearray(b"x") * (30 << 20)
with open(sys.argv[1], "rb") as file:
    mapped = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
    total = sum(mapped[at] for at in range(0, len(mapped), 4096))
shared = mmap.mmap(-1, 5 << 20)
shared.write(b"x" * (5 << 20))
print("ready", flush=True)
sys.stdin.read()
"""


@pytest.fixture
def pid(tmp_path: Path) -> Iterator[int]:
    (tmp_path / "data").write_bytes(b"y" * 10 * MIB)
    command = [sys.executable, "-c", CHILD, str(tmp_path / "data")]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as child:
        assert child.stdout is not None
        assert child.stdout.readline() == b"ready\n"
        yield child.pid
        assert child.stdin is not None
        child.stdin.close()


def test_the_parts_of_a_process_are_exactly_its_pss(pid: int) -> None:
    for _ in range(100):  # a share changes when another process maps the same library
        parts, rollup = read_parts(pid), read_memory(pid)
        assert rollup is not None
        if parts.pss == rollup[1]:
            break
    assert parts.pss == rollup[1]
    assert 30 * MIB <= parts.heap < 50 * MIB
    assert 10 * MIB <= parts.files < 11 * MIB
    assert parts.shared == rollup[2] >= 5 * MIB
    assert min(parts.program, parts.libraries, parts.stacks) > 0


def test_a_process_that_ended_has_none() -> None:
    assert read_parts(2**22 + 1) == Parts()


PYTHON = "/usr/local/bin/python3.13"
DYNAMIC = "/usr/local/lib/python3.13/lib-dynload/_json.cpython-313-x86_64-linux-gnu.so"


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        ("", "heap"),
        ("[heap]", "heap"),
        ("[anon:glibc: malloc]", "heap"),
        ("[stack]", "stacks"),
        (PYTHON, "program"),
        (f"{PYTHON} (deleted)", "program"),
        ("/usr/local/lib/libpython3.13.so.1.0", "program"),
        ("/opt/java/lib/server/libjvm.so", "program"),
        ("/opt/java/lib/modules", "program"),
        ("/lib/ld-musl-x86_64.so.1", "libraries"),
        ("/usr/lib/libssl.so.3", "libraries"),
        (DYNAMIC, "libraries"),
        ("/app/lib/python3.13/site-packages/numpy/_core.abi3.so", "dependencies"),
        ("/app/node_modules/sharp/sharp.node", "dependencies"),
        ("/app/guava.jar", "dependencies"),
        ("/dev/shm/queue", "shared"),
        ("/memfd:cache (deleted)", "shared"),
        ("/dev/zero (deleted)", "shared"),
        ("/var/lib/db/main.ibd", "files"),
        ("/usr/lib/locale/C.utf8/LC_CTYPE", "files"),
    ],
)
def test_a_mapping_counts_by_what_it_maps(name: str, kind: str) -> None:
    assert kind_of(name, PYTHON) == kind


SMAPS = f"""\
55e0-55e1 r-xp 00000000 fe:00 26 {PYTHON}
Rss: 5000 kB
Pss: 4000 kB
7f00-7f01 rw-p 00000000 00:00 0
Pss: 9000 kB
Pss_Dirty: 9000 kB
7f02-7f03 r-xp 00000000 fe:00 27 /lib/libc.so.6
Pss: 100 kB
7f04-7f05 rw-s 00000000 00:31 28 /tmp/on tmpfs/data
Pss: 700 kB
"""


@pytest.mark.parametrize(
    ("pss", "shmem", "parts"),
    [
        (13_800, 0, (4000, 100, 9000, 700, 0)),
        (13_802, 0, (4000, 102, 9000, 700, 0)),  # rounding: below 1 KiB for each of three files
        (13_800, 600, (4000, 100, 9000, 100, 600)),  # a file in tmpfs
        (27_600, 0, (8000, 200, 18_000, 1400, 0)),  # it has grown while it was read
        (6_900, 0, (2000, 50, 4500, 350, 0)),
        (0, 0, (0, 0, 0, 0, 0)),
    ],
)
def test_parts_are_made_to_add_up(pss: int, shmem: int, parts: tuple[int, ...]) -> None:
    split, rounded = split_mappings(SMAPS, PYTHON)
    settle_up(split, pss * 1024, shmem * 1024, rounded)
    assert split.pss == pss * 1024
    known = (split.program, split.libraries, split.heap, split.files, split.shared)
    assert known == tuple(kib * 1024 for kib in parts)
