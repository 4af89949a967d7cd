"""The real `docker compose config`, for what a captured answer cannot show."""

from pathlib import Path

import pytest

from onegig.errors import ConfigError
from onegig.load.stack import load_stack

pytestmark = pytest.mark.engine

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
        ("services:\n  a:\n   image: x\n    b: [\n", "compose.yml:4: "),
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
