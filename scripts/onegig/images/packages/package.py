"""A package as its own database knows it."""

from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True, slots=True)
class Package:
    """One installed package and the files that are its own.

    `needs`, `options` (what it needs for an extra) and `answers_to` are in the words of its
    database, so that they can be compared. `asked` is False where it is known that it only came
    because another one needs it.
    """

    kind: str  # "apk", "dpkg", "pip" or "npm"
    name: str
    version: str
    files: frozenset[str]  # paths as in Entry.path
    needs: frozenset[str] = frozenset()
    options: frozenset[str] = frozenset()
    answers_to: frozenset[str] = frozenset()
    asked: bool = True
    development: bool = False  # its database says that it is one
    own: bool = False  # installed from a folder of sources: the application itself

    def __str__(self) -> str:
        return f"{self.name} {self.version}".rstrip()
