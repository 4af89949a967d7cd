"""What the bytes of real images are there for, and what would be changed about a bloated one."""

import os
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from docker import DockerClient

from onegig.engine import engine as engines
from onegig.engine.images import Images
from onegig.images.cache import Cache
from onegig.images.inspect import inspect_images
from onegig.model.images import Accounting, Cause
from onegig.model.measured import Unknown
from onegig.process import run
from small_image import SMALL_IMAGE

pytestmark = pytest.mark.engine

PYTHON_IMAGE = os.environ.get("PYTHON_IMAGE", "onegig-local/python:3.13-alpine")
REFERENCE = "onegig-test-causes:bloated"
BLOATED = f"""
FROM {SMALL_IMAGE}
WORKDIR /app
COPY . .
RUN mkdir -p /root/.cache/pip && dd if=/dev/urandom of=/root/.cache/pip/wheel bs=1000 count=900
RUN dd if=/dev/urandom of=/opt/model bs=1000 count=800 && cp /opt/model /opt/again
RUN dd if=/dev/urandom of=/tmp/object bs=1000 count=700
RUN rm /tmp/object
RUN chown -R 65532 /app/code && touch /made-by-hand
"""


@pytest.fixture
def accounting(client: DockerClient, tmp_path: Path) -> Callable[[str], Accounting]:
    """The account of an image on the engine."""

    def account(reference: str) -> Accounting:
        inspection = inspect_images(
            {reference: (reference,)},
            engine=Images(client),
            cache=Cache(tmp_path / "cache"),
            environment=engines.Engine(client).describe((reference,)),
            progress=lambda line: None,
            program=Unknown(reason="dive is not needed"),
        )
        assert inspection.problems == ()
        (image,) = inspection.report.images
        assert isinstance(image.accounting, Accounting)
        return image.accounting

    return account


@pytest.fixture
def bloated(client: DockerClient, tmp_path: Path) -> Iterator[str]:
    """An image with one of each mistake."""
    for name, size in ((".git/pack", 600_000), ("code", 500_000)):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_bytes(os.urandom(size))
    (tmp_path / "Dockerfile").write_text(BLOATED)
    run(["docker", "build", "--quiet", "--tag", REFERENCE, str(tmp_path)])
    yield REFERENCE
    client.images.remove(REFERENCE, force=True)


def by_cause(account: Accounting) -> dict[Cause, int]:
    return {cause: size for cause in Cause if (size := account.bytes_of(cause))}


def test_alpine_is_all_base_os(accounting: Callable[[str], Accounting]) -> None:
    account = accounting(SMALL_IMAGE)
    assert by_cause(account) == {Cause.BASE: account.live_bytes}
    assert {"musl", "busybox"} <= {part.name.split(" ")[0] for part in account.parts}
    assert (account.fixes, account.eliminable_bytes) == ((), account.dead_bytes)


def test_a_python_image_is_explained_wholly(accounting: Callable[[str], Accounting]) -> None:
    account = accounting(PYTHON_IMAGE)
    result = by_cause(account)
    assert Cause.UNEXPLAINED not in result
    assert result[Cause.RUNTIME] > result[Cause.DEVELOPMENT] > 0
    named = {part.name.split(" ")[0]: part.cause for part in account.parts}
    assert (named["pip"], named["Python"]) == (Cause.DEVELOPMENT, Cause.RUNTIME)
    assert account.fixes[0].text.startswith("the base image has ")


def test_a_bloated_image_is_told_each_of_its_mistakes(
    accounting: Callable[[str], Accounting], bloated: str
) -> None:
    account = accounting(bloated)
    result = by_cause(account)
    assert result[Cause.APPLICATION] == 500_000 + len(BLOATED)
    assert Cause.UNEXPLAINED not in result
    saved = [(fix.bytes, fix.text.partition(":")[0]) for fix in account.fixes]
    assert [size for size, _ in saved] == [900_000, 800_000, 700_000, 600_000, 500_000]
    cache, copies, deleted, stray, changed = (text for _, text in saved)
    assert cache.endswith("in layer 4 left 0.9 MB in /root/.cache/pip")
    assert copies == "0.8 MB are duplicated in the image (/opt/again, /opt/model)"
    assert deleted.startswith("`RUN rm /tmp/object` in layer 7 deletes 0.7 MB (/tmp/object) of ")
    assert stray == "`COPY . .` in layer 3 copied 0.6 MB that the image does not need (/app/.git)"
    assert changed.startswith("`RUN chown -R 65532 /app/code && touch /made-by-hand` in layer 8 ")
    assert account.eliminable_bytes == account.dead_bytes + 900_000 + 800_000 + 600_000
