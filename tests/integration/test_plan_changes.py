"""What a plan prints is applied by git, and compose reads what it asked for."""

import json
import shutil
import subprocess
from pathlib import Path

import pytest

from onegig.plan.compose_edit import edit_compose
from onegig.plan.edit import unified

ROOT = Path(__file__).parents[2]
FILE = "services/compose.yml"


@pytest.mark.parametrize(
    ("service", "change"),
    [
        ("regime", {"profiles": ["optional"]}),
        ("momentum", {"mem_limit": "20m", "annotations": {"a": "b"}}),
        ("redis-coordinator", {"healthcheck": {"interval": "90s"}}),
    ],
)
def test_a_change_of_the_reference_stack(
    service: str, change: dict[str, object], tmp_path: Path
) -> None:
    before = (ROOT / FILE).read_text(encoding="utf-8")
    after = edit_compose(before, {"services": {service: change}})
    assert after is not None
    shutil.copytree(ROOT / "services", tmp_path / "services")
    apply = ("git", "apply", "-")
    subprocess.run(apply, cwd=tmp_path, input=unified(FILE, before, after), text=True, check=True)
    assert (tmp_path / FILE).read_text(encoding="utf-8") == after
    command = ("docker", "compose", "-f", FILE, "--profile", "optional")
    run = subprocess.run(
        [*command, "config", "--format", "json"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=True,
    )
    found = json.loads(run.stdout)["services"][service]
    if "healthcheck" in change:
        assert found["healthcheck"]["interval"] == "1m30s"
        assert found["healthcheck"]["timeout"] == "5s"  # what a merge brings stays
    else:
        found["mem_limit"] = "20m" if found["mem_limit"] == str(20 * 1024**2) else "other"
        assert {key: found[key] for key in change} == change


@pytest.mark.parametrize("end", ["    mem_limit: 90m", "    image: x # end", "    image: x\n\n\n"])
def test_a_file_without_an_end_of_line(end: str, tmp_path: Path) -> None:
    before = f"services:\n  db:\n{end}"
    after = edit_compose(before, {"services": {"db": {"mem_limit": "60m"}}})
    assert after is not None
    (tmp_path / "compose.yml").write_text(before, encoding="utf-8")
    diff = unified("compose.yml", before, after)
    subprocess.run(("git", "apply", "-"), cwd=tmp_path, input=diff, text=True, check=True)
    assert (tmp_path / "compose.yml").read_text(encoding="utf-8") == after
