"""The agent of the twin's guest, compiled and run here over real processes in made-up cgroups."""

import json
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

import psutil
import pytest

import onegig
from onegig.machine.cgroup import read_marks, read_usage
from onegig.machine.processes import Usage, read_memory
from onegig.machine.sampler import Pass
from onegig.machine.twin.passes import Answer, Passes

SOURCES = Path(onegig.__file__).parent / "machine/twin/agent"
GOLDEN = Path(__file__).parents[2] / "golden/cgroup/v2"
COMPILER = shutil.which("cc")
FIRST, SECOND = "1" * 64, "2" * 64
MOST_LINES = 2000  # of a hundred a second: then what was waited for will not come

pytestmark = pytest.mark.skipif(
    COMPILER is None or sys.platform != "linux", reason="needs a C compiler on Linux"
)


@dataclass
class Agent:
    """A running agent."""

    child: subprocess.Popen[bytes]
    passes: Passes

    def lines(self) -> Iterator[Pass | Answer]:
        """Yield what it says, a bounded number of lines."""
        assert self.child.stdout
        for line in islice(self.child.stdout, MOST_LINES):
            parsed = self.passes.feed(line, 0.0)
            assert parsed is not None, line
            yield parsed

    def first(self, wanted: Callable[[Pass], bool]) -> Pass:
        """Return the first pass like that."""
        for sample in self.lines():
            if isinstance(sample, Pass) and wanted(sample):
                return sample
        raise AssertionError("no pass was as expected")

    def send(self, **command: str | float) -> None:
        assert self.child.stdin
        self.child.stdin.write(json.dumps(command).encode() + b"\n")
        self.child.stdin.flush()

    def answer(self) -> tuple[Answer, int]:
        """Return the next answer, and how many passes came before it."""
        for count, line in enumerate(self.lines()):
            if isinstance(line, Answer):
                return line, count
        raise AssertionError("no answer")


@pytest.fixture(scope="module")
def program(tmp_path_factory: pytest.TempPathFactory) -> Path:
    built = tmp_path_factory.mktemp("agent") / "agent"
    sources = sorted(map(str, SOURCES.glob("*.c")))
    flags = ["-std=gnu11", "-Wall", "-Wextra", "-Werror", "-O1"]
    subprocess.run([str(COMPILER), *flags, "-o", str(built), *sources], check=True)
    return built


@pytest.fixture
def sleeper(tmp_path: Path) -> Iterator[Callable[[str], int]]:
    """Start a process of that name and return its number."""
    started: list[subprocess.Popen[bytes]] = []

    def start(name: str) -> int:
        copy = tmp_path / "bin" / name
        copy.parent.mkdir(exist_ok=True)
        if not copy.exists():
            shutil.copy(shutil.which("sleep") or "", copy)
        started.append(subprocess.Popen([str(copy), "600"]))
        return started[-1].pid

    yield start
    for child in started:
        child.kill()
        child.wait()


@pytest.fixture
def cgroup(tmp_path: Path) -> Callable[..., Path]:
    """Make a cgroup that holds those processes, with a captured account."""

    def make(name: str, *pids: int) -> Path:
        folder = tmp_path / "cgroups" / name
        folder.mkdir(parents=True, exist_ok=True)
        for file in GOLDEN.iterdir():
            shutil.copy(file, folder)
        (folder / "cgroup.procs").write_text("".join(f"{pid}\n" for pid in pids))
        return folder

    return make


@pytest.fixture
def agent(
    program: Path, tmp_path: Path, cgroup: Callable[..., Path]
) -> Iterator[Callable[[], Agent]]:
    started: list[subprocess.Popen[bytes]] = []

    def start() -> Agent:
        cgroup("")
        command = [str(program), "100", str(tmp_path / "cgroups")]
        child = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        started.append(child)
        return Agent(child, Passes())

    yield start
    for child in started:
        child.communicate()  # it ends with its standard input
        assert child.returncode == 0


class Near(Usage):
    """A usage as it may be a moment later: pages shared with processes that came or ended."""

    def __eq__(self, other: object) -> bool:
        assert isinstance(other, Usage)
        same = (self.processes, self.rss, self.shmem) == (other.processes, other.rss, other.shmem)
        return same and other.pss == pytest.approx(self.pss, rel=0.2)

    __hash__ = None  # type: ignore[assignment]


def processes_in(sample: Pass) -> int:
    usages = [*sample.engine.values(), *(used.usage for used in sample.containers.values())]
    return sum(usage.processes for usage in usages) + (sample.system or Usage()).processes


def memory(*pids: int) -> Usage:
    usage = Near()
    for pid in pids:
        values = read_memory(pid)
        assert values is not None
        usage.add(*values)
    return usage


def test_its_sums_are_those_of_the_boxs_sampler_and_of_psutil(
    agent: Callable[[], Agent], cgroup: Callable[..., Path], sleeper: Callable[[str], int]
) -> None:
    own, other, below, starting = map(sleeper, ("sleep", "server", "worker", "runc"))
    daemon, cli = map(sleeper, ("dockerd", "docker"))
    shims = [sleeper("containerd-shim") for _ in range(3)]
    scope = cgroup(f"system.slice/docker-{FIRST}.scope", own, starting)
    cgroup(f"docker/{SECOND}", other)
    cgroup(f"docker/{SECOND}/nested", below)
    cgroup("system.slice/docker.service", daemon, *shims)
    cgroup("user.slice/session", cli)
    sample = agent().first(lambda sample: processes_in(sample) == 9)
    expected = [(own,), (other, below), (daemon,), shims, (starting,), (cli,)]
    seen = [sample.containers[key].usage for key in (FIRST, SECOND)]
    seen += [sample.engine[kind] for kind in ("dockerd", "shim", "runc")]
    assert [*seen, sample.system] == [memory(*pids) for pids in expected]
    assert sample.containers[FIRST].account == read_usage(scope, 2, read_marks(scope, 2))
    full = psutil.Process(daemon).memory_full_info()
    assert sample.engine["dockerd"] == Near(1, full.rss, full.pss)
    assert sample.machine is not None
    assert sample.machine.total == psutil.virtual_memory().total
    assert 0 < sample.machine.sampler < 2 * 1024**2


def test_podmans_parts_are_told_from_its_containers(
    agent: Callable[[], Agent], cgroup: Callable[..., Path], sleeper: Callable[[str], int]
) -> None:
    own, runtime, monitor, api, check, dns = map(
        sleeper, ("sleep", "crun", "conmon", "podman", "conmon", "aardvark-dns")
    )
    cgroup(f"machine.slice/libpod-{FIRST}.scope")
    cgroup(f"machine.slice/libpod-{FIRST}.scope/container", own, runtime)
    cgroup(f"machine.slice/libpod-conmon-{FIRST}.scope", monitor)
    cgroup("system.slice/podman.service", api)
    cgroup("system.slice/run-1.scope", dns)
    running = agent()
    running.first(lambda sample: processes_in(sample) == 5)
    cgroup(f"system.slice/{FIRST}-1f2e.service", check)
    sample = running.first(lambda sample: sample.engine["conmon"].processes == 2)
    assert sample.containers == {FIRST: sample.containers[FIRST]}
    assert sample.containers[FIRST].usage == memory(own)
    parts = {"crun": (runtime,), "conmon": (monitor, check), "podman": (api,), "dns": (dns,)}
    assert sample.engine == {kind: memory(*pids) for kind, pids in parts.items()}


def test_every_process_is_read_even_where_a_pass_has_no_time_for_all(
    agent: Callable[[], Agent], cgroup: Callable[..., Path], sleeper: Callable[[str], int]
) -> None:
    pids = [sleeper("sleep") for _ in range(60)]
    cgroup(f"docker/{FIRST}", *pids)
    sample = agent().first(lambda sample: sample.containers[FIRST].usage.processes == 60)
    assert sample.containers[FIRST].usage.rss == memory(*pids).rss


def test_memory_borrowed_between_vfork_and_exec_counts_once(
    agent: Callable[[], Agent],
    cgroup: Callable[..., Path],
    sleeper: Callable[[str], int],
    spawning: tuple[int, int],
) -> None:
    cgroup(f"docker/{FIRST}", *reversed(spawning))
    cgroup(f"docker/{SECOND}", sleeper("sleep"))
    running = agent()
    running.first(lambda sample: sample.containers[SECOND].usage.processes == 1)
    sample = running.first(lambda sample: sample.containers[FIRST].usage.processes > 0)
    assert sample.containers[FIRST].usage.processes == 1


def test_containers_come_and_go(
    agent: Callable[[], Agent],
    cgroup: Callable[..., Path],
    sleeper: Callable[[str], int],
) -> None:
    running = agent()
    running.first(lambda sample: not sample.containers)
    pid = sleeper("sleep")
    folder = cgroup(f"docker/{FIRST}", pid)
    running.first(lambda sample: FIRST in sample.containers)
    shutil.rmtree(folder)
    after = running.first(lambda sample: FIRST not in sample.containers)
    assert after.engine == {}


def test_commands_run_one_after_another_while_passes_go_on(
    agent: Callable[[], Agent], tmp_path: Path
) -> None:
    running, gate = agent(), tmp_path / "gate"
    wait = f"until [ -e {gate} ]; do sleep 0.01; done"
    running.send(number=7, run=f"{wait}; printf 'a \"b\"\\\\\\n\\t'; echo größe >&2; exit 3")
    running.send(number=8, run="cat; yes | head -c 9000; kill -9 $$")
    running.send(number=9, run="sleep 5 & echo left behind")
    assert all(isinstance(line, Pass) for line in islice(running.lines(), 5))
    gate.touch()
    answer, _ = running.answer()
    assert answer == Answer(number=7, ran=3, output='a "b"\\\n\tgröße\n')
    answer, _ = running.answer()
    assert (answer.number, answer.ran) == (8, 137)
    assert (len(answer.output), set(answer.output)) == (4000, {"y", "\n"})
    assert running.answer()[0] == Answer(number=9, ran=0, output="left behind\n")


def test_its_host_sets_the_rate(agent: Callable[[], Agent]) -> None:
    running = agent()
    running.first(lambda _: True)
    running.send(hz=0.1)
    running.send(run="sleep 1")
    _, passes = running.answer()
    assert passes <= 2  # a hundred before


def test_a_rate_out_of_range_is_refused(program: Path) -> None:
    result = subprocess.run([str(program), "1000"], capture_output=True, text=True, check=False)
    assert result.returncode == 2
    assert "usage: agent" in result.stderr
