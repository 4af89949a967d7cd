"""The action's script: which options onegig is given for the action's inputs."""

import os
import subprocess
from pathlib import Path

import pytest
import yaml

ACTION = Path(__file__).parents[2] / "action.yml"
PROGRAM = "#!/bin/sh\nprintf '%s\\n' \"$@\"\n"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """The action's folder, with an onegig that prints what it is given."""
    for name in ("scripts/setup/venv.sh", "scripts/setup/trivy.sh", ".venv/bin/onegig"):
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(PROGRAM if name.endswith("onegig") else "#!/bin/sh\n")
        path.chmod(0o755)
    return tmp_path


def options(folder: Path, **inputs: str) -> list[str]:
    """What onegig is given for these inputs."""
    action = yaml.safe_load(ACTION.read_text())
    (step,) = action["runs"]["steps"]
    values = {name: one.get("default", "") for name, one in action["inputs"].items()} | inputs
    environment = {
        name: values[text.split()[1].removeprefix("inputs.")] for name, text in step["env"].items()
    }
    done = subprocess.run(
        ["bash", "--noprofile", "--norc", "-e", "-o", "pipefail", "-c", step["run"]],
        env={**os.environ, **environment, "GITHUB_ACTION_PATH": str(folder)},
        capture_output=True,
        text=True,
        check=True,
    )
    return done.stdout.splitlines()


@pytest.mark.parametrize(
    ("text", "values"),
    [
        ("", []),
        ("compose.yml", ["compose.yml"]),
        ("a.yml b.yml", ["a.yml", "b.yml"]),
        ("my file.yml\n  *.yml\n\n", ["my file.yml", "*.yml"]),
    ],
)
def test_inputs_may_name_several(folder: Path, text: str, values: list[str]) -> None:
    given = options(folder, compose=text, profiles=text)
    assert [one for one in given if one.startswith("--compose")] == [
        f"--compose={value}" for value in values
    ]
    assert [one for one in given if one.startswith("--profile")] == [
        f"--profile={value}" for value in values
    ]


def test_the_comment_takes_none_of_them(folder: Path) -> None:
    given = options(folder, command="comment", compose="a.yml", profiles="debug")
    assert given == ["comment"]
    assert options(folder, command="comment", budgets="limits/b.yml") == [
        "comment",
        "--budgets",
        "limits/b.yml",
    ]
