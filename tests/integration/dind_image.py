"""A stand-in for the dind image."""

import io
import tarfile
from collections.abc import Iterator
from contextlib import contextmanager

from docker import DockerClient

from small_image import SMALL_IMAGE


@contextmanager
def stand_in_for_dind(client: DockerClient, script: str) -> Iterator[str]:
    """Yield an image whose engine is a script."""
    content = f"#!/bin/sh\n{script}\n".encode()
    file = tarfile.TarInfo("usr/local/bin/dockerd-entrypoint.sh")
    file.mode, file.size = 0o755, len(content)
    archive = io.BytesIO()
    with tarfile.open(fileobj=archive, mode="w") as tar:
        tar.addfile(file, io.BytesIO(content))
    container = client.containers.create(SMALL_IMAGE)
    try:
        container.put_archive("/", archive.getvalue())
        image = container.commit("onegig-test/dind")
    finally:
        container.remove()
    try:
        yield str(image.id)
    finally:
        client.images.remove("onegig-test/dind", force=True)
