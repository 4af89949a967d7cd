"""Images on a real engine: our bytes beside the engine's and dive's own."""

import io
import json
import os
import tarfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from docker import DockerClient
from docker.errors import ImageNotFound

from onegig.engine import engine as engines
from onegig.engine.images import Images
from onegig.errors import EngineError, InspectError
from onegig.images import dive
from onegig.images.cache import Cache
from onegig.images.inspect import Inspection, inspect_images
from onegig.images.spool import Spool
from onegig.model.images import Dive, Image
from onegig.process import run

pytestmark = pytest.mark.engine

LINK_TARGET = "a/target/of/34/bytes/in/this/layer"
DOCKERFILE = """
FROM scratch
LABEL onegig.base="by hand"
COPY first /
ENV MAKES=no-layer
COPY second /
"""


@pytest.fixture(scope="module")
def names(client: DockerClient) -> Iterator[Callable[[str], str]]:
    """Names for images that are removed afterwards."""
    given: list[str] = []

    def name(suffix: str) -> str:
        given.append(f"onegig-test-inspect:{suffix}")
        return given[-1]

    yield name
    for entry in given:
        try:
            client.images.remove(entry, force=True)
        except ImageNotFound:
            continue


@pytest.fixture(scope="module")
def built(names: Callable[[str], str], tmp_path_factory: pytest.TempPathFactory) -> str:
    """An image of two layers with links of both kinds and a file that is replaced."""
    context = tmp_path_factory.mktemp("context")
    first, second = context / "first", context / "second"
    for folder in (first, second):
        (folder / "etc").mkdir(parents=True)
        (folder / "etc" / "motd").write_bytes(os.urandom(20_000))
    (first / "big").write_bytes(os.urandom(300_000))
    os.link(first / "big", first / "same")
    (first / "link").symlink_to(LINK_TARGET)
    (context / "Dockerfile").write_text(DOCKERFILE)
    reference = names("built")
    run(["docker", "build", "--quiet", "--tag", reference, str(context)])
    return reference


@pytest.fixture(scope="module")
def loaded(client: DockerClient, names: Callable[[str], str]) -> str:
    """An image that came to the engine as an archive, as pulled ones do."""
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w") as layer:
        for number in range(3):
            file = tarfile.TarInfo(f"bin/file{number}")
            file.size = 1000
            layer.addfile(file, io.BytesIO(os.urandom(1000)))
            link = tarfile.TarInfo(f"bin/link{number}")
            link.type, link.linkname = tarfile.SYMTYPE, LINK_TARGET
            layer.addfile(link)
    name, _, tag = names("loaded").partition(":")
    client.api.import_image_from_data(out.getvalue(), repository=name, tag=tag)
    return f"{name}:{tag}"


@pytest.fixture
def inspect(client: DockerClient, tmp_path: Path) -> Callable[..., Inspection]:
    """Inspect references on the real engine."""

    def look(*references: str) -> Inspection:
        return inspect_images(
            {reference: (reference,) for reference in references},
            engine=Images(client),
            cache=Cache(tmp_path / "cache"),
            environment=engines.Engine(client).describe(references),
            progress=lambda line: None,
        )

    return look


@pytest.fixture
def classic_store(client: DockerClient) -> None:
    """The containerd image store counts disk blocks and compressed blobs instead of content."""
    if "snapshotter" in str(client.info()["DriverStatus"]):
        pytest.skip("this engine keeps its images in containerd's store")


def engine_sizes(client: DockerClient, reference: str) -> list[int]:
    """Layer sizes by `docker history`, lowest first."""
    history = client.images.get(reference).history()
    return [entry["Size"] for entry in reversed(history) if entry["Size"]]


def only(inspection: Inspection) -> Image:
    assert inspection.problems == ()
    (image,) = inspection.report.images
    return image


@pytest.mark.usefixtures("classic_store")
def test_a_built_image_has_the_size_the_engine_prints(
    client: DockerClient, built: str, inspect: Callable[..., Inspection]
) -> None:
    image = only(inspect(built))
    assert [layer.size_bytes for layer in image.layers] == engine_sizes(client, built)
    assert image.size_bytes == client.images.get(built).attrs["Size"]


def test_an_image_is_what_its_dockerfile_made(
    client: DockerClient, built: str, inspect: Callable[..., Inspection]
) -> None:
    image = only(inspect(built))
    assert image.image_id == client.images.get(built).id
    assert [layer.size_bytes for layer in image.layers] == [320_000, 20_000]
    assert [layer.instruction for layer in image.layers] == ["COPY first /", "COPY second /"]
    assert image.base == "by hand"


@pytest.mark.usefixtures("classic_store")
def test_a_loaded_image_differs_by_the_length_of_its_links_only(
    client: DockerClient, loaded: str, inspect: Callable[..., Inspection]
) -> None:
    image = only(inspect(loaded))
    assert image.size_bytes == 3000
    assert client.images.get(loaded).attrs["Size"] == 3000 + 3 * len(LINK_TARGET)


@pytest.mark.usefixtures("classic_store")
def test_chain_ids_are_the_engines_own(
    client: DockerClient, built: str, inspect: Callable[..., Inspection]
) -> None:
    """The classic store names its folders by chain id."""
    info = client.info()
    folder = Path(info["DockerRootDir"]) / "image" / info["Driver"] / "layerdb" / "sha256"
    if not os.access(folder, os.R_OK):
        pytest.skip(f"{folder} is not readable here")
    for layer in only(inspect(built)).layers:
        assert (folder / layer.chain_id.removeprefix("sha256:")).is_dir()


def test_dives_numbers_are_those_it_gives_for_the_image_by_name(
    built: str,
    inspect: Callable[..., Inspection],
    installed_dive: dive.Program,
    tmp_path: Path,
) -> None:
    report = tmp_path / "by-name.json"
    run([installed_dive.path, f"docker://{built}", "--json", str(report)])
    result = only(inspect(built)).dive
    assert result == dive.parse(report.read_bytes(), installed_dive.version)
    assert isinstance(result, Dive)
    assert result.wasted_bytes == 40_000
    assert result.efficiency == 320_000 / 340_000


def test_the_verdict_of_dives_own_rules_shows_the_same_share(
    built: str, inspect: Callable[..., Inspection], installed_dive: dive.Program
) -> None:
    printed = run([installed_dive.path, built, "--ci"], check=False).stdout
    result = only(inspect(built)).dive
    assert isinstance(result, Dive)
    assert f"userWastedPercent: {result.user_wasted_share * 100:.4f} %" in printed


def test_two_images_of_one_stream_share_what_the_engine_shares(
    client: DockerClient,
    built: str,
    names: Callable[[str], str],
    inspect: Callable[..., Inspection],
    tmp_path: Path,
) -> None:
    (tmp_path / "Dockerfile").write_text(f"FROM {built}\nCOPY extra /\n")
    (tmp_path / "extra").write_bytes(bytes(5000))
    derived = names("derived")
    run(["docker", "build", "--quiet", "--tag", derived, str(tmp_path)])
    report = inspect(built, derived).report
    base, more = report.images
    assert (base.own_bytes, more.own_bytes, more.shared_bytes) == (0, 5000, base.size_bytes)
    assert report.disk_bytes == more.size_bytes


def test_an_image_that_is_not_there_says_what_to_do(client: DockerClient) -> None:
    with pytest.raises(InspectError, match="has no image onegig-test-nowhere:1") as caught:
        Images(client).image("onegig-test-nowhere:1")
    assert "docker pull onegig-test-nowhere:1" in caught.value.advice


def test_an_image_removed_meanwhile_is_an_error(client: DockerClient) -> None:
    gone = "sha256:" + "0" * 64
    with pytest.raises(InspectError, match="could not save"), Images(client).save([gone]):
        pass


def test_an_engine_that_went_away_is_an_engine_error() -> None:
    client = DockerClient(base_url="tcp://127.0.0.1:1", version="1.45")
    with pytest.raises(EngineError, match="stopped answering"):
        Images(client).image("a:1")
    with pytest.raises(EngineError), Images(client).save(["a:1"]):
        pass
    client.close()


def test_what_the_docker_command_saves_reads_the_same(
    client: DockerClient, built: str, loaded: str, tmp_path: Path
) -> None:
    """The command writes names and tags into the archive, the stream by id does not."""
    run(["docker", "save", "--output", str(tmp_path / "saved.tar"), built, loaded])
    spool = Spool(tmp_path, lambda layer: None)
    with (tmp_path / "saved.tar").open("rb") as file:
        spool.add(file)
    for reference in (built, loaded):
        image = Images(client).image(reference)
        result: Any = json.loads(spool.find(image.image_id, image.diff_ids).config)
        assert tuple(result["rootfs"]["diff_ids"]) == image.diff_ids
