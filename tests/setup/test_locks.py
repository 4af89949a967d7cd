"""Every lock is kept up to date: by Dependabot, or by hand for a reason that is told here."""

import re
import subprocess
import tomllib
from fnmatch import fnmatch
from pathlib import Path
from typing import Any

import pytest
import yaml

from setup_machine import PROJECT

LOCKS = PROJECT / "scripts/setup/requirements"
# Whatever pins something of others by version and hash.
NAMES = ("*.lock", "*-lock.json", "*.env", "*requirements*.txt", "*/requirements/*.txt")
BY_HAND = {
    "scripts/bases/alpine.lock": "a disk in a wheel; scripts know the Alpine that is on it",
    "scripts/bases/images.env": "images in variables; Dependabot reads a Dockerfile's FROM only",
    "scripts/setup/trivy.env": "a release of GitHub, with checksums of four platforms",
    "scripts/setup/dive.env": "a release of GitHub, at the version of the wheel",
    "examples/before/requirements.txt": "an example of what is not to be done, measured as it is",
}
# Of the tests: data that is read, never installed.
DATA = ("tests/corpus/*", "tests/golden/*", "tests/stacks/*")
# What an ecosystem reads: in its directory, and for uv (as for pip) in the folders of it, too.
READ = {"npm": ("package-lock.json",), "uv": ("*.txt", "*.in")}


def updates() -> list[dict[str, Any]]:
    document = yaml.safe_load((PROJECT / ".github/dependabot.yml").read_text())
    entries: list[dict[str, Any]] = document["updates"]
    return entries


def directories(entry: dict[str, Any]) -> list[str]:
    return [folder.strip("/") for folder in entry.get("directories", [entry.get("directory")])]


def is_read(path: str) -> bool:
    """Return whether an entry's ecosystem finds this file.

    As github.com/dependabot/dependabot-core has it in python/shared_file_fetcher.rb: files of the
    directory and of folders right in it whose names end in .txt or .in, up to 500 kB.
    """
    file = Path(path)
    for entry in updates():
        kind = entry["package-ecosystem"]
        above = {str(file.parent), str(file.parent.parent if kind == "uv" else file.parent)}
        is_named = any(fnmatch(file.name, pattern) for pattern in READ.get(kind, ()))
        if is_named and above & set(directories(entry)):
            return kind == "npm" or (PROJECT / path).stat().st_size <= 500_000
    return False


def tracked() -> list[str]:
    listing = subprocess.run(
        ["git", "ls-files", "--cached", "--others", "--exclude-standard"],
        cwd=PROJECT,
        capture_output=True,
        text=True,
        check=False,
    )
    if listing.returncode:
        pytest.skip("this is not a git checkout")
    return [path for path in listing.stdout.splitlines() if "node_modules" not in path]


@pytest.mark.security
def test_every_lock_is_updated_or_is_known_not_to_be() -> None:
    locks = {
        path
        for path in tracked()
        if any(fnmatch(path, name) for name in NAMES)
        and not any(fnmatch(path, folder) for folder in DATA)
        and not (PROJECT / path).is_symlink()
    } - {"scripts/onegig/images/trivy.env"}  # trivy.sh's own, at another place
    assert {path for path in locks if not is_read(path)} == BY_HAND.keys() & locks
    assert BY_HAND.keys() <= locks, "an exception for what is no longer there"


def test_every_entry_has_a_cooldown_and_finds_something() -> None:
    files = tracked()
    for entry in updates():
        assert entry["cooldown"]["default-days"] >= 7
        for folder in directories(entry):
            assert any(path.startswith(folder) for path in files), folder


def test_each_lock_has_its_input_beside_it_and_tells_how_it_was_made() -> None:
    for lock in (*LOCKS.glob("*.txt"), *(PROJECT / "services/requirements").glob("*.txt")):
        assert lock.with_suffix(".in").exists()
        header = "".join(line for line in lock.read_text().splitlines() if line.startswith("#"))
        # uv's updater takes these two from here; without them it would drop platforms
        assert "--universal" in header
        assert re.search(r"--python-version 3\.\d+", header)


def test_inputs_say_what_the_project_says() -> None:
    document = tomllib.loads((PROJECT / "pyproject.toml").read_text())
    project, groups = document["project"], document["dependency-groups"]
    extras = project["optional-dependencies"]
    expected = {
        "runtime": {*project["dependencies"], *extras["build"]},
        "dev": {"-r runtime.in", "-c runtime.txt", *extras["dev"]},
        "trusted": {"-c runtime.txt", *groups["trusted"], *extras["build"]},
    }
    for name, lines in expected.items():
        text = (LOCKS / f"{name}.in").read_text()
        assert {line for line in text.splitlines() if not line.startswith("#")} == lines
