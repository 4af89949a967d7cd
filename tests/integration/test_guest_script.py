"""guest.sh, in a container without what it changes in a guest: what it reports to its host."""

from collections.abc import Callable
from pathlib import Path

import pytest
from docker import DockerClient

from onegig.machine.twin.boot import PREPARATION
from onegig.machine.twin.guest import our_file
from small_image import SMALL_IMAGE

pytestmark = pytest.mark.engine

STAND_INS = {  # each for a program of the guest
    "iptables": "exit 0",
    "systemctl": "exit 0",
    "mountpoint": "exit 1",
    "mount": 'case "$*" in *lost*) exit 1 ;; esac',
    "fallocate": "exit 1",
    "mkswap": "exit 0",
    "swapon": "exit 0",
}
SETTINGS = "HZ=1\nCONTROL_PORT=1\nDATA_ROOT=/data\nUNITS=\nSWAP_BYTES=1048576\n"
ENTRY = (
    "mkdir -p /dev/virtio-ports /run/systemd/system; : >/dev/virtio-ports/onegig; "
    "exec sh /onegig/guest.sh"
)
Boot = Callable[[dict[str, str]], tuple[str, int]]


@pytest.fixture
def boot(client: DockerClient, tmp_path: Path) -> Boot:
    """Run guest.sh with these programs; return the output and the code that its host gets."""

    def run(programs: dict[str, str]) -> tuple[str, int]:
        (tmp_path / "bin").mkdir()
        answer = f"#!/bin/sh\n{{ {PREPARATION}; }} >/onegig/printed; echo $? >/onegig/code\n"
        scripts = {f"bin/{name}": f"#!/bin/sh\n{text}\n" for name, text in programs.items()}
        for name, text in {**scripts, "agent": answer, "settings": SETTINGS}.items():
            (tmp_path / name).write_text(text)
            (tmp_path / name).chmod(0o755)
        (tmp_path / "guest.sh").write_bytes(our_file("guest.sh"))
        (tmp_path / "sources").write_text("d /srv/here\nd /srv/lost\n")
        client.containers.run(
            SMALL_IMAGE,
            ["sh", "-c", ENTRY],
            environment={"PATH": "/onegig/bin:/usr/sbin:/usr/bin:/sbin:/bin"},
            volumes=[f"{tmp_path}:/onegig"],
            remove=True,
        )
        return (tmp_path / "printed").read_text(), int((tmp_path / "code").read_text())

    return run


def test_what_is_missing_is_remarked(boot: Boot) -> None:
    printed, code = boot(STAND_INS)
    assert code == 0
    assert printed.splitlines() == [
        "onegig: /srv/lost is missing in the twin.",
        "onegig: The twin has no swap file: it could not be made.",
    ]


@pytest.mark.parametrize(
    ("changes", "problem"),
    [
        ({}, "its image has no iptables"),
        ({"iptables": "exit 4"}, "its preparation failed"),
    ],
)
def test_a_machine_that_can_t_be_used_answers_at_once(
    changes: dict[str, str], problem: str, boot: Boot
) -> None:
    programs = {name: text for name, text in STAND_INS.items() if name != "iptables"}
    assert boot({**programs, **changes}) == (f"{problem}\n", 1)
