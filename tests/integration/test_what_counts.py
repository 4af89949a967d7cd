"""What counts as memory, and what a service's state means: a few boots, many kinds of services."""

import json
from dataclasses import replace

import pytest
from docker import DockerClient

from booting import FILL, MIB, READY, MakeStack, measured, shell
from factories import make_images
from judging import TODAY
from onegig.judge.checks import duration
from onegig.judge.verdict import judge
from onegig.model.budgets import Budgets, Metric
from onegig.model.measuring import Measure
from onegig.model.memory import BootPeak, MemoryReport, Start
from onegig.model.service import Breakdown, ServiceState, Trend
from onegig.model.stack import Stack
from onegig.model.verdict import Check

pytestmark = [pytest.mark.engine, pytest.mark.measured]

BUDGETS = Budgets(path="budgets.yml", compose="compose.yml", tier_names=("none",))


def observe(
    client: DockerClient, stack: Stack, *, window: float = 4, timeout: float = 60
) -> tuple[MemoryReport, list[Check]]:
    """What was measured, and every check of it by default limits."""
    plan = Measure(settle_seconds=1, window_seconds=window, healthy_timeout_seconds=timeout)
    budgets = replace(BUDGETS, measure=plan)
    report = measured(client, stack, budgets)
    images = make_images([service.name for service in stack.services])
    verdict = judge(budgets, images, report, None, today=TODAY)
    return report, list(verdict.checks)


def messages(checks: list[Check], identity: str) -> dict[str, str]:
    return {check.subject: check.message for check in checks if check.id == identity}


def test_what_counts_as_memory(client: DockerClient, make_stack: MakeStack) -> None:
    hold = f"x=$({FILL.format(bytes=60 * MIB)})"
    fork = "for i in 1 2 3 4; do (while :; do sleep 1; done) & done; touch /tmp/ready; wait"
    grow = "i=0; while :; do head -c 500000 /dev/zero >/grow/$i; i=$((i+1)); sleep 0.5; done"
    after = {"depends_on": {"job": {"condition": "service_completed_successfully"}}}
    stack = make_stack(
        {
            "job": shell(f"x=$({FILL.format(bytes=100 * MIB)}); sleep 1"),
            "forks": shell(f"{hold}; {fork}", healthcheck=READY, **after),
            "tmpfs": shell(
                "head -c 120000000 /dev/zero >/cache/f; sleep 600", tmpfs=["/cache"], **after
            ),
            "shm": shell(
                "head -c 60000000 /dev/zero >/dev/shm/f; sleep 600", shm_size="67108864", **after
            ),
            "reader": shell(
                "head -c 150000000 /dev/zero >/tmp/f; cat /tmp/f /tmp/f >/dev/null; sleep 600",
                **after,
            ),
            "grows": shell(grow, tmpfs=["/grow"], **after),
        }
    )
    report, checks = observe(client, stack, window=6)
    services = {service.name: service for service in report.services}
    forks = services["forks"]
    assert 60 * MIB <= forks.cost_bytes < 90 * MIB  # five processes, one string
    assert forks.rss_bytes > 4 * 60 * MIB
    assert services["tmpfs"].cost_bytes > services["tmpfs"].shmem_bytes >= 113 * MIB
    assert services["tmpfs"].rss_bytes < 20 * MIB
    assert 57 * MIB <= services["shm"].shmem_bytes <= services["shm"].cost_bytes < 80 * MIB
    assert services["reader"].cost_bytes < 15 * MIB  # the page cache can be dropped
    assert report.box.shmem_bytes >= services["tmpfs"].shmem_bytes + services["shm"].shmem_bytes
    assert report.box.cost_bytes >= sum(service.cost_bytes for service in report.services)
    assert report.window.metric == Metric.COST

    for name in ("forks", "tmpfs", "shm"):
        parts, service = services[name].breakdown, services[name]
        assert isinstance(parts, Breakdown)
        # nothing has changed since the peak, but that one forks while its shares are being read
        slack = 60 / 5 if name == "forks" else 0.5
        assert abs(parts.pss_bytes - service.pss_bytes) < slack * MIB
        assert (parts.heap_bytes > 45 * MIB) is (name == "forks")
        assert (parts.unmapped_bytes + parts.shared_bytes > 57 * MIB) is (name != "forks")

    trend = services["grows"].trend
    assert isinstance(trend, Trend)
    assert 0.4 * MIB < trend.rate < 1.2 * MIB
    assert set(messages(checks, "service.growth")) == {"grows"}

    assert isinstance(report.boot, BootPeak)
    assert report.boot.rss_bytes > 100 * MIB
    if report.boot.starting:  # on a slow machine all the others may be larger together
        assert report.boot.causes


def test_states_and_their_reasons(client: DockerClient, make_stack: MakeStack) -> None:
    ready = {"test": ["CMD", "true"], "interval": "1s"}
    retried = "[ -f /s/once ] && echo migrated && exit 0; touch /s/once; echo not yet; exit 1"
    patient = "[ -f /s/ready ] || { echo no database; exit 1; }; sleep 600"
    volumes = [{"type": "volume", "source": "state", "target": "/s"}]
    no_curl = {"test": ["CMD-SHELL", "curl -f http://localhost/"], "interval": "1s", "retries": 2}
    stack = make_stack(
        {
            "retried": shell(retried, restart="on-failure", volumes=volumes),
            "database": shell("sleep 3; touch /s/ready; sleep 600", volumes=volumes),
            "patient": shell(patient, restart="always", volumes=volumes),
            "ends": {"command": ["true"], "healthcheck": ready},
            "loops": {"command": ["true"], "restart": "always"},
            "quiet": shell("exit 7", logging={"driver": "none"}),
            "greedy": shell("sleep 600", deploy={"resources": {"limits": {"cpus": 512.0}}}),
            "typo": {"entrypoint": ["/no/such/binary"], "command": []},
            "waits": shell("sleep 600", depends_on={"typo": {"condition": "service_started"}}),
            "small": shell(f"x=$({FILL.format(bytes=60 * MIB)}); sleep 600", mem_limit="33554432"),
            "ill": shell("echo started; sleep 600", healthcheck=no_curl),
            "fine": shell("sleep 600"),
        }
    )
    config = json.loads(stack.config_json) | {"volumes": {"state": {"name": "state"}}}
    report, checks = observe(client, replace(stack, config_json=json.dumps(config)))
    states = {service.name: service.state for service in report.services}
    assert states == {
        "retried": ServiceState.COMPLETED,
        "database": ServiceState.RUNNING,
        "patient": ServiceState.RUNNING,
        "ends": ServiceState.STOPPED,
        "loops": ServiceState.CRASHED,
        "quiet": ServiceState.CRASHED,
        "greedy": ServiceState.REFUSED,
        "typo": ServiceState.REFUSED,
        "waits": ServiceState.WAITING,
        "small": ServiceState.OOM_KILLED,
        "ill": ServiceState.UNHEALTHY,
        "fine": ServiceState.RUNNING,
    }
    reasons = messages(checks, "service.state")
    assert reasons["patient"].startswith("patient is up, but was restarted ")
    assert reasons["quiet"].startswith("quiet crashed with exit code 7")
    assert "keeps ending with exit code 0" in reasons["loops"]
    assert "CPUs" in reasons["greedy"]
    assert "/no/such/binary" in reasons["typo"]
    assert "waits for typo" in reasons["waits"]
    assert "its own limit of 32 MB" in reasons["small"]
    assert "curl" in reasons["ill"]
    assert report.incomplete == ()


def test_when_time_runs_out_nothing_has_failed(client: DockerClient, make_stack: MakeStack) -> None:
    slow = {"test": ["CMD", "true"], "interval": "60s"}
    stack = make_stack(
        {
            "slow": shell("sleep 600", healthcheck=slow),
            "next": shell("sleep 600", depends_on={"slow": {"condition": "service_healthy"}}),
            "free": shell("sleep 600"),
        }
    )
    report, checks = observe(client, stack, timeout=5)
    states = [service.state.value for service in report.services]
    assert states == ["not-ready", "not-ready", "running"]
    assert isinstance(report.start, Start)
    assert report.start.waited_for == ("slow",)
    reasons = messages(checks, "service.state")
    waited = duration(round(report.start.seconds))  # 5 s, or more on a slow machine
    assert f"slow was not healthy within {waited}" in reasons["slow"]
    assert "it waits for slow" in reasons["next"]
    assert "measure.healthy_timeout" in reasons["slow"]
