"""Projects that `docker compose build` builds are built: bases, secrets, any folder's name."""

from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path

import pytest
from docker import DockerClient
from docker.errors import ImageNotFound

from onegig.config.stack import load_stack, read_build_inputs
from onegig.engine.bake import build_images
from onegig.engine.owned import new_run
from onegig.model.stack import Stack
from small_image import SMALL_IMAGE

pytestmark = pytest.mark.engine

Build = Callable[[Path], str]
SECRET = 'sesame, open: "$5"'


@pytest.fixture
def build(client: DockerClient, monkeypatch: pytest.MonkeyPatch) -> Iterator[Build]:
    """Build the project in a folder; the names of its images, and what was said meanwhile."""
    stacks: list[Stack] = []

    def run(folder: Path) -> str:
        stacks.append(load_stack(folder=folder))
        log: list[str] = []
        with new_run() as current:
            build_images(
                stacks[-1], current, say=log.append, inputs=read_build_inputs(stacks[-1], {})
            )
        for image in stacks[-1].images:
            client.images.get(image)
        return "\n".join(log)

    monkeypatch.delenv("TOKEN", raising=False)
    yield run
    for image in {"onegig-test/base", *(image for stack in stacks for image in stack.images)}:
        with suppress(ImageNotFound):
            client.images.remove(image, force=True)


def project(folder: Path, **files: str) -> Path:
    """A folder with these files; "web" is web/Dockerfile."""
    for name, text in files.items():
        path = folder / name / "Dockerfile" if name in ("web", "base") else folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return folder


@pytest.mark.parametrize("scale", [0, 1])
def test_a_base_that_another_service_builds(build: Build, tmp_path: Path, scale: int) -> None:
    compose = f"""\
name: onegig-test
services:
  web: {{build: web}}
  base: {{build: base, image: onegig-test/base, scale: {scale}}}
"""
    web = "FROM onegig-test/base\nCOPY --from=onegig-test/base:latest /base /copy\n"
    base = f"FROM {SMALL_IMAGE}\nRUN echo {scale} >/base\n"
    build(project(tmp_path, web=web, base=base, **{"compose.yml": compose}))


def test_a_secret_that_stands_in_dotenv(build: Build, tmp_path: Path) -> None:
    compose = """\
name: onegig-test
services:
  web: {build: {context: web, secrets: [{source: token, target: key}], args: {DIGEST: "${DIGEST}"}}}
secrets: {token: {environment: TOKEN}}
"""
    web = f"""\
FROM {SMALL_IMAGE}
RUN --mount=type=secret,id=key grep -qxF 'sesame, open: "$5"' /run/secrets/key
"""
    dotenv = f"TOKEN='{SECRET}'\n"
    log = build(project(tmp_path, web=web, **{"compose.yml": compose, ".env": dotenv}))
    assert "sesame" not in log


@pytest.mark.parametrize("name", ["with space", "with,comma", "with:colon", "with${dollar}"])
def test_a_project_in_a_folder_called_so(build: Build, tmp_path: Path, name: str) -> None:
    compose = """\
services:
  web: {build: {context: web, secrets: [file], args: {TEXT: "$${x} %{y}"}}}
secrets: {file: {file: ./secret.txt}}
"""
    web = f"""\
FROM {SMALL_IMAGE}
ARG TEXT
COPY . /web
RUN --mount=type=secret,id=file test "$(cat /run/secrets/file) $TEXT" = 'sesame ${{x}} %{{y}}'
"""
    build(project(tmp_path / name, web=web, **{"compose.yml": compose, "secret.txt": "sesame"}))


def test_a_project_reached_through_a_link(build: Build, tmp_path: Path) -> None:
    compose = "services: {web: {build: web}}\n"
    project(tmp_path / "real", web=f"FROM {SMALL_IMAGE}\nCOPY . /web\n", **{"compose.yml": compose})
    (tmp_path / "link").symlink_to("real")
    build(tmp_path / "link")
