"""The hook that `onegig imports` puts into a service's Python as its sitecustomize.

It charges every page that the process gains while it imports to the package whose import that is,
and what a package imports itself to that package. Standard library only, nothing imported that
Python does not start with, any Python from 3.8 on.
"""

import os
import sys
from _thread import get_ident

TYPE_CHECKING = False  # `typing` itself would be imported for it
if TYPE_CHECKING:
    from collections.abc import Callable, Container

    Load = Callable[[str, object], object]

MARK = "onegig-import"
STANDARD = "standard library"


def resident_bytes() -> int:
    """Return the process's RSS, or 0 if the kernel does not state it."""
    try:
        with open("/proc/self/smaps_rollup", "rb") as rollup:  # noqa: PTH123 - not to import it
            return int(rollup.read().split(b"\nRss:")[1].split()[0]) * 1024
    except (OSError, IndexError):
        return 0


class Costs:
    """Bytes by package, of the imports of the main thread."""

    def __init__(self, load: "Load") -> None:
        self.load = load
        self.thread = get_ident()
        self.standard: Container[str] = getattr(sys, "stdlib_module_names", frozenset())
        self.packages: list[str] = []  # being imported, each by the one before
        self.bytes: dict[str, int] = {}
        self.seen = 0  # RSS when it was charged last

    def find_and_load(self, name: str, import_: object) -> object:
        """Import a module as Python would."""
        top = name.partition(".")[0]
        package = STANDARD if top in self.standard else top
        ours = get_ident() == self.thread and name not in sys.modules
        if not ours or (self.packages and self.packages[-1] == package):
            return self.load(name, import_)
        self.charge()
        self.packages.append(package)
        try:
            return self.load(name, import_)
        finally:
            self.charge()
            self.packages.pop()
            if not self.packages:
                self.report()

    def charge(self) -> None:
        """Charge the memory gained since the last call to the package that is importing now."""
        now = resident_bytes()
        if self.packages:
            package = self.packages[-1]
            self.bytes[package] = self.bytes.get(package, 0) + now - self.seen
        self.seen = now

    def report(self) -> None:
        """Print all costs so far: the process may be ended at any time."""
        costs = [f"{MARK}\t{os.getpid()}\t{name}\t{cost}\n" for name, cost in self.bytes.items()]
        os.write(2, "".join(costs).encode())


def install() -> None:
    """Put the hook where both `import` and importlib look a module up."""
    machinery = sys.modules["_frozen_importlib"]
    name = "_find_and_load"
    setattr(machinery, name, Costs(getattr(machinery, name)).find_and_load)


if __name__ == "sitecustomize":
    install()
