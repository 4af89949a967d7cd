"""Which engine is used, and what is said of one that can't be."""

from typing import Any

import docker
import pytest

from onegig.engine.engine import connect
from onegig.errors import EngineError


class Client:
    """A client of an engine that only knows its version."""

    def __init__(self, version: str) -> None:
        self._version = version

    def version(self) -> dict[str, Any]:
        return {"Version": self._version}

    def close(self) -> None:
        pass


@pytest.mark.parametrize("address", ["x", "tcp://a:b", "tcp://[::1", "unix:///nowhere.sock"])
def test_a_docker_host_where_no_engine_answers(
    monkeypatch: pytest.MonkeyPatch, address: str
) -> None:
    monkeypatch.setenv("DOCKER_HOST", address)
    with pytest.raises(EngineError, match="no Docker Engine answers") as caught, connect():
        pass
    assert "point DOCKER_HOST at one" in caught.value.advice


@pytest.mark.parametrize("version", ["24.0.9", "26.1.5+dfsg1", "29.1.3", "v28.0", "dev", ""])
def test_an_engine_of_any_version(monkeypatch: pytest.MonkeyPatch, version: str) -> None:
    monkeypatch.setattr(docker, "from_env", lambda **_: Client(version))
    with connect() as engine:
        assert engine.client.version() == {"Version": version}


def test_an_engine_that_is_too_old(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(docker, "from_env", lambda **_: Client("20.10.24+dfsg1"))
    with pytest.raises(EngineError, match=r"20\.10\.24.* is too old"), connect():
        pass
