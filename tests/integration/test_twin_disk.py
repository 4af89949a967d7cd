"""The twin's data disk, read without booting a machine: what it has of the host's files."""

from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest
from docker import DockerClient

from booting import HERE
from onegig.engine.engine import Engine
from onegig.engine.owned import new_run
from onegig.machine.box import fill_volume
from onegig.machine.machine import BootPlan
from onegig.machine.project import BoxProject
from onegig.machine.twin import disks, host
from twins import NEEDS_TWIN

pytestmark = NEEDS_TWIN

READ_SECONDS = 60.0


@pytest.fixture
def sources(tmp_path: Path) -> dict[Path, str]:
    """Files and folders that a stack mounts, and what the disk's list says they are."""
    folder, near, inside = (tmp_path / name for name in ("my data", "my/data", "my data/inside"))
    note, missing = tmp_path / "note", tmp_path / "missing"
    for each in (folder, near, inside):
        each.mkdir(parents=True)
    (near / "hello").write_text("from the host")
    note.touch()
    return {folder: "d", near: "d", inside: "", note: "f", missing: "e"}


def test_each_source_is_on_the_disk_once(client: DockerClient, sources: dict[Path, str]) -> None:
    project = BoxProject(directory="/", folders=tuple(map(str, sources)))
    hello = next(path for path in sources if path.name == "data") / "hello"
    with new_run() as run:
        agent = run.directory / "agent"
        agent.touch()
        guest = cast(Any, SimpleNamespace(agent=agent))
        engine, name = Engine(client), f"{run.name}-read"
        plan = cast(BootPlan, SimpleNamespace(engine=engine, run=run, budgets=HERE))
        with fill_volume(engine, run, images=(), project=project, say=lambda _: None) as nesting:
            assert disks.make_data_disk(plan, nesting, project, guest, {}) == ()
            disk = host.scratch(run) / disks.DATA
            script = f"debugfs -R 'cat /sources' {disk}; debugfs -R 'cat \"/files{hello}\"' {disk}"
            read = host.options(
                run, nesting.image_name, ("/bin/sh", "-c", script), volume=nesting.volume
            )
            printed = host.finish(engine, name, read, seconds=READ_SECONDS, purpose="reading")
    listed = sorted(f"{kind} {path}" for path, kind in sources.items() if kind)
    lines = printed.splitlines()
    assert sorted(lines[: len(listed)]) == listed
    assert "from the host" in printed
