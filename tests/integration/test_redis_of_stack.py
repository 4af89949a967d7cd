"""Each Redis of a stack is audited where it runs, without a published port, behind a password.

In the box, as `onegig check` does it; the twin's engine is reached in the same way.
"""

import os
from dataclasses import replace

import pytest
from docker import DockerClient

from booting import HERE, MakeStack, measured, shell, sleeper
from judging import TODAY
from onegig.judge.verdict import judge
from onegig.model.budgets import RedisBudget
from onegig.model.codec import to_json
from onegig.model.measured import Missing, Skipped, Unknown
from onegig.model.measuring import Measure
from onegig.model.memory import MemoryReport
from onegig.model.redis import RedisAudit

pytestmark = [pytest.mark.engine]

VALKEY = os.environ.get("VALKEY_IMAGE", "onegig-local/valkey:8-alpine")
KEYS = 3000
FILLED = f"""
valkey-server --save "" --port 7000 --requirepass "$PASSWORD" &
until valkey-cli -p 7000 -a "$PASSWORD" ping; do sleep 0.2; done
seq {KEYS} | sed 's/.*/SET session:&:data value-&/' | valkey-cli -p 7000 -a "$PASSWORD" >/dev/null
touch /tmp/ready
wait
"""
READY = {"test": ["CMD", "test", "-f", "/tmp/ready"], "interval": "1s", "retries": 60}
SERVERS = {
    "filled": shell(FILLED, environment={"PASSWORD": "s3cret-word"}, healthcheck=READY),
    "sealed": {"command": ["valkey-server", "--save", ""], "network_mode": "none"},
    "socket": {"command": ["valkey-server", "--port", "0", "--unixsocket", "/tmp/valkey.sock"]},
}
ASKED = replace(
    HERE,
    measure=Measure(settle_seconds=1, window_seconds=1, hz=4),
    redis=RedisBudget(
        memory_bytes=2_500_000, services=("filled", "sealed", "socket", "shell"), replay=True
    ),
)


@pytest.fixture
def report(client: DockerClient, make_stack: MakeStack) -> MemoryReport:
    """Three servers of valkey's image, and a service that is none, as they were measured."""
    services = {name: {**keys, "image": VALKEY} for name, keys in SERVERS.items()}
    return measured(client, make_stack({**services, "shell": sleeper()}), ASKED)


def test_servers_are_audited_in_the_box_they_run_in(report: MemoryReport) -> None:
    assert isinstance(report.redis, tuple)
    audits = {each.service: each.audit for each in report.redis}
    filled, sealed = audits["filled"], audits["sealed"]
    assert isinstance(filled, RedisAudit)
    assert isinstance(sealed, RedisAudit)
    assert filled.target == "filled"
    assert [(each.keys.value, each.type) for each in filled.patterns] == [(KEYS, "string")]
    assert filled.patterns[0].name.startswith("session:")
    assert (filled.servers[0].keys, sealed.servers[0].keys) == (KEYS, 0)
    assert not isinstance(filled.savings, Missing)
    assert filled.savings
    assert all(saving.measured for saving in filled.savings)
    for name in ("socket", "shell"):
        missing = audits[name]
        assert isinstance(missing, Unknown)
        assert missing.reason == "no port of its container answers as a Redis does"
    assert "s3cret-word" not in to_json(report)
    assert all(service.state.value in ("healthy", "running") for service in report.services)
    verdict = judge(ASKED, Skipped(reason="not asked for"), report, None, today=TODAY)
    states = {c.subject: c.state.value for c in verdict.checks if c.id == "redis.memory"}
    incomplete = dict.fromkeys(("socket", "shell"), "INCOMPLETE")
    assert states == {"filled": "GO", "sealed": "GO", **incomplete}
