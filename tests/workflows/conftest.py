"""A server with a small project, GitHub's API, and act to run the project's workflows."""

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from act import Act
from forge import Forge
from github.stand_in import StandIn


@pytest.fixture(scope="session")
def project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A server as it was created, to be copied."""
    forge = Forge(root=tmp_path_factory.mktemp("forge"))
    forge.create()
    return forge.root


@pytest.fixture
def github() -> Iterator[StandIn]:
    """GitHub's API; whatever it is asked has to fit its description."""
    with StandIn() as stand_in:
        yield stand_in
        assert stand_in.violations == []


@pytest.fixture
def act(project: Path, github: StandIn, tmp_path: Path) -> Act:
    """act, and a server of its own."""
    for program in ("act", "node"):
        if not shutil.which(program):
            pytest.skip(f"{program} is not installed")
    root = tmp_path / "forge"
    shutil.copytree(project, root, symlinks=True)
    forge = Forge(root=root)
    forge.git("remote", "set-url", "origin", forge.bare.as_uri())
    return Act(root=tmp_path, forge=forge, api_url=github.url)
