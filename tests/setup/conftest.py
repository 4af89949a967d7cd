"""A machine for the set-up scripts, made anew for every test."""

import shutil
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest

from setup_machine import PROJECT, Machine

PARTS = ("scripts/setup", "scripts/bases", "scripts/check", "scripts/test", "pyproject.toml")


@pytest.fixture
def machine() -> Iterator[Machine]:
    """A fresh one, readable by every user of this host."""
    with TemporaryDirectory(prefix="onegig setup ") as folder:
        machine = Machine(root=Path(folder))
        machine.root.chmod(0o755)
        for name in ("bin", "home", "cache", "state", "tmp"):
            (machine.root / name).mkdir()
        (machine.root / "tmp").chmod(0o1777)
        for part in PARTS:
            copy = machine.project / part
            copy.parent.mkdir(parents=True, exist_ok=True)
            source = PROJECT / part
            (shutil.copytree if source.is_dir() else shutil.copy2)(source, copy)
        yield machine
