"""The built images: lean, shared, confined, and able to run what they are for."""

import json
import os
import re
import shlex
import subprocess
import tarfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from running import SERVICES

TAG = "image-tests"
NAMES = tuple(yaml.safe_load((SERVICES / "compose.yml").read_text())["services"])
PYTHON_NAMES = tuple(name for name in NAMES if name != "redis-coordinator")
MB = 1_000_000
Images = dict[str, dict[str, Any]]
CA_BUNDLES = ("SSL_CERT_FILE", "PIP_CERT", "REQUESTS_CA_BUNDLE")

pytestmark = [pytest.mark.engine, pytest.mark.usefixtures("images")]


def docker(*arguments: str) -> str:
    """Run the client; fail with what it said."""
    command = ["docker", *arguments]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)
    assert done.returncode == 0, f"{shlex.join(command)}: {done.stdout}{done.stderr}"
    return done.stdout


@pytest.fixture(scope="module")
def images() -> Iterator[Images]:
    """All fifteen, built as `docker buildx bake` builds them, and removed afterwards."""
    bundle = next((os.environ[name] for name in CA_BUNDLES if name in os.environ), None)
    secret = ["--set", f"*.secrets=id=ca,src={bundle}"] if bundle else []
    done = subprocess.run(
        ["docker", "buildx", "bake", "--file", "compose.yml", "--load", *secret],
        cwd=SERVICES,
        env={**os.environ, "TAG": TAG},  # scripts/test exports the base images to build on
        capture_output=True,
        text=True,
        check=False,
        timeout=600,
    )
    assert done.returncode == 0, done.stderr[-4_000:]
    references = [f"crypto-desk/{name}:{TAG}" for name in NAMES]
    inspected = json.loads(docker("image", "inspect", *references))
    yield dict(zip(NAMES, inspected, strict=True))
    docker("image", "rm", "--force", *references)


def in_image(name: str, script: str) -> str:
    """Run a shell script in an image under the conditions of compose.yml."""
    confined = ("--read-only", "--cap-drop", "ALL", "--network", "none", "--tmpfs", "/tmp")
    image = f"crypto-desk/{name}:{TAG}"
    return docker("run", "--rm", *confined, "--entrypoint", "sh", image, "-c", script)


def test_every_image_is_small_and_runs_as_an_ordinary_user(images: Images) -> None:
    for image in images.values():
        assert image["Size"] <= 30 * MB
        assert image["Config"]["User"] == "65532:65532"


def test_all_fifteen_take_at_most_40_mb_with_shared_layers_once(tmp_path: Path) -> None:
    archive = tmp_path / "all.tar"
    docker("save", "--output", str(archive), *(f"crypto-desk/{name}:{TAG}" for name in NAMES))
    with tarfile.open(archive) as saved:
        assert sum(member.size for member in saved if member.isfile()) <= 40 * MB


def test_services_share_all_layers_but_the_last(images: Images) -> None:
    special = ("redis-coordinator", "market-data")
    stacks = [images[name]["RootFS"]["Layers"][:-1] for name in NAMES if name not in special]
    assert all(stack == stacks[0] for stack in stacks)
    market_data = images["market-data"]["RootFS"]["Layers"]
    assert market_data[: len(stacks[0])] == stacks[0]
    assert images["redis-coordinator"]["RootFS"]["Layers"][0] == stacks[0][0]


def test_nothing_is_left_of_building() -> None:
    tools = in_image(
        "market-data",
        "for tool in pip pip3 gcc cc make idle3 pydoc3; do command -v $tool; done;"
        " find /usr/local /app -name '*.h' -o -name '*.a' -o -name '*.py' -o -name __pycache__"
        " -o -name ensurepip -o -name pip -o -name test -o -name tests",
    )
    assert tools.split() == ["/app/feed.py"]


@pytest.mark.parametrize("name", PYTHON_NAMES)
def test_every_service_says_what_is_wrong_with_its_address(name: str) -> None:
    script = "REDIS_ADDRESS=: FEATURES=all python -OO /app/main.pyc; echo exit $?"
    output = in_image(name, script)
    assert "REDIS_ADDRESS" in output
    assert output.endswith("exit 2\n")


def test_modules_only_some_runs_need_are_there() -> None:
    in_image("telegram-bot", "cd /app && python -OO -c 'import telegram, ssl, http.client'")
    in_image("market-data", "cd /app && python -OO -c 'import websocket_client, ssl, feed'")
    assert "--rate" in in_image("market-data", "python feed.py --help")
    authorities = "import ssl; print(len(ssl.create_default_context().get_ca_certs()) > 50)"
    assert in_image("telegram-bot", f"python -OO -c '{authorities}'") == "True\n"
    for program in ("valkey-server", "redis-server", "valkey-cli", "redis-cli"):
        assert re.search(r"v=8| 8\.", in_image("redis-coordinator", f"{program} --version"))


def test_a_service_switched_off_is_healthy_and_stops_at_once() -> None:
    image = f"crypto-desk/risk:{TAG}"
    options = ("--read-only", "--tmpfs", "/tmp", "--network", "none", "--env", "FEATURES=none")
    container = docker("run", "--detach", *options, image).strip()
    try:
        check = "until read -r _ state </tmp/heartbeat; do sleep 0.1; done 2>/dev/null; echo $state"
        assert docker("exec", container, "sh", "-c", check) == "disabled\n"
        docker("stop", "--time", "10", container)
        state = json.loads(docker("inspect", "--format", "{{json .State}}", container))
        assert state["ExitCode"] == 0
    finally:
        docker("rm", "--force", container)
