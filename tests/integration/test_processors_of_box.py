"""The box has the processors and, as far as the kernel lets it, the settings of the tier."""

import os
from dataclasses import replace

import pytest
from docker import DockerClient

from booting import HERE, MIB, Boxed, MakeStack, boot, measured, sleeper
from judging import checks, judge_stack
from onegig.machine import box as box_module
from onegig.machine.settings import EXCEPT_ADVISED_SINCE, read_settings, version
from onegig.model.memory import Throttled
from onegig.model.service import ServiceState
from onegig.model.settings import HugePages, Settings
from onegig.model.state import State

pytestmark = pytest.mark.engine

SERVICES = 6
PYTHON_IMAGE = os.environ.get("PYTHON_IMAGE", "onegig-local/python:3.13-alpine")


def test_a_stack_sees_the_processors_and_huge_pages_of_its_tier(
    client: DockerClient, make_stack: MakeStack
) -> None:
    stack = make_stack({"one": sleeper(), "greedy": sleeper(cpus=2)})
    wanted = Settings(thp=HugePages.NEVER)
    with boot(client, stack, 400 * MIB, vcpus=1, cpus=0.5, settings=wanted) as (box, start):
        boxed = Boxed(box=box, name=stack.name)
        assert boxed.sh("one", "nproc") == "1"
        assert boxed.sh("one", "grep ^THP_enabled: /proc/1/status").split()[1] == "0"
        assert (box.settings.vcpus, box.settings.cpus) == (1, 0.5)
        assert box.settings.thp is HugePages.NEVER
        if (os.cpu_count() or 1) > 1:  # as on the tier: with more processors it would be created
            assert "CPUs" in start.refused["greedy"]
        assert _quota(client, box.nested.container) == 50_000
        box.lift_cap()
        assert _quota(client, box.nested.container) <= 0


@pytest.mark.skipif(
    version(read_settings().kernel) < EXCEPT_ADVISED_SINCE,
    reason="this kernel can't tell huge pages that were asked for from others",
)
def test_a_stack_gives_up_huge_pages_that_its_tier_gives_when_asked_only(
    client: DockerClient, make_stack: MakeStack, monkeypatch: pytest.MonkeyPatch
) -> None:
    """On a machine that gives them unasked, as this one claims here."""
    here = replace(read_settings(), thp=HugePages.ALWAYS)
    monkeypatch.setattr(box_module, "read_settings", lambda: here)
    ask = "import ctypes; print(ctypes.CDLL(None).prctl(42, 0, 0, 0, 0))"  # PR_GET_THP_DISABLE
    stack = make_stack({"one": sleeper(image=PYTHON_IMAGE)})
    wanted = Settings(thp=HugePages.MADVISE)
    with boot(client, stack, 400 * MIB, settings=wanted) as (box, _start):
        boxed = Boxed(box=box, name=stack.name)
        assert boxed.sh("one", f"python3 -c '{ask}'", check=True) == "3"  # all that was not advised
        assert box.settings.thp is HugePages.MADVISE


def test_health_checks_overlap_without_credits(client: DockerClient, make_stack: MakeStack) -> None:
    """Six checks a second need more than a tenth of a processor: all run nearly all the time."""
    check = {"test": ["CMD", "true"], "interval": "1s", "timeout": "60s", "retries": 9}
    stack = make_stack({f"s{number}": sleeper(healthcheck=check) for number in range(SERVICES)})
    budgets = replace(
        HERE,
        tier_names=("aws-t2-micro",),
        measure=replace(HERE.measure, throttled=True, window_seconds=5, settle_seconds=1),
    )
    report = measured(client, stack, budgets)
    throttled = report.throttled
    assert isinstance(throttled, Throttled)
    assert {service.state for service in throttled.services} == {ServiceState.HEALTHY}
    assert throttled.health_checks > SERVICES / 2
    assert throttled.samples >= 5  # of 10: the sampler is not throttled
    (check,) = checks(judge_stack(budgets, report), "memory.throttled")
    assert check.state is State.GO
    assert "without CPU credits aws-t2-micro has 0.1 CPUs: ready after" in check.message


def _quota(client: DockerClient, container: str) -> int:
    return int(client.api.inspect_container(container)["HostConfig"]["CpuQuota"])
