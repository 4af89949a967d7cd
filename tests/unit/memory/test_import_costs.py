"""What imports cost: a package is charged what it holds, not what the packages it imports do."""

import subprocess
import sys
from pathlib import Path

import pytest

from onegig.memory.import_hook import STANDARD
from onegig.memory.imports import MOUNT, parse_costs, run_options, write_hook

MIB = 1024**2
MODULES = {
    "heavy/__init__.py": "from heavy import data",
    "heavy/data.py": "HELD = bytearray(b'x') * (20 << 20)",
    "light/__init__.py": "import heavy, json\nHELD = bytearray(b'x') * (5 << 20)",
    "app.py": "import importlib, light\nimportlib.import_module('late')\nimport missing",
    "late.py": "HELD = bytearray(b'x') * (8 << 20)",
}


def test_a_package_costs_what_itself_holds(tmp_path: Path) -> None:
    for name, text in MODULES.items():
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(text)
    path = f"{write_hook(tmp_path)}:{tmp_path}"
    command = [sys.executable, "-m", "app"]
    ended = subprocess.run(command, env={"PYTHONPATH": path}, capture_output=True, check=False)
    lines = ended.stderr.decode().splitlines()
    assert any("No module named 'missing'" in line for line in lines)
    costs = dict(parse_costs(lines))
    assert [name for name, _ in parse_costs(lines)][:1] == ["heavy"]
    for name, held in {"heavy": 20, "light": 5, "late": 8}.items():
        assert held * MIB <= costs[name] < (held + 1) * MIB
    assert 0 < costs[STANDARD] < 20 * MIB


def test_of_several_processes_the_one_that_imported_most_counts() -> None:
    lines = ["onegig-import\t7\ta\t10", "noise", "onegig-import\t8\ta\t4", "onegig-import\t7\tb\t9"]
    assert parse_costs([*lines, "onegig-import\t7\ta\t12"]) == (("a", 12), ("b", 9))
    assert parse_costs(["noise"]) == ()


@pytest.mark.parametrize(
    ("config", "variables", "path", "end"),
    [
        ({}, {}, MOUNT, ["app"]),
        ({"command": ["run", "x"]}, {"PYTHONPATH": "/app"}, f"{MOUNT}:/app", ["app", "run", "x"]),
        (
            {"entrypoint": ["python", "-u"], "command": ["a.py"]},
            {},
            MOUNT,
            ["--entrypoint", "python", "app", "-u", "a.py"],
        ),
        (
            {
                "environment": {"PYTHONPATH": "/own", "DEBUG": None},
                "user": "7",
                "working_dir": "/w",
            },
            {"PYTHONPATH": "/app"},
            f"{MOUNT}:/own",
            ["app"],
        ),
    ],
)
def test_a_service_is_started_as_compose_would(
    config: dict[str, object], variables: dict[str, str], path: str, end: list[str]
) -> None:
    options = run_options("app", config, variables, Path("/hook"))
    assert f"PYTHONPATH={path}" in options
    assert options[-len(end) :] == end
    assert ("--user" in options) is ("user" in config)
    assert options[:4] == ["--network", "none", "--volume", f"/hook:{MOUNT}:ro"]
