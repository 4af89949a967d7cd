"""What the box offers to a stack that expects a whole machine; all of it is in one boot."""

import json
import os
import shlex
import socket
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from tempfile import mkdtemp
from typing import Any

import pytest
from docker import DockerClient
from docker.errors import DockerException

from booting import MIB, Boxed, boot, run_shell
from booting import sleeper as service
from onegig.config.stack import load_stack
from onegig.machine.machine import list_containers
from onegig.process import run
from registry import registry
from small_image import SMALL_IMAGE

pytestmark = pytest.mark.engine

MACHINE = 700 * MIB
PYTHON_IMAGE = os.environ.get("PYTHON_IMAGE", "onegig-local/python:3.13-alpine")
IS_ROOT = os.geteuid() == 0
ODD_NAME = "it's 100%: a, b"
NOWHERE = f"/onegig-test-{os.getpid()}"  # a folder of the root that no host has
RUN_FOLDER = f"/run/onegig-test-{os.getpid()}"
ASK_ENGINE = """
import socket
s = socket.socket(socket.AF_UNIX)
s.connect("/var/run/docker.sock")
s.sendall(b"GET /info HTTP/1.0\\r\\n\\r\\n")
answer = b""
while part := s.recv(65536):
    answer += part
print(answer.partition(b"\\r\\n\\r\\n")[2].decode())
"""


@dataclass(frozen=True, kw_only=True)
class OfferedBox(Boxed):
    """A stack in a box, and its folder on the host."""

    host: Path
    outer: DockerClient
    problem: str

    def run(self, service: str, command: str) -> str:
        """Return what a command that must work prints in a service's container."""
        return self.sh(service, command, check=True)

    def inspect(self, service: str) -> dict[str, Any]:
        """Return how the box's engine describes a service's container."""
        return dict(self.box.engine.client.api.inspect_container(f"offers-{service}-1"))


def bind(source: object, target: str, **options: Any) -> dict[str, Any]:
    return {"type": "bind", "source": str(source), "target": target, **options}


def files_of(host: Path, project: Path) -> dict[str, Any]:
    """A service with a mount of each kind."""
    odd = host / ODD_NAME
    return service(
        volumes=[
            f"{NOWHERE}/db:/missing",
            bind(f"{NOWHERE}/long", "/missing-long"),
            "./relative:/relative",
            f"{host}/plain:/plain",
            f"{host}/plain/file.txt:/file.txt",
            f"{host}/link:/link",
            f"{host}/link.txt:/link.txt",
            f"{host}/tmpfs:/tmpfs",
            f"{host}/deep:/deep",
            f"/var{RUN_FOLDER}:/from-run",
            f"{RUN_FOLDER}/file.txt:/from-run.txt",
            bind(odd, "/odd"),
            bind(f"{odd}/new: folder", "/odd-missing"),
            bind(project / "seed.txt", "/seed.txt"),
            "/etc/localtime:/etc/localtime:ro",
            "/:/host:ro,rslave",
            "/proc:/host-proc:ro",
            "/sys:/host-sys:ro",
            "/var/lib/docker:/engine:ro",
            "/var/run:/host-run",
            "bound:/bound",
            "server:/server",
            "outside:/outside",
        ],
        configs=["plain"],
        secrets=["plain"],
    )


def compose(host: Path, project: Path, images: Sequence[str]) -> dict[str, Any]:
    """A project that needs more of a machine than an engine alone."""
    limits = {"resources": {"limits": {"memory": "50m"}}}
    slow = {"resources": {"limits": {"cpus": "0.5"}}}
    fixed = {"lan": {"ipv4_address": "192.168.50.10", "ipv6_address": "fd00:50::10"}}
    return {
        "name": "offers",
        "services": {
            "files": files_of(host, project),
            "engine": service(
                image=PYTHON_IMAGE, volumes=["/var/run/docker.sock:/var/run/docker.sock:ro"]
            ),
            "fixed": service(networks=fixed),
            "twice": service(networks=["lan", "again"]),
            "macvlan": service(networks={"macvlan": {"ipv4_address": "10.201.0.9"}}),
            "own-proc": service(volumes=[f"{host}/plain/file.txt:/proc/meminfo:ro"]),
            "inherits": service(volumes_from=["own-proc"]),
            "reserved": service(mem_reservation=2 * MACHINE),
            "limited": service(deploy=limits),
            "slow": service(deploy=slow),
            "parent": service(
                cgroup_parent="/elsewhere",
                logging={"driver": "syslog"},
                platform="linux/s390x",
                pull_policy="always",
                ports=["192.0.2.7:8123:80"],
                read_only=True,
            ),
            **{f"image{n}": service(image=image) for n, image in enumerate(images)},
        },
        "networks": {
            "lan": {"external": True, "name": "company"},
            "again": {"external": True, "name": "company"},
            "macvlan": {
                "driver": "macvlan",
                "driver_opts": {"parent": "no-such-interface"},
                "ipam": {"config": [{"subnet": "10.201.0.0/24"}]},
            },
        },
        "volumes": {
            "bound": {"driver_opts": {"type": "none", "o": "bind", "device": f"{NOWHERE}/device"}},
            "server": {"driver_opts": {"type": "nfs", "o": "addr=192.0.2.1", "device": ":/export"}},
            "outside": {"external": True, "name": "company-data"},
        },
        "configs": {"plain": {"file": f"{host}/plain/file.txt"}},
        "secrets": {"plain": {"file": f"{host}/link.txt"}},
    }


@contextmanager
def host_mounts(host: Path) -> Iterator[None]:
    """A tmpfs, overlays as deep as the kernel allows, and a folder of /run."""
    tmpfs, deep, lower = host / "tmpfs", host / "deep", host / "plain"
    with ExitStack() as stack:
        run(["mount", "-t", "tmpfs", "tmpfs", str(tmpfs)])
        stack.callback(run, ["umount", str(tmpfs)])
        for _ in range(2):
            run(["mount", "-t", "overlay", "-o", f"ro,lowerdir={lower}:{tmpfs}", "x", str(deep)])
            stack.callback(run, ["umount", str(deep)])
            lower = deep
        Path(RUN_FOLDER).mkdir()
        stack.callback(run, ["rm", "-r", RUN_FOLDER])
        Path(RUN_FOLDER, "file.txt").write_text("of /run\n")
        stack.enter_context(listening(Path(RUN_FOLDER, "host.sock")))
        yield


@contextmanager
def listening(path: Path) -> Iterator[None]:
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(path))
        listener.listen()
        yield


@contextmanager
def host_files() -> Iterator[Path]:
    """Folders and files of the host, a mount among them where we may make one."""
    with ExitStack() as stack:
        # Below the root's own file system or /tmp, wherever that lies.
        host = Path(mkdtemp(prefix="onegig-offers-"))
        stack.callback(run, ["rm", "-rf", "--one-file-system", str(host)])
        for folder in ("plain", "tmpfs", "deep", ODD_NAME, "project, 1: x"):
            (host / folder).mkdir()
        (host / "plain" / "file.txt").write_text("MemTotal: 1 kB\n")
        (host / "plain").chmod(0o1777)
        (host / "link").symlink_to(host / "plain")
        (host / "link.txt").symlink_to("plain/file.txt")
        (host / ODD_NAME / "file.txt").write_text("odd\n")
        (host / "project, 1: x" / "seed.txt").write_text("seed\n")
        (host / "project").symlink_to("project, 1: x")
        if IS_ROOT:
            stack.enter_context(host_mounts(host))
        (host / "tmpfs" / "file.txt").write_text("of a mount\n")
        for folder in ("plain", "tmpfs", ODD_NAME):
            (host / folder / "change.txt").write_text("old\n")
        stack.enter_context(listening(host / "plain" / "host.sock"))
        yield host


@contextmanager
def pushed_images(client: DockerClient) -> Iterator[tuple[str, ...]]:
    """The same image by tag and digest, by digest and by id; pulled, so that it has digests."""
    with registry() as there:
        name = f"{there.address}/onegig-test/offers"
        names = [f"{name}:1"]
        try:
            container = client.containers.create(SMALL_IMAGE)
            container.commit(name, tag="1", changes=["LABEL test=offers"])
            container.remove()
            run(["docker", "push", "--quiet", f"{name}:1"], timeout_seconds=120)
            pushed = client.images.get(f"{name}:1")
            (digest,) = pushed.attrs["RepoDigests"]
            names += [digest, str(pushed.id)]
            client.images.remove(f"{name}:1", force=True)
            run(["docker", "pull", "--quiet", digest], timeout_seconds=120)
            yield digest.replace("@", ":1@"), digest, str(pushed.id)
        finally:
            for image in names:
                with suppress(DockerException):
                    client.images.remove(image, force=True)


def snapshot(host: Path) -> set[tuple[str, int, bytes]]:
    """Everything below a folder of the host: paths, modes, contents."""
    paths = [path for path in host.rglob("*") if not path.is_symlink()]
    return {
        (str(path), path.stat().st_mode, path.read_bytes() if path.is_file() else b"")
        for path in paths
    }


@pytest.fixture(scope="module")
def boxed(client: DockerClient) -> Iterator[OfferedBox]:
    with host_files() as host, pushed_images(client) as images:
        project = host / "project"
        (project / "compose.yml").write_text(json.dumps(compose(host, project, images)))
        before = snapshot(host)
        stack = load_stack((project / "compose.yml",))
        with boot(client, stack, MACHINE) as (box, start):
            yield OfferedBox(box=box, name="offers", host=host, outer=client, problem=start.problem)
        assert snapshot(host) == before
        assert not Path(NOWHERE).exists()


def test_every_service_starts(boxed: OfferedBox) -> None:
    assert boxed.problem == ""
    states = {c.service: (c.status, c.error) for c in list_containers(boxed.box.engine)}
    assert len(states) == 14
    assert set(states.values()) == {("running", "")}


@pytest.mark.parametrize(
    ("path", "content"),
    [
        ("/plain/file.txt", "MemTotal: 1 kB"),
        ("/file.txt", "MemTotal: 1 kB"),
        ("/link/file.txt", "MemTotal: 1 kB"),
        ("/link.txt", "MemTotal: 1 kB"),
        ("/tmpfs/file.txt", "of a mount"),
        ("/odd/file.txt", "odd"),
        ("/seed.txt", "seed"),
        ("/run/secrets/plain", "MemTotal: 1 kB"),
        ("/etc/localtime", None),
        ("/host/etc/passwd", None),
        ("/host-proc/1/comm", None),
    ],
)
def test_files_of_the_host_are_there(boxed: OfferedBox, path: str, content: str | None) -> None:
    command = f"cat {path} | wc -c" if content is None else f"find {path} -type f -exec cat {{}} +"
    shown = boxed.run("files", command)
    if content is None:
        assert int(shown) > 0
    else:
        assert shown == content


@pytest.mark.parametrize(
    "folder",
    ["/missing", "/missing-long", "/relative", "/bound", "/server", "/outside", "/odd-missing"],
)
def test_folders_that_the_host_lacks_are_empty_and_writable(boxed: OfferedBox, folder: str) -> None:
    assert boxed.run("files", f"ls -A {folder}") == ""
    boxed.run("files", f"echo x >{folder}/written")


@pytest.mark.parametrize(
    ("folder", "name"),
    [("/plain", "plain"), ("/link", "plain"), ("/tmpfs", "tmpfs"), ("/odd", ODD_NAME)],
)
def test_what_is_written_stays_in_the_box(boxed: OfferedBox, folder: str, name: str) -> None:
    boxed.run("files", f"cd {folder}; mkdir -p new && echo new >new/file && echo new >change.txt")
    assert boxed.run("files", f"cat {shlex.quote(f'/host{boxed.host}/{name}/change.txt')}") == "new"
    assert (boxed.host / name / "change.txt").read_text() == "old\n"
    assert not (boxed.host / name / "new").exists()


def test_folders_have_the_hosts_owner_and_mode(boxed: OfferedBox) -> None:
    found = [(boxed.host / name).stat() for name in ("plain", "tmpfs")]
    shown = boxed.run("files", "stat -c %a:%u /plain /tmpfs")
    assert shown.split() == [f"{one.st_mode & 0o7777:o}:{one.st_uid}" for one in found]


@pytest.mark.skipif(not IS_ROOT, reason="only root can mount and write below /run")
def test_mounts_and_run_of_the_host(boxed: OfferedBox) -> None:
    assert boxed.run("files", "cat /deep/file.txt") == "MemTotal: 1 kB"
    assert f"{boxed.host}/deep is read-only in the box." in boxed.box.remarks
    assert boxed.run("files", "cat /from-run/file.txt /from-run.txt") == "of /run\nof /run"
    boxed.run("files", "echo new >/from-run/new && echo more >>/from-run.txt")
    assert sorted(path.name for path in Path(RUN_FOLDER).iterdir()) == ["file.txt", "host.sock"]
    assert Path(RUN_FOLDER, "file.txt").read_text() == "of /run\n"


def test_the_engines_folders_are_the_boxs_own(boxed: OfferedBox) -> None:
    ids = {c.container_id for c in list_containers(boxed.box.engine)}
    assert set(boxed.run("files", "ls /engine/containers").split()) == ids
    assert set(boxed.run("files", "ls /host/var/lib/docker/containers").split()) == ids
    assert boxed.run("files", "test -S /host-run/docker.sock && echo yes") == "yes"
    assert boxed.run("files", "find /plain /from-run -name '*.sock'") == ""  # none of the host's


def test_the_engines_socket_is_the_boxs_own(boxed: OfferedBox) -> None:
    container = boxed.box.engine.client.containers.get("offers-engine-1")
    done = container.exec_run(["python3", "-c", ASK_ENGINE])
    assert json.loads(done.output)["ID"] == boxed.box.engine.client.info()["ID"]
    assert json.loads(done.output)["ID"] != boxed.outer.info()["ID"]


def test_programs_see_the_machines_memory(boxed: OfferedBox) -> None:
    shown = boxed.run("files", "head -n 1 /proc/meminfo")
    assert shown.split() == ["MemTotal:", str(MACHINE // 1024), "kB"]
    assert boxed.run("own-proc", "cat /proc/meminfo") == "MemTotal: 1 kB"
    assert boxed.run("parent", "head -n 1 /proc/meminfo").split()[1] == str(MACHINE // 1024)
    limit = "cat /sys/fs/cgroup/memory.max /sys/fs/cgroup/memory/memory.limit_in_bytes 2>/dev/null"
    names = ("files", "reserved", "limited", "slow")
    limits = [int(boxed.run(name, f"{limit} || true")) for name in names]
    assert limits == [MACHINE, 2 * MACHINE, 50 * MIB, MACHINE]


def test_networks_that_only_the_machine_has(boxed: OfferedBox) -> None:
    addresses = boxed.run("fixed", "ip -o addr")
    assert "192.168.50.10/24" in addresses
    assert "fd00:50::10/64" in addresses
    assert "10.201.0.9/24" in boxed.run("macvlan", "ip -o addr")
    names = [network.name for network in boxed.box.engine.client.networks.list()]
    assert names.count("company") == 1
    assert boxed.inspect("parent")["HostConfig"]["PortBindings"]["80/tcp"] == [
        {"HostIp": "127.0.1.1", "HostPort": "8123"}
    ]


@pytest.mark.parametrize(
    ("name", "reference"), [("image0", ":1"), ("image1", ":sha256-"), ("image2", "onegig/image:")]
)
def test_images_by_digest_and_id_run(boxed: OfferedBox, name: str, reference: str) -> None:
    container = boxed.inspect(name)
    assert reference in container["Config"]["Image"]
    assert container["Config"]["Labels"]["test"] == "offers"


def test_the_kernel_would_kill_a_service_before_the_engine(boxed: OfferedBox) -> None:
    each = "for p in /proc/[0-9]*; do echo $(cat $p/comm $p/oom_score_adj); done"
    holder = boxed.outer.containers.get(boxed.box.nested.container)
    lines = run_shell(holder, each)[1].splitlines()
    scores = dict(line.split() for line in lines if len(line.split()) == 2)
    assert scores["dockerd"] == scores["containerd"]
    assert int(scores["sleep"]) - int(scores["dockerd"]) == 500


def test_remarks_name_what_differs(boxed: OfferedBox) -> None:
    remarks = [
        text for text in boxed.box.remarks if not text.endswith("/deep is read-only in the box.")
    ]
    assert remarks == [
        "engine: /var/run/docker.sock is the socket of the box's own engine.",
        "parent: cgroup_parent is ignored in the box.",
        f"parent: its platform is linux/s390x, this machine's is {boxed.outer.version()['Arch']}.",
        "parent: the box logs to json-file instead of syslog.",
        "parent: ports on 192.0.2.7 are on a loopback address in the box.",
        "network macvlan: the box has a bridge instead of macvlan.",
        "volume server: the box has an empty local volume instead of nfs.",
    ]


def test_nothing_of_the_host_is_mounted_writable(boxed: OfferedBox) -> None:
    """Every mount of the box that is not its own is an overlay or read-only."""
    holder = boxed.outer.containers.get(boxed.box.nested.container)
    table = run_shell(holder, "cat /proc/1/mountinfo")[1].splitlines()
    volume = boxed.outer.volumes.get(boxed.box.nested.container.removesuffix("-box") + "-data")
    assert table
    for line in table:
        fields, _, source = line.partition(" - ")
        root, point, options = fields.split()[3:6]
        if source.split()[0] in ("ext4", "xfs", "btrfs") and not options.startswith("ro"):
            own = (volume.attrs["Mountpoint"], "/sock", "/containers/")
            assert any(part in root + point for part in own), line
