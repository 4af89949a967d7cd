"""`onegig plan --verify` on a real engine: what is predicted, what is measured, what is left."""

import html
import json
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from docker import DockerClient

from booting import READY
from onegig.engine.owned import OWNER_LABEL, RUN_LABEL
from small_image import SMALL_IMAGE

pytestmark = pytest.mark.engine

# Both services together leave less than the headroom, one of them leaves more.
BUDGETS = """\
version: 1
tier: none
memory: {limit: 600MB, system_overhead: 40MB, headroom: 60%}
measure: {settle: 500ms, window: 2s, healthy_timeout: 30s, squeeze: never}
services:
  extra: {memory: 200MB}
"""
COMPOSE = f"""\
name: onegig-verify-test
services:
  web:
    image: {SMALL_IMAGE}
    command: ["sleep", "3600"]
    init: true
  extra:
    image: {SMALL_IMAGE}
    command: ["sh", "-c", "head -c 172m /dev/zero >/dev/shm/x; touch /tmp/ready; sleep 1h"]
    init: true
    healthcheck: {json.dumps(READY)}
    shm_size: 256m
    labels: {{onegig.optional: "true", onegig.criticality: low}}
"""
Cli = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture
def project(tmp_path: Path, client: DockerClient) -> Path:
    (tmp_path / "budgets.yml").write_text(BUDGETS)
    (tmp_path / "compose.yml").write_text(COMPOSE)
    return tmp_path


def test_a_plan_is_booted_and_holds(cli: Cli, project: Path) -> None:
    """Though budgets.yml has limits for the service that the plan turns off."""
    done = cli("check", "--verify", "A", "--quiet", "--report", "report", "--json")
    assert done.returncode == 0, done.stderr  # a WARN: too little headroom
    document = json.loads(done.stdout)
    option = next(each for each in document["plan"]["options"] if each["letters"] == ["A"])
    verified = option["verified"]
    assert (option["fits"], verified["problem"]) == (True, "")
    # of 180 MB: the engine's own memory differs by some from boot to boot
    assert abs(option["total_bytes"] - verified["total_bytes"]) < 90_000_000
    assert verified["total_bytes"] < document["verdict"]["total_bytes"] - 90_000_000
    for name in ("comment.md", "report.html"):
        text = (project / "report" / name).read_text()
        measured = rf"\b{-(-verified['total_bytes'] // 1024**2)}\sMB \([+-]\d"
        assert re.search(measured, html.unescape(text)), name
    assert not list(Path(project).glob("*plan*")), "the project's folder is not written to"


def objects_of(client: DockerClient, pid: int) -> set[str]:
    """Return what a run of that process has on the engine; others may run beside it."""
    label, own = {"label": RUN_LABEL}, f":{pid}:"
    containers = client.containers.list(all=True, filters=label, ignore_removed=True)
    found = {f"container {c.name}" for c in containers if own in c.labels[OWNER_LABEL]}
    volumes = client.volumes.list(filters=label)
    found |= {f"volume {v.name}" for v in volumes if own in v.attrs["Labels"][OWNER_LABEL]}
    images = client.images.list(all=True, filters=label)
    return found | {f"image {i.short_id}" for i in images if own in i.labels[OWNER_LABEL]}


def test_nothing_is_left_of_a_trial_that_was_killed(
    cli: Cli, project: Path, client: DockerClient
) -> None:
    assert cli("check", "--quiet", "--report", "report").returncode == 0
    command = [sys.executable, "-m", "onegig.cli", "plan", "report/report.json", "--verify", "A"]
    with subprocess.Popen(command, cwd=project, stderr=subprocess.PIPE, text=True) as child:
        assert child.stderr
        assert any("settling" in line for line in child.stderr)
        child.kill()
    assert objects_of(client, child.pid)
    assert cli("plan", "report/report.json", "--verify", "C", "--quiet").returncode == 0
    assert objects_of(client, child.pid) == set()
