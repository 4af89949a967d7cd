"""The real `docker compose config`, for what a captured answer cannot show."""

import json
from pathlib import Path

import pytest
from click.testing import CliRunner

from onegig.cli import main
from onegig.config.stack import load_stack
from onegig.errors import ConfigError

pytestmark = pytest.mark.compose

COMPOSE = """\
services:
  web:
    build: {context: app, dockerfile: Dockerfile.web}
    mem_limit: 64m
    labels: [onegig.optional=true]
    depends_on: [db]
    command: echo $$HOME ${NOT_SET}
    environment: {SOURCE: "${SOURCE}"}
    deploy: {replicas: 2}
  db:
    image: postgres
    healthcheck: {test: pg_isready}
  off: {image: x, scale: 0}
  debug: {image: y, profiles: [debug]}
"""


def write(folder: Path, text: str) -> Path:
    path = folder / "compose.yml"
    path.write_text(text)
    return path


def test_a_project_as_compose_resolves_it(tmp_path: Path) -> None:
    stack = load_stack((write(tmp_path, COMPOSE),), env={"SOURCE": "ws://feed"})
    db, web = sorted(stack.services, key=lambda service: service.name)
    assert (web.image, web.dockerfile) == (f"{stack.name}-web", "app/Dockerfile.web")
    assert (web.replicas, web.memory_limit_bytes, web.optional) == (2, 64 * 1024**2, True)
    assert web.depends_on == ("db",)
    assert (db.image, db.has_healthcheck, db.builds) == ("postgres", True, False)
    assert "ws://feed" in stack.config_json
    assert "$$HOME" in stack.config_json  # still a compose file


def test_active_profiles_count(tmp_path: Path) -> None:
    stack = load_stack((write(tmp_path, COMPOSE),), env={"COMPOSE_PROFILES": "debug"})
    assert "debug" in {service.name for service in stack.services}


@pytest.mark.parametrize(
    ("text", "detail"),
    [
        ("services:\n  a:\n    image: x\n    imagee: y\n", "compose.yml:4: "),
        ("services:\n  a:\n   image: x\n    b: [\n", "compose.yml:4:6: "),
        ("services:\n  a:\n    image: x\n    depends_on: [zz]\n", "compose.yml:2: "),
        ("services:\n  a:\n    image: ${FOO:?needs foo} ${BAR}\n", "needs foo"),
        ("services:\n  a: {}\n", "compose.yml:2: "),
        ("", "empty"),
    ],
)
def test_mistakes_are_told_with_their_place(tmp_path: Path, text: str, detail: str) -> None:
    with pytest.raises(ConfigError) as caught:
        load_stack((write(tmp_path, text),))
    assert detail in caught.value.detail
    assert "level=warning" not in caught.value.detail


def service(name: str) -> str:
    return f"services: {{{name}: {{image: x}}}}\n"


def test_what_compose_chooses_in_a_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    for name in ("compose.yml", "compose.override.yml", "other.yml", "more.yml"):
        Path(name).write_text(service(name.partition(".")[0] + str(len(name))))
    stack = load_stack()
    assert stack.files == ("compose.yml", "compose.override.yml")
    assert [entry.name for entry in stack.services] == ["compose11", "compose20"]
    Path(".env").write_text("COMPOSE_FILE='other.yml:more.yml'\n")
    stack = load_stack()
    assert stack.files == ("other.yml", "more.yml")
    assert [entry.name for entry in stack.services] == ["more8", "other9"]


def test_profiles_are_those_that_were_asked_for(tmp_path: Path) -> None:
    write(tmp_path, COMPOSE)
    stack = load_stack(folder=tmp_path, profiles=("debug",))
    assert "debug" in {service.name for service in stack.services}


def test_a_project_in_a_linked_folder_is_called_as_the_link(tmp_path: Path) -> None:
    (tmp_path / "real").mkdir()
    (tmp_path / "shop").symlink_to("real")
    write(tmp_path / "real", service("web"))
    stack = load_stack(folder=tmp_path / "shop")
    assert (stack.name, stack.directory) == ("shop", str(tmp_path / "shop"))


@pytest.mark.parametrize("name", ["with space", "with,comma", "with:colon", "with$dollar"])
def test_a_folder_may_be_called_so(tmp_path: Path, name: str) -> None:
    (tmp_path / name).mkdir()
    write(tmp_path / name, COMPOSE)
    stack = load_stack(folder=tmp_path / name)
    assert stack.directory == str(tmp_path / name)
    web = next(service for service in stack.services if service.name == "web")
    assert web.dockerfile == "app/Dockerfile.web"


def test_what_compose_cannot_write_as_json_can_be_read_back(tmp_path: Path) -> None:
    keys = "['mine=/keys/mine', default]"
    text = (
        f"services: {{web: {{build: {{context: ., ssh: {keys}}}, environment: {{A: \U0001f600}}}}}}"
    )
    stack = load_stack((write(tmp_path, text),))
    again = load_stack((write(tmp_path, stack.config_json),))
    for config in map(json.loads, (stack.config_json, again.config_json)):
        assert sorted(config["services"]["web"]["build"]["ssh"]) == ["default", "mine=/keys/mine"]
        assert config["services"]["web"]["environment"]["A"] == "\U0001f600"


def test_compose_s_warnings_name_variables(tmp_path: Path) -> None:
    stack = load_stack((write(tmp_path, "services: {a: {image: x, command: '$NOPE $NOPE'}}"),))
    assert [warning for warning in stack.warnings if '"NOPE"' in warning] == list(stack.warnings)
    assert len(stack.warnings) == 1


def test_a_dockerfile_is_proposed_for_a_service_of_a_profile(tmp_path: Path) -> None:
    (tmp_path / "Dockerfile").write_text('FROM python:3.13\nLABEL a="\x1b]0;title\x07b  c"\n')
    path = write(tmp_path, "services: {web: {build: ., profiles: [debug]}}")
    command = ["dockerfile", "web", "--profile=debug", f"--compose={path}"]
    result = CliRunner().invoke(main, command, color=True)
    assert result.exit_code == 0
    assert '\nLABEL a="b  c"\n' in result.stdout
