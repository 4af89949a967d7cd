"""Breakdown of the memory of each container's processes, read once from /proc/PID/smaps.

    python -m onegig.machine.breakdown --pid BOX_PID

Prints a JSON object: `Parts` by container id. Runs as the sampler does: as root, outside the box,
standard library only. A mapping counts by what it maps (Linux Documentation/filesystems/proc.rst).
"""

import argparse
import json
import re
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import asdict, dataclass, field, fields
from pathlib import Path

from onegig.machine.cgroup import children, processes_in, walk
from onegig.machine.processes import PROC, RUNC, read_memory, read_name
from onegig.machine.sampler import CONTAINERS, find_box

_MAPPING = re.compile(r"^[0-9a-f]+-[0-9a-f]+ \S+ \S+ \S+ \S+ *(.*)$")
_RUNTIME = re.compile(r"/lib(python|jvm|node|ruby|perl|php|coreclr|beam)[^/]*$")
_RUNTIME_DATA = re.compile(r"(/lib/modules|\.jsa)$")  # Java's own classes
_DEPENDENCY = re.compile(
    r"/(site-packages|dist-packages|node_modules|gems|vendor)/|\.(jar|node|pyd|war)$"
)
_LIBRARY = re.compile(r"(\.so(\.[0-9.]+)?|/ld-[^/]*|\.dll)$")
_SHARED = ("/dev/shm/", "/memfd:", "/SYSV", "/dev/zero", "anon_inode:")  # noqa: S108 - names
GO, GO_HEAP = " (Go)", r"^c000000000-"
ATTEMPTS = 3  # to read a process that does not change meanwhile
_DELETED = " (deleted)"


@dataclass(slots=True)
class Parts:
    """PSS of processes by what it is for, in bytes: together exactly what smaps_rollup says."""

    program: int = 0  # the executable and its runtime: python3, libpython, libjvm
    libraries: int = 0  # shared libraries of the system
    dependencies: int = (
        0  # libraries and archives that packages brought: .so of site-packages, jars
    )
    heap: int = 0  # anonymous memory: heap, objects, code that is compiled while it runs
    stacks: int = 0  # of main threads; those of others are anonymous memory
    files: int = 0  # data mapped from files
    shared: int = 0  # tmpfs, /dev/shm, memfd and shared anonymous maps, as far as mapped
    programs: dict[str, int] = field(default_factory=dict)  # PSS by the executable's name

    @property
    def pss(self) -> int:
        """Return the sum."""
        return sum(getattr(self, name) for name in SIZES)

    def add(self, parts: "Parts") -> None:
        """Add another process."""
        for name in SIZES:
            setattr(self, name, getattr(self, name) + getattr(parts, name))
        for name, size in parts.programs.items():
            self.programs[name] = self.programs.get(name, 0) + size


SIZES = tuple(each.name for each in fields(Parts) if each.type is int)


def split_mappings(smaps: str, program: str) -> tuple[Parts, int]:
    """Return the mapped memory by use, from the text of smaps and the path of the executable.

    And how much of it is lost at most because each mapping's PSS is rounded down to whole KiB.
    """
    parts, kind, rounded = Parts(), "heap", 0
    for line in smaps.splitlines():
        if line.startswith("Pss:"):
            pss = int(line.split()[1]) * 1024
            rounded += 1024 * (pss > 0 and kind != "heap")
            setattr(parts, kind, getattr(parts, kind) + pss)
        elif match := _MAPPING.match(line):
            kind = kind_of(match[1], program)
    return parts, rounded


def kind_of(name: str, program: str) -> str:
    """Return the part of `Parts` that a mapping of this name belongs to."""
    path = name.removesuffix(_DELETED)
    if path.startswith("[stack"):
        return "stacks"
    if path.startswith(_SHARED):
        return "shared"
    if not path.startswith("/"):
        return "heap"  # no name, [heap], [anon:...]; [vdso] and the like take no memory
    own = path == program.removesuffix(_DELETED)
    if own or _RUNTIME.search(path) or _RUNTIME_DATA.search(path):
        return "program"
    if _DEPENDENCY.search(path):
        return "dependencies"
    return "libraries" if _LIBRARY.search(path) else "files"


def name_program(program: str, smaps: str) -> str:
    """Return an executable's name; "api (Go)" where it has Go's heap.

    That begins at a fixed address (Go, src/runtime/malloc.go, "arenaHints").
    """
    name = Path(program.removesuffix(_DELETED)).name
    return f"{name}{GO}" if re.search(GO_HEAP, smaps, re.MULTILINE) else name


def settle_up(parts: Parts, pss: int, shmem: int, rounded: int) -> bool:
    """Adjust the parts so that they add up to the process's PSS, including its shared memory.

    What rounding loses is part of libraries, which are what processes share. Return whether that
    was all; if not, the process or its neighbours changed between the two reads, and all parts are
    made larger or smaller alike.
    """
    mapped = parts.files + parts.shared
    parts.shared = min(shmem, mapped)  # a file in tmpfs looks like any file
    parts.files = mapped - parts.shared
    fits = 0 <= pss - parts.pss <= rounded
    if fits:
        parts.libraries += pss - parts.pss
    else:
        whole = max(1, parts.pss)
        for name in SIZES:
            setattr(parts, name, getattr(parts, name) * pss // whole)
        parts.heap += pss - parts.pss
    return fits


def read_parts(pid: int) -> Parts:
    """Read one process; nothing for one that ended. Raises PermissionError for another user's."""
    parts = Parts()
    for _ in range(ATTEMPTS):
        try:
            program = str((PROC / str(pid) / "exe").readlink())
            smaps = (PROC / str(pid) / "smaps").read_text(errors="replace")
        except (FileNotFoundError, ProcessLookupError):
            return Parts()
        _, pss, shmem = read_memory(pid) or (0, 0, 0)
        parts, rounded = split_mappings(smaps, program)
        fits = settle_up(parts, pss, shmem, rounded)
        parts.programs = {name_program(program, smaps): parts.pss}
        if fits:
            break
    return parts


def read_containers(box: Path) -> Iterator[tuple[str, Parts]]:
    """Yield every container of a box, without the health checks that run in it just now."""
    for name in children(box / CONTAINERS):
        parts, pids = Parts(), tuple(processes_in(walk(box / CONTAINERS / name)))
        with suppress(PermissionError):
            for pid in pids:
                if not read_name(pid).startswith(RUNC):
                    parts.add(read_parts(pid))
            if pids:
                yield name, parts


def main() -> None:
    """Print the parts of every container."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--pid", type=int, required=True)
    box, _ = find_box(parser.parse_args().pid)
    print(json.dumps({name: asdict(parts) for name, parts in read_containers(box)}))  # noqa: T201


if __name__ == "__main__":
    main()
