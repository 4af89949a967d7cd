"""Any compose project, from the JSON that `docker compose config` prints."""

import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from onegig.config.stack import load_stack, part_of
from onegig.errors import ConfigError, EngineError, OnegigError
from onegig.model.stack import Service, Stack
from onegig.process import MISSING, TOO_LONG, CommandError, Completed
from stacks import answering

WARNING = 'time="2026-11-23T21:41:45Z" level=warning msg="The \\"UNSET\\" variable is not set."\n'
DATA = {"type": "volume", "source": "data", "target": "/data"}
TMPFS = {"type": "tmpfs", "target": "/tmp"}
Load = Callable[[dict[str, Any]], Stack]


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with a compose file, as the current folder."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "compose.yml").write_text("services:\n  web:\n    image: nginx\n    imagee: x\n")
    return tmp_path


@pytest.fixture
def load(project: Path) -> Load:
    """The stack that follows from resolved services."""

    def read(services: dict[str, Any]) -> Stack:
        return load_stack((Path("compose.yml"),), run=answering(services, WARNING))

    return read


def failing(output: str, code: int = 15) -> Callable[..., Completed]:
    """A compose that refuses with `output`."""

    def fake(argv: list[str], **options: Any) -> Completed:
        raise CommandError(argv, code, output, f"failed with code {code}")

    return fake


def refused(output: str, code: int = 15) -> OnegigError:
    """The error that compose's `output` becomes."""
    with pytest.raises(OnegigError) as caught:
        load_stack((Path("compose.yml"),), run=failing(output, code))
    return caught.value


def test_a_service_in_full(load: Load, project: Path) -> None:
    stack = load(
        {
            "db": {"image": "postgres:18"},
            "web": {
                "build": {"context": str(project / "web"), "dockerfile": "docker/Dockerfile"},
                "depends_on": {"db": {"condition": "service_healthy"}},
                "deploy": {"replicas": 3, "resources": {"limits": {"memory": "67108864"}}},
                "healthcheck": {"test": ["CMD-SHELL", "true"]},
                "labels": {"onegig.optional": "True", "onegig.criticality": "low"},
            },
        }
    )
    assert stack.services[1] == Service(
        name="web",
        image="demo-web",
        builds=True,
        dockerfile="web/docker/Dockerfile",
        replicas=3,
        has_healthcheck=True,
        depends_on=("db",),
        optional=True,
        criticality="low",
        memory_limit_bytes=64 * 1024**2,
    )
    assert stack.name == "demo"
    assert stack.directory == str(project)
    assert stack.files == ("compose.yml",)
    assert stack.images == ("postgres:18", "demo-web")
    assert json.loads(stack.config_json)["name"] == "demo"


@pytest.mark.parametrize(
    ("config", "field", "value"),
    [
        ({}, "replicas", 1),
        ({"scale": 2}, "replicas", 2),
        ({"deploy": {"mode": "global"}}, "replicas", 1),
        ({"deploy": None, "labels": None, "healthcheck": None}, "replicas", 1),
        ({"healthcheck": {"disable": True}}, "has_healthcheck", False),
        ({"healthcheck": {"test": ["NONE"]}}, "has_healthcheck", False),
        ({"healthcheck": {"interval": "3s"}}, "has_healthcheck", False),
        ({"mem_limit": "1048576"}, "memory_limit_bytes", 1048576),
        ({"build": {"dockerfile_inline": "FROM scratch"}}, "dockerfile", None),
        ({"build": {"context": "https://host/x.git"}}, "dockerfile", None),
        ({"build": {"context": "/"}, "image": "own:1"}, "image", "own:1"),
        ({"depends_on": {"off": {}}}, "depends_on", ()),
        ({"labels": {"onegig.optional": "false"}}, "optional", False),
        ({"platform": "linux/arm64"}, "platform", "linux/arm64"),
        ({}, "platform", ""),
        ({"cpus": 0.5}, "cpus", 0.5),
        ({"cpus": 0}, "cpus", None),
        ({"deploy": {"resources": {"limits": {"cpus": "0.25"}}}}, "cpus", 0.25),
        ({"volumes": [DATA]}, "single", "writes to /data"),
        ({"volumes": [{**DATA, "type": "bind", "source": "/srv"}]}, "single", "writes to /data"),
        ({"volumes": [{**DATA, "read_only": True}]}, "single", ""),
        ({"volumes": [{**DATA, "source": "/run/docker.sock"}, TMPFS]}, "single", ""),
        ({"ports": [{"target": 80, "published": "8080"}]}, "single", "publishes port 8080"),
        ({"ports": [{"target": 80}, {"published": "8000-8010"}]}, "single", ""),
        ({"container_name": "web"}, "single", "has the container_name web"),
        ({"network_mode": "host"}, "single", "uses the host's network"),
    ],
)
def test_the_ways_to_write_it(load: Load, config: dict[str, Any], field: str, value: Any) -> None:
    stack = load({"a": {"image": "x", **config}, "off": {"image": "y", "scale": 0}})
    (service,) = stack.services
    assert getattr(service, field) == value


def test_nothing_that_would_start(load: Load) -> None:
    for services in ({}, {"a": {"image": "x", "deploy": {"replicas": 0}}}):
        with pytest.raises(ConfigError, match="no service that would start") as caught:
            load(services)
        assert "COMPOSE_PROFILES" in caught.value.advice


def test_files_folder_and_environment_reach_compose(project: Path) -> None:
    (project / "sub").mkdir()
    for name in ("compose.yml", "more.yml"):
        (project / "sub" / name).write_text("services: {}")
    seen: dict[str, Any] = {}

    def fake(argv: list[str], **options: Any) -> Completed:
        seen.update(options, argv=argv)
        return answering({"a": {"image": "x"}})(argv)

    stack = load_stack(
        (Path("compose.yml"), Path("more.yml")),
        folder=Path("sub"),
        profiles=("debug",),
        run=fake,
        env={"A": "b"},
    )
    assert seen["argv"] == [
        *("docker", "compose", "--file=compose.yml", "--file=more.yml"),
        *("--profile=debug", "config", "--format", "json"),
    ]
    assert seen["cwd"] == project / "sub"
    assert seen["env"]["A"] == "b"
    assert stack.directory == stack.working_directory == str(project / "sub")
    assert stack.files == ("sub/compose.yml", "sub/more.yml")


def test_a_missing_compose_file(project: Path) -> None:
    for path in (Path("nope.yml"), project):
        with pytest.raises(ConfigError, match=r"does not exist|is not a file") as caught:
            load_stack((path,), run=failing(""))
        assert "--compose" in caught.value.advice


@pytest.mark.parametrize(
    ("output", "detail", "advice"),
    [
        (
            "yaml: line 4: mapping values are not allowed in this context\n",
            "compose.yml:4: mapping values are not allowed in this context",
            "docker compose config",
        ),
        (
            "validating {}/compose.yml: services.web Additional property imagee is not allowed\n",
            "compose.yml:4: services.web Additional property imagee is not allowed",
            "spelling",
        ),
        (
            "validating {}/compose.yml: services.web additional properties 'imagee' not allowed\n",
            "compose.yml:4: services.web additional properties 'imagee' not allowed",
            "spelling",
        ),
        (
            'service "web" depends on undefined service "db": invalid compose project\n',
            (
                'compose.yml:2: service "web" depends on undefined service "db":'
                " invalid compose project"
            ),
            "depends_on",
        ),
        (
            "error while interpolating services.web.image: required variable FOO is missing\n",
            (
                "compose.yml:3: error while interpolating services.web.image:"
                " required variable FOO is missing"
            ),
            ".env",
        ),
        (
            'failed to read {}/.env: line 2: unterminated quoted value "sesame\n',
            ".env:2: unterminated quoted value (not shown)",
            "matching quotes",
        ),
        (
            "failed to read {}/.env: required variable B is missing a value: x\n",
            ".env: required variable B is missing a value: x",
            "in .env",
        ),
        ("empty compose file\n", "compose.yml: empty compose file", "services:"),
    ],
)
def test_what_compose_refuses(project: Path, output: str, detail: str, advice: str) -> None:
    error = refused(WARNING + output.format(project))
    assert isinstance(error, ConfigError)
    assert error.detail == detail
    assert error.message == "compose cannot read compose.yml"
    assert error.command.startswith("docker compose --file=compose.yml")
    assert advice in error.advice


@pytest.mark.parametrize(
    ("output", "code"),
    [
        ("", MISSING),
        ("docker: 'compose' is not a docker command.", 1),
        ("unknown flag: --file", 125),
    ],
)
def test_no_compose_at_all_is_no_mistake_of_the_file(project: Path, output: str, code: int) -> None:
    error = refused(output, code)
    assert isinstance(error, EngineError)
    assert "compose plugin" in error.advice


def test_a_project_that_is_never_read_to_its_end(project: Path) -> None:
    def fake(argv: list[str], **options: Any) -> Completed:
        raise CommandError(argv, TOO_LONG, "", "took longer than 60 s")

    with pytest.raises(ConfigError, match="cannot read") as caught:
        load_stack(run=fake)  # an env_file that is a pipe
    assert caught.value.detail == "compose.yml: docker took longer than 60 s"
    assert "pipes" in caught.value.advice


@pytest.mark.parametrize("name", ["compose.yml", "more.yml", "included.yml", "extended.yml"])
def test_the_file_that_is_not_yaml_is_named_with_its_line(project: Path, name: str) -> None:
    (project / "compose.yml").write_text(
        'include: [pipe, "\\0", {path: included.yml, env_file: .env}]\n'
        "services: {web: {extends: {file: extended.yml, service: web}}}\n"
    )
    for other in ("more.yml", "included.yml", "extended.yml"):
        (project / other).write_text("services: {}\n")
    (project / ".env").write_text("A=1\n")
    os.mkfifo(project / "pipe")
    (project / name).write_text("services:\n  web:\n    environment:\n      A: 1\n     B: 2\n")
    with pytest.raises(ConfigError) as caught:  # compose counts from where the mapping begins
        load_stack(
            (Path("compose.yml"), Path("more.yml")), run=failing("yaml: line 2: did not find\n")
        )
    assert caught.value.detail.startswith(f"{name}:5:6: expected <block end>")


def test_an_included_file_has_its_own_lines(project: Path) -> None:
    (project / "included.yml").write_text("services:\n  db:\n    imagee: x\n")
    text = "services.db Additional property imagee is not allowed"
    error = refused(f"validating {project}/included.yml: {text}\n")
    assert error.detail == f"included.yml:3: {text}"


def test_of_several_files_compose_does_not_say_which_it_means(project: Path) -> None:
    (project / "more.yml").write_text("services: {web: {image: x}}")
    files = (Path("compose.yml"), Path("more.yml"))
    with pytest.raises(ConfigError) as caught:
        load_stack(files, run=failing("yaml: line 4: mapping values are not allowed\n"))
    assert caught.value.detail == "compose.yml: yaml: line 4: mapping values are not allowed"
    assert caught.value.message == "compose cannot read compose.yml, more.yml"
    with pytest.raises(ConfigError) as caught:
        load_stack(files, run=failing("services.web.image must be a string\n"))
    assert caught.value.detail == "more.yml:1: services.web.image must be a string"


def test_a_part_of_a_stack_keeps_whoever_runs_the_same_image(load: Load) -> None:
    stack = load(
        {
            "web": {"image": "shop"},
            "cache": {"image": "redis:8"},
            "jobs": {"image": "shop", "depends_on": {"cache": {}}},
        }
    )
    assert part_of(stack, ["jobs"]).users_by_image == {"shop": ("web", "jobs")}
    assert part_of(stack, ["cache", "web"]) == stack


def test_a_part_that_is_no_part(load: Load) -> None:
    with pytest.raises(ConfigError, match=r"demo has no service wep \(did you mean web\?\)"):
        part_of(load({"web": {"image": "shop"}}), ["wep"])
