"""Where FROM ends, on a real engine: every way of knowing it gives the layers that the base had."""

from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path

import pytest
from docker import DockerClient
from docker.errors import ImageNotFound

from onegig.dockerfiles.stages import BuildFile
from onegig.engine.images import Images
from onegig.images.bases import (
    NAME_LABEL,
    NOTHING_KNOWN,
    Evidence,
    base_evidence,
    count_base_layers,
)
from onegig.images.spool import Spool
from onegig.process import run
from registry import registry
from small_image import SMALL_IMAGE

pytestmark = pytest.mark.engine

BASE, WEB = "onegig-test-base:1", "onegig-test-of-base/web:1"
PLATFORM = f"""\
FROM {SMALL_IMAGE}
ENV VERSION=1.2.3
RUN mkdir /platform && echo 1.2.3 > /platform/version
COPY Dockerfile /platform/
"""
OWN = """\
ARG BASE=absent-on-purpose
FROM ${BASE} AS common
ARG PLACE=/srv
WORKDIR /
WORKDIR $PLACE/app
FROM common
RUN <<EOF
set -e
echo hello > hello
EOF
RUN ["touch", "/exec-form"]
SHELL ["/bin/sh", "-ec"]
RUN --mount=type=cache,target=/cache echo \\
    # what a comment
    "$PLACE" > place
COPY --chmod=644 Dockerfile ${PLACE}/
COPY <<EOF /heredoc
content
EOF
ADD ["Dockerfile", "/added"]
LABEL what=else
"""
FILE = BuildFile(text=OWN, arguments=(("BASE", BASE),))
OF_THE_BASE, GUESS = 3, 1  # layers; the guess takes what the base itself is built on


@pytest.fixture
def build(client: DockerClient, tmp_path: Path) -> Iterator[Callable[..., str]]:
    """Builds an image of a Dockerfile; all are gone afterwards."""
    image_ids: list[str] = []

    def make(name: str, text: str, **arguments: str) -> str:
        (tmp_path / "Dockerfile").write_text(text)
        options = [f"--build-arg={key}={value}" for key, value in arguments.items()]
        command = ["docker", "build", "--quiet", "--tag", name, *options, str(tmp_path)]
        run(command, timeout_seconds=300)
        image_ids.append(str(client.images.get(name).id))
        return name

    yield make
    for image_id in reversed(image_ids):
        with suppress(ImageNotFound):
            client.images.remove(image_id, force=True)


@pytest.fixture
def count(client: DockerClient, tmp_path: Path) -> Callable[..., int]:
    """How many layers of an image are its base's, by what is known, or by `evidence` instead."""

    def layers(name: str, file: BuildFile | None = None, evidence: Evidence | None = None) -> int:
        engine = Images(client)
        image = engine.image(name)
        known = base_evidence(image, file, Images(client)) if evidence is None else evidence
        spool = Spool(tmp_path, lambda _layer: None)
        with engine.save([image.image_id]) as stream:
            spool.add(stream)
        history = spool.find(image.image_id, image.diff_ids).history
        return count_base_layers(known, history, len(image.diff_ids))

    return layers


Build, Count = Callable[..., str], Callable[..., int]


def test_the_base_is_on_the_engine(client: DockerClient, build: Build, count: Count) -> None:
    build(BASE, PLATFORM)
    build(WEB, OWN, BASE=BASE)
    image = Images(client).image(WEB)
    assert base_evidence(image, FILE, Images(client)) == Evidence(layers=OF_THE_BASE)
    assert count(WEB, FILE) == OF_THE_BASE
    assert count(WEB, evidence=NOTHING_KNOWN) == GUESS


def test_the_base_is_there_in_another_version(
    client: DockerClient, build: Build, count: Count
) -> None:
    build(BASE, PLATFORM)
    build(WEB, OWN, BASE=BASE)
    build(BASE, PLATFORM.replace("1.2.3", "1.10.0"))
    known = base_evidence(Images(client).image(WEB), FILE, Images(client))
    assert known.layers is None
    assert count(WEB, evidence=Evidence(history=known.history)) == OF_THE_BASE
    assert count(WEB, FILE) == OF_THE_BASE


def test_the_base_is_gone_and_the_dockerfile_is_known(
    client: DockerClient, build: Build, count: Count
) -> None:
    build(BASE, PLATFORM)
    build(WEB, OWN, BASE=BASE)
    client.images.remove(BASE, force=True)
    known = base_evidence(Images(client).image(WEB), FILE, Images(client))
    assert known == Evidence(added=known.added)
    assert count(WEB, FILE) == OF_THE_BASE
    edited = BuildFile(text=OWN.replace("exec-form", "another"), arguments=FILE.arguments)
    assert count(WEB, edited) == GUESS


def test_a_dockerfile_that_adds_no_layer(build: Build, count: Count) -> None:
    build(BASE, PLATFORM)
    text = f'FROM {BASE}\nCMD ["true"]\n'
    build(WEB, text)
    assert count(WEB, BuildFile(text=text)) == OF_THE_BASE


def test_of_an_image_that_nothing_here_builds_a_pushed_base_is_found(
    client: DockerClient, build: Build, count: Count
) -> None:
    if "containerd.snapshotter" in str(client.info()["DriverStatus"]):
        pytest.skip("containerd's image store does not tell what was pushed")
    with registry() as there:
        base = build(f"{there.address}/team/platform:1", PLATFORM)
        build(WEB, OWN, BASE=base)
        assert count(WEB) == GUESS  # it may be a stage
        run(["docker", "push", "--quiet", base], timeout_seconds=120)
        assert count(WEB) == OF_THE_BASE


def test_of_an_image_that_nothing_here_builds_a_label_names_the_base(
    build: Build, count: Count
) -> None:
    build(BASE, PLATFORM)
    build(WEB, f"{OWN}LABEL {NAME_LABEL}={BASE}\n", BASE=BASE)
    assert count(WEB) == OF_THE_BASE


def test_what_the_engine_lacks_or_refuses_is_not_there(client: DockerClient) -> None:
    bases = Images(client)
    for reference in ("onegig-test-nowhere:1", "No Name", "", "a@sha256:1"):
        assert bases.diff_ids(reference) == ()
        assert bases.history(reference) == ()
    assert SMALL_IMAGE in {name for entry in bases.listed for name in entry.names}
