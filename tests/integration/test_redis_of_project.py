"""`onegig redis audit SERVICE`: a Valkey of a running compose project, its password found there."""

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from subprocess import PIPE
from uuid import uuid4

import pytest
from docker import DockerClient

from onegig.engine.engine import connect
from onegig.engine.owned import OWNER_LABEL
from onegig.model.codec import from_json
from onegig.model.measured import Missing
from onegig.model.redis import RedisAudit

pytestmark = [pytest.mark.engine]

VALKEY = os.environ.get("VALKEY_IMAGE", "onegig-local/valkey:8-alpine")
SECRET = "correct-horse"
COMPOSE = """
name: {name}
services:
  cache:
    image: {image}
    command: [valkey-server, --save, "", --requirepass, {secret}]
    healthcheck:
      test: [CMD, valkey-cli, -a, {secret}, ping]
      interval: 1s
      retries: 60
"""
KEYS = 500
FILL = f"seq {KEYS} | sed 's/.*/SET session:&:data value-&/' | valkey-cli -a {SECRET}"


@pytest.fixture
def project(tmp_path: Path) -> Iterator[Path]:
    """The folder of a compose project that is running, with keys in its cache."""
    name = f"onegig-test-{uuid4().hex[:8]}"
    text = COMPOSE.format(name=name, image=VALKEY, secret=SECRET)
    (tmp_path / "compose.yml").write_text(text, encoding="utf-8")
    try:
        compose(tmp_path, "up", "--wait")
        compose(tmp_path, "exec", "-T", "cache", "sh", "-c", FILL)
        yield tmp_path
    finally:
        compose(tmp_path, "down", "--volumes", "--timeout", "1")


def compose(folder: Path, *words: str) -> None:
    subprocess.run(("docker", "compose", *words), cwd=folder, check=True, capture_output=True)


def audit(folder: Path, *words: str) -> tuple[int, str, str]:
    """Run the command; return its exit code, what it printed, and errors. It leaves nothing."""
    command = (sys.executable, "-m", "onegig.cli", "redis", "audit", *words, "--quiet")
    run = subprocess.Popen(command, cwd=folder, stdout=PIPE, stderr=PIPE, text=True)
    out, errors = run.communicate(timeout=300)
    assert SECRET not in out + errors
    with connect() as engine:
        assert [each for each in owners(engine.client) if f":{run.pid}:" in each] == []
    return run.returncode, out, errors


def owners(client: DockerClient) -> list[str]:
    """Return the runs of onegig that have a container, a network or a volume."""
    label = {"label": OWNER_LABEL}
    containers = [each.labels for each in client.containers.list(all=True, filters=label)]
    others = [*client.networks.list(filters=label), *client.volumes.list(filters=label)]
    labels = [*containers, *(each.attrs["Labels"] for each in others)]
    return [each[OWNER_LABEL] for each in labels]


def test_a_service_is_audited_and_nothing_is_left(project: Path) -> None:
    files = sorted(project.iterdir())
    code, out, errors = audit(project, "cache", "--json", "--replay")
    assert code == 0, errors
    document = from_json(RedisAudit, out, "stdout")
    assert document.target == "cache"
    assert document.servers[0].keys == KEYS
    assert [(p.name, p.keys.value) for p in document.patterns] == [("session:{n}:data", KEYS)]
    assert not isinstance(document.savings, Missing)
    assert all(saving.measured for saving in document.savings), document.coverage.gaps
    assert audit(project, "cache", "--fail-over", "1kB")[0] == 1
    compose(project, "stop", "--timeout", "1", "cache")
    for service, message in (
        ("cache", "no container of cache is running"),
        ("other", "one of: cache"),
    ):
        code, _, errors = audit(project, service)
        assert code == 2
        assert message in " ".join(errors.split())
    assert sorted(project.iterdir()) == files
