"""Several services in one process: each has its own health and log, none takes another down."""

import os
import signal
from functools import partial
from pathlib import Path

import pytest
import yaml

from desk.redis import Redis
from running import (
    ENVIRONMENT,
    SERVICES,
    Launch,
    RedisServer,
    ServiceProcess,
    counters,
    eventually,
    has_acknowledged,
)
from test_desk_service import has_echoed, publish

COMPOSE = yaml.safe_load((SERVICES / "compose.yml").read_text())["services"]
FOLDERS = [name for name, service in COMPOSE.items() if "onegig.merge" in service["labels"]]
MAIN = SERVICES / "intelligence" / "main.py"
PLACES = os.pathsep.join((ENVIRONMENT["PYTHONPATH"], *(str(SERVICES / name) for name in FOLDERS)))


@pytest.fixture
def host(launch: Launch) -> Launch:
    """Start the services that are named, in one process."""

    def start(names: str, **environment: str) -> ServiceProcess:
        return launch(MAIN, DESK_SERVICES=names, PYTHONPATH=PLACES, **environment)

    return start


def test_all_twelve_work_in_one_process_and_stop_at_once(redis: Redis, host: Launch) -> None:
    publish(redis, range(500))
    service = host(",".join(FOLDERS))
    eventually(service.is_healthy)
    for name in FOLDERS:
        service.says(f"info: {name}: {name} reads")
        eventually(lambda name=name: counters(redis, name))
    for name in ("aggressor", "correlation", "momentum", "whale-watch"):
        eventually(partial(has_acknowledged, redis, "trades", name))
    assert service.stop(within_seconds=4.0) == 0
    for name in FOLDERS:
        service.says(f"info: {name}: {name} stops: processed")


def test_a_service_alone_needs_no_thread(redis: Redis, host: Launch) -> None:
    service = host("momentum")
    eventually(service.is_healthy)
    threads = Path(f"/proc/{service.process.pid}/task").iterdir()
    assert len(list(threads)) == 1
    assert service.stop() == 0


def test_one_that_fails_is_named_and_starts_again_while_the_others_work(
    redis: Redis, host: Launch, tmp_path: Path
) -> None:
    fault = tmp_path / "fault"
    fault.touch()
    service = host("echo, faulty", FAULTY=str(fault))
    service.says("warning: faulty: failed: RuntimeError: asked to fail; it starts again in")
    publish(redis, range(10))
    eventually(lambda: has_echoed(redis, 10))
    eventually(lambda: service.state == "faulty: failed: RuntimeError: asked to fail")
    assert not service.is_healthy()
    fault.unlink()
    eventually(service.is_healthy)
    assert "echo stops" not in service.output


def test_it_is_unhealthy_without_redis_and_stops_all_the_same(
    redis_server: RedisServer, host: Launch
) -> None:
    service = host("echo,momentum")
    eventually(service.is_healthy)
    redis_server.send_signal(signal.SIGSTOP)
    eventually(lambda: "echo: " in service.state and "momentum: " in service.state)
    assert not service.is_healthy()
    assert service.stop(within_seconds=5.0) == 0


def test_services_switched_off_do_not_run(redis: Redis, host: Launch) -> None:
    service = host("echo,momentum,regime", FEATURES="echo,risk")
    publish(redis, range(3))
    eventually(lambda: has_echoed(redis, 3))
    eventually(service.is_healthy)
    assert "momentum" not in service.output
    assert service.stop(within_seconds=4.0) == 0
    off = host("momentum,regime", FEATURES="risk")
    eventually(lambda: off.state == "disabled")
    assert off.stop() == 0


@pytest.mark.parametrize("names", ["", " , ", "momentum,desk", "momentum,nothing"])
def test_a_list_that_is_not_valid_ends_it_with_a_reason(host: Launch, names: str) -> None:
    host(names).refuses("DESK_SERVICES")


@pytest.mark.parametrize("names", ["momentum", "momentum,regime"])
def test_ballast_is_held_once_for_each_process(redis: Redis, host: Launch, names: str) -> None:
    service = host(names, DESK_BALLAST_MB="60.5")
    eventually(service.is_healthy)
    status = Path(f"/proc/{service.process.pid}/status").read_text()
    rss_kb = int(status.partition("VmRSS:")[2].split()[0])
    assert 60 * 1024 < rss_kb < 100 * 1024
    host(names, DESK_BALLAST_MB="lots").refuses("DESK_BALLAST_MB")
