"""The pure rooms of the house stay pure: data in, data or text out, nothing else."""

import ast
from pathlib import Path

import pytest

import onegig

ROOT = Path(onegig.__file__).parent
PURE = ("model", "judge", "report")
EFFECTS = {"subprocess", "requests", "urllib3", "socket", "time", "random", "os", "docker"}
EFFECTS |= {"http", "tempfile", "shutil", "secrets", "psutil", "threading", "asyncio"}
MODULES = sorted(path for room in PURE for path in (ROOT / room).rglob("*.py"))


def imported(source: str) -> set[str]:
    """Top-level names of everything a module imports, inside functions, too."""
    names: set[str] = set()
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            names |= {alias.name.split(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            names.add(node.module.split(".")[0])
    return names


def clock_calls(source: str) -> set[str]:
    """Calls of now(), today() and utcnow()."""
    calls = (node.func for node in ast.walk(ast.parse(source)) if isinstance(node, ast.Call))
    names = {call.attr for call in calls if isinstance(call, ast.Attribute)}
    return names & {"now", "today", "utcnow"}


@pytest.mark.parametrize("path", MODULES, ids=lambda path: str(path.relative_to(ROOT)))
def test_module_has_no_effects(path: Path) -> None:
    source = path.read_text(encoding="utf-8")
    assert not imported(source) & EFFECTS
    assert not clock_calls(source)


@pytest.mark.parametrize(
    ("source", "found"),
    [
        ("import os.path", {"os"}),
        ("def f():\n    from subprocess import run", {"subprocess"}),
        ("import onegig.model", {"onegig"}),
    ],
)
def test_imports_are_seen(source: str, found: set[str]) -> None:
    assert imported(source) == found


def test_clock_is_seen() -> None:
    assert clock_calls("from datetime import datetime\ndatetime.now()") == {"now"}


def test_every_room_is_looked_at() -> None:
    assert {path.relative_to(ROOT).parts[0] for path in MODULES} == set(PURE)
