"""The box in the dind image, as an ordinary user has it who may use the engine."""

import os
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from docker import DockerClient

from dind_image import stand_in_for_dind
from onegig.engine.engine import Engine
from onegig.engine.owned import new_run
from onegig.machine import nesting
from onegig.machine.nesting import Dind
from onegig.machine.project import BoxProject

pytestmark = pytest.mark.engine

NOBODY = 65534
# As dind's entrypoint does: folders that are missing, and files that only root may write.
WRITE_CERTIFICATES = """
cd /certs && mkdir -p ca server client
for folder in ca server client; do echo key >$folder/key.pem && chmod 600 $folder/key.pem; done
echo finished
"""


@contextmanager
def ordinary_user() -> Iterator[None]:
    """Be nobody, in the group that may use the engine; a user who is not root is one already."""
    if os.geteuid() != 0:
        yield
        return
    os.setegid(Path("/var/run/docker.sock").stat().st_gid)
    os.seteuid(NOBODY)
    try:
        yield
    finally:
        os.seteuid(0)
        os.setegid(0)


def test_an_ordinary_user_can_remove_the_certificates_of_every_container(
    client: DockerClient, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with stand_in_for_dind(client, WRITE_CERTIFICATES) as image, ordinary_user(), new_run() as run:
        monkeypatch.setattr(nesting, "DIND_IMAGE", image)
        dind = Dind(Engine(client), run, BoxProject(directory=str(tmp_path)))
        dind.prepare()
        try:
            for role in ("load", "box"):
                options = [*run.label_options, *dind.arguments(first=role == "load")]
                command = ["--interactive", "--privileged", *options]
                child = dind.engine.run(f"{run.name}-{role}", command, stdin=subprocess.PIPE)
                assert child.stdout is not None
                line = child.stdout.readline()
                _, errors = child.communicate(timeout=120)
                assert line == b"finished\n", errors
                assert (dind.certificates / "client/key.pem").exists()
        finally:
            dind.engine.remove_volume(dind.volume)
    assert not run.directory.exists()
