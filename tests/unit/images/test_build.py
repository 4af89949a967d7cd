"""The build step with a stand-in for docker: what it asks for, and what it makes of a failure."""

import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from onegig.engine.bake import build_images
from onegig.engine.owned import Run
from onegig.errors import BuildError
from onegig.model.stack import Stack
from stacks import plain_service

DOCKER = """\
#!/bin/sh
echo "$@" >>"{folder}/asked"
case "$*" in
*inspect*) cat "{folder}/builder" ;;
*)
    for definition; do :; done
    cp "$definition" "{folder}/baked.$(grep -c . "{folder}/asked")"
    if grep -q type=gha "$definition"; then
        cat "{folder}/cached.log" >&2
        exit "$(cat "{folder}/code")"
    fi
    cat "{folder}/log" >&2
    ;;
esac
"""
BUILDER = """\
Driver: docker-container
BuildKit version: v0.26.2
"""
LOG = """\
#4 [2/2] COPY hello.txt /hello.txt
#4 DONE 0.0s
"""
REFUSED = Path(__file__).parents[2] / "golden" / "build" / "cache-refused.log"
STEP_FAILED = """\
#4 [2/2] RUN make
#4 ERROR: process "/bin/sh -c make" did not complete successfully: exit code: 2
------
 > [2/2] RUN make:
0.1 make: *** No targets.  Stop.
------
Dockerfile:2
ERROR: target web: failed to solve: process "/bin/sh -c make" did not complete: exit code: 2
"""
Build = Callable[..., tuple[dict[str, float], list[str]]]


@pytest.fixture
def asked(tmp_path: Path) -> Path:
    """What docker was asked, a line each."""
    return tmp_path / "asked"


@pytest.fixture
def build(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Build:
    """Build one service; the log and exit code are those of a build with the cache."""
    docker = tmp_path / "bin" / "docker"
    docker.parent.mkdir()
    docker.write_text(DOCKER.format(folder=tmp_path))
    docker.chmod(0o755)
    monkeypatch.setenv("PATH", f"{docker.parent}:{os.environ['PATH']}")
    files = {"builder": BUILDER, "log": LOG}
    for name, text in files.items():
        (tmp_path / name).write_text(text)

    def run(
        log: str = LOG, code: int = 0, **environment: str
    ) -> tuple[dict[str, float], list[str]]:
        (tmp_path / "cached.log").write_text(log)
        (tmp_path / "code").write_text(str(code))
        for name in ("ACTIONS_RUNTIME_TOKEN", "ACTIONS_RESULTS_URL", "ONEGIG_BASES"):
            monkeypatch.setenv(name, environment.get(name, "" if name == "ONEGIG_BASES" else "x"))
        lines: list[str] = []
        seconds = build_images(
            stack(tmp_path),
            Run(name="onegig-test", owner="test", directory=tmp_path),
            say=lines.append,
        )
        return seconds, lines

    return run


def stack(folder: Path) -> Stack:
    service = plain_service("web", "shop/web", builds=True, dockerfile="Dockerfile")
    config = json.dumps({"services": {"web": {"build": {"context": str(folder)}}}})
    return Stack(
        name="shop", directory=str(folder), files=(), services=(service,), config_json=config
    )


def baked(folder: Path) -> list[Any]:
    """The definitions that bake was given, in order."""
    return [json.loads(path.read_text()) for path in sorted(folder.glob("baked.*"))]


def test_a_build_in_a_job_reads_and_writes_githubs_cache(build: Build, tmp_path: Path) -> None:
    assert build() == ({"shop/web": 0.0}, ["0 of 1 steps unchanged"])
    (definition,) = baked(tmp_path)
    web = definition["target"]["web"]
    assert web["cache-from"] == ["type=gha,scope=shop-web,timeout=5m"]
    assert web["output"] == ["type=docker"]


def test_a_cache_that_fails_the_build_is_left_out(build: Build, tmp_path: Path) -> None:
    seconds, lines = build(REFUSED.read_text(), 1)
    assert seconds == {"shop/web": 0.0}
    assert ["gha" in json.dumps(definition) for definition in baked(tmp_path)] == [True, False]
    assert lines[0] == (
        "building again without GitHub's cache: ERROR: failed to solve: failed to "
        "configure gha cache "
        "exporter: token contains an invalid number of segments"
    )


def test_a_step_that_fails_fails_without_a_second_try(build: Build, tmp_path: Path) -> None:
    with pytest.raises(BuildError, match="the image of web could not be built"):
        build(STEP_FAILED, 1)
    assert len(baked(tmp_path)) == 1


def test_local_bases_are_built_on_by_the_engines_own_builder(build: Build, asked: Path) -> None:
    build(ONEGIG_BASES="assembled locally")
    lines = asked.read_text().splitlines()
    assert lines[0] == "buildx inspect --bootstrap default"
    assert lines[-1].startswith("buildx bake --builder=default --progress plain --file ")
