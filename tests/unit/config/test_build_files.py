"""How the images of a stack are built, as compose resolves it."""

from pathlib import Path
from typing import Any

import pytest

from onegig.config.stack import load_stack
from onegig.dockerfiles.builds import read_build_files, read_dockerfiles
from onegig.dockerfiles.parse import Dockerfile
from onegig.dockerfiles.stages import BuildFile
from onegig.model.stack import Stack
from stacks import answering, plain_service

TEXT = "FROM alpine\n"


def build_files(folder: Path, services: dict[str, dict[str, Any]]) -> dict[str, BuildFile]:
    """Of a stack in that folder."""
    (folder / "compose.yml").write_text("services: {}\n")
    run = answering(services, name="shop")
    return read_build_files(load_stack((folder / "compose.yml",), run=run))


def test_a_build_s_target_arguments_and_contexts_are_known(tmp_path: Path) -> None:
    (tmp_path / "Dockerfile").write_text(TEXT)
    build = {
        "context": str(tmp_path),
        "target": "web",
        "args": {"BASE": "alpine:3", "EMPTY": "", "UNSET": None, "DOLLAR": "a$$b"},
        "additional_contexts": {
            "base": "docker-image://mine:1",
            "lib": "service:lib",
            "alone": "service:nobody",
            "dir": "/x",
        },
    }
    lib = {"image": "shop/lib:1", "build": {"context": str(tmp_path)}}
    result = build_files(tmp_path, {"web": {"build": build}, "lib": lib})
    assert result == {
        "shop-web": BuildFile(
            text=TEXT,
            target="web",
            arguments=(("BASE", "alpine:3"), ("EMPTY", ""), ("DOLLAR", "a$b")),
            contexts=(
                ("base", "docker-image://mine:1"),
                ("lib", "docker-image://shop/lib:1"),
                ("alone", "service:nobody"),
                ("dir", "/x"),
            ),
        ),
        "shop/lib:1": BuildFile(text=TEXT),
    }


def test_only_what_is_built_here_from_what_can_be_read(tmp_path: Path) -> None:
    services = {
        "inline": {"build": {"context": str(tmp_path), "dockerfile_inline": "FROM x\n"}},
        "absent": {"build": {"context": str(tmp_path / "absent")}},
        "remote": {"build": {"context": "https://example.org/x.git"}},
        "pulled": {"image": "redis:8"},
    }
    assert build_files(tmp_path, services) == {"shop-inline": BuildFile(text="FROM x\n")}


def test_of_several_services_of_one_image_the_first_counts(tmp_path: Path) -> None:
    services = {
        name: {"image": "app", "build": {"context": ".", "dockerfile_inline": f"FROM {name}\n"}}
        for name in ("b", "a")
    }
    assert build_files(tmp_path, services) == {"app": BuildFile(text="FROM b\n")}


def test_dockerfiles_are_named_as_from_where_the_command_runs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "services" / "web").mkdir(parents=True)
    (tmp_path / "services" / "web" / "Dockerfile").write_text(TEXT)
    names = {"web": "web/Dockerfile", "jobs": "jobs/Dockerfile", "redis": None}
    services = tuple(
        plain_service(name, builds=dockerfile is not None, dockerfile=dockerfile)
        for name, dockerfile in names.items()
    )
    stack = Stack(
        name="s",
        directory=str(tmp_path / "services"),
        files=(),
        services=services,
        config_json="{}",
    )
    assert read_dockerfiles(stack) == {
        "web": Dockerfile(path="services/web/Dockerfile", text=TEXT)  # that of jobs is not there
    }
