"""The load beside a stack, on a real engine."""

import io
import tarfile
from collections.abc import Iterator

import pytest
from docker import DockerClient
from docker.models.containers import Container

from onegig.engine.engine import connect
from onegig.machine.load import RunningLoad
from small_image import SMALL_IMAGE

pytestmark = pytest.mark.engine

CLIENT = ["sh", "-c", "test -e /server && exec sleep 100; exit 7"]


@pytest.fixture
def container(client: DockerClient) -> Iterator[Container]:
    """A client that fails as long as there is no server."""
    started = client.containers.run(
        SMALL_IMAGE, CLIENT, detach=True, restart_policy={"Name": "always"}
    )
    yield started
    started.remove(force=True)


def test_a_load_that_failed_until_the_stack_was_up_is_started_anew(container: Container) -> None:
    load = RunningLoad(description="client", container=str(container.id), started=0.0)
    with connect() as engine:
        container.wait(condition="next-exit")
        assert load.problem(engine).startswith("the load `client` failed (exit 7)")
        with io.BytesIO() as archive:
            with tarfile.open(fileobj=archive, mode="w") as tar:
                tar.addfile(tarfile.TarInfo("server"))
            container.put_archive("/", archive.getvalue())
        load.resume(engine)
        container.reload()
        assert container.status == "running"
        assert load.problem(engine) == ""
