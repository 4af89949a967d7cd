"""A scratch server out of the audited image, where no program of its version is installed."""

import os

import pytest
from docker import DockerClient

from onegig.redis import scratch
from onegig.redis.samples import Sample

VALKEY = os.environ.get("VALKEY_IMAGE", "onegig-local/valkey:8-alpine")
pytestmark = [pytest.mark.engine]


def test_a_scratch_server_runs_out_of_an_image(
    client: DockerClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(scratch, "find_server", lambda _product, _version: "")
    samples = [Sample(name=b"%d" % n, type="string", content=(b"x" * 30,)) for n in range(500)]
    with scratch.start_scratch("valkey", "8.1", {"hash-max-listpack-entries": "99"}, VALKEY) as it:
        assert it.config["hash-max-listpack-entries"] == "99"
        assert 500 * 30 < it.measure(samples, {}) < 500 * 120
        folder = it.socket.parents[1]
        named = client.containers.list(filters={"name": f"{folder.name.split('.')[0]}-scratch"})
        (container,) = named
        assert container.attrs["HostConfig"]["NetworkMode"] == "none"
    assert not folder.exists()
    assert client.containers.list(all=True, filters={"id": container.id}) == []
