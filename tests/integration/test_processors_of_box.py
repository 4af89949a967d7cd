"""The box has the processors and, as far as the kernel lets it, the settings of the tier."""

import os

import pytest
from docker import DockerClient

from booting import MIB, Boxed, MakeStack, boot, sleeper
from onegig.model.settings import HugePages, Settings

pytestmark = pytest.mark.engine


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


def _quota(client: DockerClient, container: str) -> int:
    return int(client.api.inspect_container(container)["HostConfig"]["CpuQuota"])
