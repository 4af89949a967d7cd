"""A stack built and inspected by two machines and put together, on a real engine."""

import json
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
from docker import DockerClient
from docker.errors import ImageNotFound

from onegig.images.merge import merge_images
from onegig.model.codec import from_json
from onegig.model.images import NOT_BUILT, ImagesReport
from small_image import SMALL_IMAGE

pytestmark = pytest.mark.engine

NAME = "onegig-shards-test"
SERVICES = ("jobs", "mail", "web")  # in the order that compose gives
BUDGETS = """\
version: 1
shards: {start: 3, most: 2}
memory: {limit: 512MB}
measure: {settle: 100ms, window: 1s}
"""
COMPOSE = {
    "name": NAME,
    "services": {
        name: {
            "build": {"context": ".", "args": {"SERVICE": name}},
            "image": f"{NAME}/{name}",
            "init": True,
            "command": ["sleep", "3600"],
        }
        for name in SERVICES
    },
}
DOCKERFILE = f"""\
FROM {SMALL_IMAGE} AS tools
RUN sleep 0.5 && head -c 100000 /dev/urandom >/tools # BUILD
FROM {SMALL_IMAGE}
ARG SERVICE
COPY --from=tools /tools /tools
RUN sleep 0.3 && head -c 1000 /dev/urandom >/own-$SERVICE && cp /tools /copy-$SERVICE # BUILD
"""
Cli = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture
def project(tmp_path: Path, client: DockerClient) -> Iterator[Path]:
    """Three services of one Dockerfile that no cache knows."""
    (tmp_path / "budgets.yml").write_text(BUDGETS)
    (tmp_path / "compose.yml").write_text(json.dumps(COMPOSE))
    (tmp_path / "Dockerfile").write_text(DOCKERFILE.replace("BUILD", str(uuid4())))
    yield tmp_path
    for name in SERVICES:
        try:
            client.images.remove(f"{NAME}/{name}", force=True)
        except ImageNotFound:
            continue


def read(path: Path) -> ImagesReport:
    return from_json(ImagesReport, path.read_bytes(), str(path))


def test_two_machines_find_what_one_finds(cli: Cli, project: Path) -> None:
    planned = cli("shards", "--output", "out", DOCKER_HOST="unix:///nowhere/docker.sock")
    assert planned.returncode == 0, planned.stderr
    shards: list[dict[str, Any]] = json.loads(planned.stdout)
    assert (project / "out").read_text() == f"shards={planned.stdout}"
    assert [shard["services"] for shard in shards] == [["jobs", "web"], ["mail"]]
    for shard in shards:
        only = [f"--service={name}" for name in shard["services"]]
        machine = {"XDG_CACHE_HOME": str(project / f"cache-{shard['name']}")}
        assert cli("build", *only, **machine).returncode == 0
        done = cli("inspect", *only, "--output", f"{shard['name']}.json", **machine)
        assert done.returncode == 0, done.stderr
    parts = [read(project / f"{shard['name']}.json") for shard in shards]
    assert [len(part.images) for part in parts] == [2, 1]
    alone = parts[1].images[0]
    assert alone.own_bytes == alone.size_bytes

    machine = {"XDG_CACHE_HOME": str(project / "cache-1")}
    assert cli("inspect", "--output", "whole.json", **machine).returncode == 0
    whole = read(project / "whole.json")
    merged = merge_images(parts, order=[f"{NAME}/{name}" for name in SERVICES])
    assert [without_cost(image) for image in merged.images] == [
        without_cost(image) for image in whole.images
    ]
    assert (merged.total_bytes, merged.disk_bytes) == (whole.total_bytes, whole.disk_bytes)
    assert merged.environment == whole.environment
    assert [(image.services, image.own_bytes) for image in merged.images] == [
        ((name,), 101_000) for name in SERVICES
    ]
    assert merged.duplicates[0] == whole.duplicates[0]
    assert (whole.duplicates[0].bytes, whole.duplicates[0].copies) == (100_000, 4)
    assert sizes(merged) == sizes(whole)
    assert "files of 65,536 bytes and more" in merged.duplicates_remark
    jobs, mail, web = (image.build_seconds for image in merged.images)
    assert isinstance(jobs, float)
    assert isinstance(web, float)
    assert min(jobs, web) > 0
    assert mail == NOT_BUILT  # this engine still had what it shares with the others


def sizes(report: ImagesReport) -> list[tuple[int, int]]:
    return [(duplicate.bytes, duplicate.copies) for duplicate in report.duplicates]


def without_cost(image: Any) -> Any:
    return {name: getattr(image, name) for name in image.__slots__ if name != "build_seconds"}


def test_only_the_services_asked_for_are_built(
    cli: Cli, project: Path, client: DockerClient
) -> None:
    assert cli("build", "--service", "mail").returncode == 0
    assert {tag for image in client.images.list(NAME + "/*") for tag in image.tags} == {
        f"{NAME}/mail:latest"
    }
    done = cli("build", "--service", "mial")
    assert done.returncode == 2
    assert "did you mean mail?" in done.stderr


def test_check_takes_what_was_inspected_elsewhere(cli: Cli, project: Path) -> None:
    here = {"XDG_CACHE_HOME": str(project / "here")}
    there = {"XDG_CACHE_HOME": str(project / "there")}
    assert cli("build").returncode == 0
    assert cli("inspect", "--service=web", "--output", "1.json", **there).returncode == 0
    assert cli("inspect", "--service=jobs", "--output", "2.json", **there).returncode == 0
    (project / "Dockerfile").write_text(
        (project / "Dockerfile").read_text() + "RUN [ $SERVICE = web ] || echo new >/new\n"
    )
    done = cli("check", "--inspected", "1.json", "--inspected", "2.json", "--json", **here)
    assert done.returncode == 0, done.stderr
    log = done.stderr
    assert f"{NAME}/jobs: not the image that was inspected elsewhere, so inspected here" in log
    images = json.loads(done.stdout)["images"]["images"]
    assert [image["services"] for image in images] == [["jobs"], ["mail"], ["web"]]


def test_a_part_that_is_no_report_is_told(cli: Cli, project: Path) -> None:
    (project / "1.json").write_text("{}")
    done = cli("check", "--inspected", "1.json")
    assert done.returncode == 2
    assert "1.json is not a valid onegig/images/1 document" in done.stderr


def test_github_s_file_is_only_known_on_github(cli: Cli, project: Path) -> None:
    done = cli("shards", "--github", GITHUB_OUTPUT="")
    assert done.returncode == 2
    assert "GITHUB_OUTPUT is not set" in done.stderr
    done = cli("shards", "--github", GITHUB_OUTPUT="out")
    assert done.returncode == 0
    assert (project / "out").read_text().startswith('shards=[{"name": "1"')


def test_costs_that_cannot_be_read_are_no_error(cli: Cli, project: Path) -> None:
    (project / "baseline.json").write_text("[]")
    plain = cli("shards")
    for path in ("nowhere.json", "baseline.json"):
        done = cli("shards", "--baseline", path)
        assert (done.returncode, done.stdout) == (0, plain.stdout)
        assert "build times of images are not known" in done.stderr
