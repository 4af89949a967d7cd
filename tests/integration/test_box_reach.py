"""What a stack in the box tries to change on the machine, in vain."""

import json
import shlex
import subprocess
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import pytest
from docker import DockerClient
from docker.errors import DockerException

from booting import Boxed, boot, run_as_root
from booting import sleeper as service
from dind_image import stand_in_for_dind
from onegig.config.stack import load_stack
from onegig.engine.engine import Engine
from onegig.engine.owned import new_run
from onegig.machine import nesting
from onegig.machine.machine import list_containers
from onegig.machine.nesting import Dind, read_script
from onegig.machine.project import BoxProject
from onegig.process import run, spawn
from small_image import SMALL_IMAGE

pytestmark = [pytest.mark.engine, pytest.mark.security]

MACHINE = 700 * 1024**2
API_VERSIONS = ("1.43", "1.45")  # before 1.44, read-only bind mounts are not recursive
HOST_PROGRAMS = tuple(path for path in ("/bin", "/lib", "/lib64", "/usr") if Path(path).exists())
TMPFS = ("plain", "plain/inner", "it's 100%: a, b", "flags")
WRITE_ALL = 'find {} -type f | while read -r f; do echo new >"$f"; touch "$f.new"; done 2>/dev/null'


@pytest.fixture(params=API_VERSIONS)
def api_version(
    request: pytest.FixtureRequest, client: DockerClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Docker's command speaks this version of the API, unless the engine has given it up."""
    least = client.version()["MinAPIVersion"]
    if float(request.param) < float(least):
        pytest.skip(f"the engine speaks version {least} or later")
    monkeypatch.setenv("DOCKER_API_VERSION", request.param)


@pytest.fixture
def folder(tmp_path: Path) -> Iterator[Path]:
    """A folder that is a shared mount, with file systems of their own below it."""
    for name in ("file", "bound"):
        (tmp_path / name).write_text("old")
    root = shlex.quote(str(tmp_path))
    points = [shlex.quote(str(tmp_path / name)) for name in TMPFS]
    try:
        run_as_root(
            f"mount --bind {root} {root}",
            f"mount --make-shared {root}",
            *(f"mkdir {point}; mount -t tmpfs tmpfs {point}" for point in points),
            f"mount -o remount,nosuid,nodev,noexec,noatime {points[-1]}",
            f"mount --bind {root}/file {root}/bound",
        )
        for name in TMPFS:
            (tmp_path / name / "file").write_text("old")
        yield tmp_path
    finally:
        run_as_root(f"umount --recursive --lazy {root} || :")


def contents(folder: Path) -> dict[str, str]:
    files = [path for path in folder.rglob("*") if path.is_file()]
    return {str(path.relative_to(folder)): path.read_text() for path in files}


def run_script(
    folder: Path, script: str, propagation: str = "", options: Sequence[str] = ()
) -> list[str]:
    """Return the lines that a script prints in a container that has the folder as /host."""
    mount = f"--volume={folder}:/host:ro{propagation}"
    command = ["docker", "run", "--rm", "--privileged", mount, *options, SMALL_IMAGE, "/bin/sh"]
    text = f"{read_script('read_only.sh')}\n{script}"
    return run([*command, "-c", text], timeout_seconds=120).stdout.splitlines()


@pytest.mark.usefixtures("api_version")
@pytest.mark.parametrize("propagation", ["", ",rslave", ",rshared"])
@pytest.mark.parametrize("programs", [(), HOST_PROGRAMS], ids=["busybox", "host"])
def test_mounts_below_a_bound_folder_can_not_be_written(
    folder: Path,
    propagation: str,
    programs: tuple[str, ...],
) -> None:
    later = "grep -q ' /host.* shared:\\| /host.* master:' /proc/self/mountinfo && echo joined"
    script = f"make_read_only /host; {WRITE_ALL.format('/host')}; {later}; grep /host/flags "
    before = contents(folder)
    options = [f"--volume={path}:{path}:ro" for path in programs]
    lines = run_script(folder, f"{script} /proc/self/mountinfo", propagation, options)
    assert contents(folder) == before
    (line,) = lines  # none says that later mounts of the host come in
    assert set(line.split()[5].split(",")) >= {"ro", "nosuid", "nodev", "noexec", "noatime"}


def test_a_mount_that_stays_writable_ends_the_box(folder: Path) -> None:
    script = (
        "mount -t tmpfs tmpfs /host/plain; mount() { :; }; (make_read_only /host) 2>&1; echo $?"
    )
    assert run_script(folder, script) == [
        "onegig refuses: /plain of this machine could be written from the box.",
        "1",
    ]


@pytest.mark.usefixtures("api_version")
def test_the_dind_image_can_not_write_below_the_project(
    client: DockerClient, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = contents(folder)
    script = f"{WRITE_ALL.format(shlex.quote(str(folder)))}; echo finished"
    with new_run() as run_, stand_in_for_dind(client, script) as image:
        monkeypatch.setattr(nesting, "DIND_IMAGE", image)
        dind = Dind(Engine(client), run_, BoxProject(directory=str(folder)))
        dind.prepare()
        command = ["docker", "run", "--rm", "--interactive", "--privileged", *run_.label_options]
        child = spawn([*command, *dind.arguments(first=True)], stdin=subprocess.PIPE)
        try:
            assert child.stdout is not None
            assert child.stdout.readline() == b"finished\n"
        finally:
            child.communicate(timeout=120)
            with suppress(DockerException):
                client.volumes.get(dind.volume).remove(force=True)
    assert contents(folder) == before


def compose(folder: Path) -> dict[str, Any]:
    return {
        "name": "reach",
        "services": {
            "files": service(
                volumes=[
                    f"{folder}:/parent",
                    f"{folder}/plain:/point:rw",
                    f"{folder}/file:/file",
                    f"{folder}/bound:/bound",
                    f"{folder}/plain:/slave:rslave",
                    f"{folder}:/shared:rw,rshared",
                    "/:/host:rw,rshared",
                ]
            ),
            "kernel": service(
                volumes=[
                    *("/proc:/p", "/sys:/s", "/.onegig/sock:/sock"),
                    *("relative:/relative", "absolute:/absolute"),
                    {
                        "type": "bind",
                        "source": "/proc",
                        "target": "/alone",
                        "bind": {"recursive": "disabled"},
                    },
                ]
            ),
            "privileged": service(privileged=True),
            "vpn": service(
                cap_add=["NET_ADMIN", "SYS_MODULE"],
                devices=["/dev/net/tun"],
                sysctls={"net.ipv4.ip_forward": "1", "kernel.msgmax": "65000"},
            ),
        },
        "volumes": {
            name: {"driver_opts": {"type": "none", "o": "bind", "device": device}}
            for name, device in (("relative", "proc"), ("absolute", "/proc"))
        },
    }


@contextmanager
def boot_file(client: DockerClient, file: Path) -> Iterator[Boxed]:
    with boot(client, load_stack((file,)), MACHINE) as (box, start):
        assert start.problem == ""
        yield Boxed(box=box, name="reach")


@pytest.fixture(scope="module")
def boxed(client: DockerClient, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Boxed]:
    folder = tmp_path_factory.mktemp("project")
    (folder / "compose.yml").write_text(json.dumps(compose(folder)))
    with boot_file(client, folder / "compose.yml") as found:
        yield found


@pytest.mark.usefixtures("api_version")
def test_a_stack_writes_nothing_on_the_machine(client: DockerClient, folder: Path) -> None:
    file = folder / "compose.yml"
    file.write_text(json.dumps(compose(folder)))
    before = contents(folder)
    with boot_file(client, file) as boxed:
        for path in ("/parent", "/point", "/file", "/bound", "/slave", "/shared", f"/host{folder}"):
            boxed.sh("files", WRITE_ALL.format(path))
        assert contents(folder) == before
        assert boxed.sh("files", "cat /parent/plain/inner/file /point/file") == "new\nnew"


def test_a_stack_changes_nothing_of_the_kernel(boxed: Boxed) -> None:
    """The files are only opened for writing, so that nothing changes where an attack succeeds."""
    points = ("/p", "/relative", "/absolute", "/alone")
    for path in (
        *(f"{point}/sys/vm/swappiness" for point in points),
        *(f"{point}/sysrq-trigger" for point in points),
        *("/s/kernel/mm/transparent_hugepage/enabled", "/s/power/state"),
    ):
        said = boxed.sh("kernel", f"[ ! -e {path} ] || (: >>{path}) 2>&1")
        assert said == "" or "Read-only file system" in said, said
    for point in points:
        assert "Read-only" in boxed.sh("kernel", f"(: >>{point}/sys/kernel/core_pattern) 2>&1")
    assert boxed.sh("kernel", "(: >>/p/sys/net/ipv4/ip_forward) 2>&1") == ""  # the box's own


def test_the_engines_socket_can_not_be_replaced(boxed: Boxed) -> None:
    """A link to the machine's own engine in its place would have onegig start containers there."""
    boxed.sh("kernel", "rm -f /sock/*; ln -s /run/docker.sock /sock/docker.sock; ls /sock")
    address = boxed.box.engine.environment["DOCKER_HOST"].removeprefix("unix://")
    assert Path(address).is_socket()
    assert not Path(address).is_symlink()
    assert not list(Path(address).parent.glob("sock/*"))
    assert boxed.box.engine.client.ping()
    assert len(list_containers(boxed.box.engine)) == 4


@pytest.mark.skipif(
    not Path("/sys/fs/cgroup/devices").is_dir(), reason="only cgroup v1 can take a disk away"
)
def test_a_privileged_service_can_not_write_a_disk_raw(boxed: Boxed) -> None:
    assert boxed.sh("privileged", "find /dev -type b") == ""
    numbers = next(Path("/sys/class/block").glob("*/dev")).read_text().strip()
    major, minor = numbers.split(":")
    said = boxed.sh("privileged", f"mknod /disk b {major} {minor}; (: >>/disk) 2>&1")
    assert "Operation not permitted" in said
