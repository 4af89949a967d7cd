"""The squeeze on a real engine: the kernel's answer, and what it makes of the verdict."""

import shutil
from collections.abc import Iterator

import pytest
from docker import DockerClient

from eaters import Bench, eater_image
from onegig.engine.engine import Engine
from onegig.model.measuring import SqueezeMode
from onegig.model.memory import Squeeze
from onegig.model.service import ServiceState
from onegig.model.state import State
from onegig.model.tiers import find_tier

pytestmark = [
    pytest.mark.engine,
    pytest.mark.measured,
    pytest.mark.skipif(not shutil.which("cc"), reason="no C compiler for the stacks' program"),
]
MIB = 1024**2
T3 = find_tier("aws-t3-micro")  # leaves 748 MB


@pytest.fixture(scope="module")
def bench(client: DockerClient, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Bench]:
    folder, engine = tmp_path_factory.mktemp("near"), Engine(client)
    with eater_image(engine, folder) as image:
        yield Bench(
            engine, image, T3, print, squeeze=SqueezeMode.ALWAYS, healthy_timeout_seconds=40
        )


@pytest.mark.parametrize(
    ("kind", "hold_mb", "before", "after", "answer"),
    [
        ("big", 200, State.GO, State.GO, "the stack fits into the 748 MB"),
        ("tmpfs", 740, State.WARN, State.NO_GO, "the stack does not fit into the 748 MB"),
    ],
)
def test_no_go_where_the_kernel_killed(
    bench: Bench, kind: str, hold_mb: int, before: State, after: State, answer: str
) -> None:
    case = bench.run(kind, hold_mb)
    squeeze = case.report.squeeze
    assert isinstance(squeeze, Squeeze), squeeze
    assert squeeze.room_bytes == 748 * MIB < case.report.box.cap_bytes
    assert squeeze.seconds > 0
    message = next(check.message for check in case.verdict.checks if check.id == "memory.squeeze")
    assert message.startswith(answer)
    assert (case.before.state, case.verdict.state) == (before, after), case.verdict.sentence
    assert case.killed is (after is State.NO_GO)
    assert (squeeze.services[0].state is ServiceState.HEALTHY) is (after is State.GO)
