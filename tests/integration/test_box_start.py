"""The engine in the box on a machine that is slow to start it, or where it cannot start."""

import time
from pathlib import Path

import pytest
from docker import DockerClient

from booting import MIB, MakeStack, sleeper
from booting import boot as boot_stack
from onegig.engine.engine import Engine
from onegig.engine.owned import new_run
from onegig.errors import BootError
from onegig.machine import nesting
from onegig.machine.box import open_nested
from onegig.machine.project import BoxProject
from small_image import SMALL_IMAGE

pytestmark = pytest.mark.engine

# Stands for dockerd on a busy machine: containerd is not up within the 15 s that it gives it.
FAILS = """\
#!/bin/sh
echo x >>/.onegig/attempts
if [ "$(wc -l </.onegig/attempts)" -le {times} ]; then
    echo "failed to start containerd: timeout waiting for containerd to start" >&2
    exit 1
fi
exec {dockerd} "$@"
"""


def replace_dockerd(monkeypatch: pytest.MonkeyPatch, folder: Path, *, times: int) -> None:
    """Let the box have a dockerd that fails so many times before it starts."""
    programs = nesting.host_programs()
    dockerd = next(path for path in programs if Path(path).name == "dockerd")
    slow = folder / "dockerd"
    slow.write_text(FAILS.format(times=times, dockerd=dockerd))
    slow.chmod(0o755)
    rest = (path for path in programs if path != dockerd)
    monkeypatch.setattr(nesting, "host_programs", lambda: (str(slow), *rest))
    # a registry that does not exist: the dind image is no way out
    monkeypatch.setattr(nesting, "DIND_IMAGE", "127.0.0.1:1/dind")


def boot(client: DockerClient, folder: Path) -> bool:
    """Return whether an engine came up in a box."""
    with (
        new_run() as run_,
        open_nested(
            Engine(client),
            run_,
            images=(SMALL_IMAGE,),
            project=BoxProject(directory=str(folder)),
            cap_bytes=512 * 1024**2,
            say=lambda _line: None,
        ) as box,
    ):
        return bool(box.engine.client.ping())


def test_an_engine_that_starts_late_is_started_again(
    client: DockerClient, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    replace_dockerd(monkeypatch, tmp_path, times=2)
    assert boot(client, tmp_path)


@pytest.mark.measured
def test_an_engine_that_never_starts_ends_the_box_with_its_own_words(
    client: DockerClient, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    replace_dockerd(monkeypatch, tmp_path, times=100)
    began = time.monotonic()
    with pytest.raises(BootError) as caught:
        boot(client, tmp_path)
    assert "timeout waiting for containerd to start" in caught.value.detail
    assert time.monotonic() - began < 30


@pytest.mark.measured
def test_a_start_that_fills_the_machine_is_repeated_with_a_few_at_a_time(
    client: DockerClient, make_stack: MakeStack
) -> None:
    """24 containers take 250 MB, and while all of them start, more than there is."""
    stack = make_stack({f"s{number:02}": sleeper() for number in range(24)})
    with boot_stack(client, stack, 420 * MIB, vcpus=1) as (box, start):
        assert not start.report.timed_out
        assert (start.report.crowded > 3, start.report.parallel) == (True, 3)
        assert len(box.engine.client.containers.list()) == 24
