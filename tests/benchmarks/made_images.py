"""Images for the benchmark of `onegig inspect`, made on the engine and removed again."""

import hashlib
import io
import json
import random
import tarfile
import tempfile
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path

from docker import DockerClient

from onegig.process import run

NAME = "onegig-benchmark"
FILES, BYTES = 20_000, 650_000_000
IMAGES = 15

Made = tuple[str, list[str]]  # a title and the images' references


@contextmanager
def many_files(client: DockerClient, _stack: str) -> Iterator[Made]:
    """Files as an image of Python or Node has them: most small, some of megabytes; text and not."""
    choice = random.Random(1)
    words = [
        bytes(choice.choices(b"abcdefghijklmnop_", k=choice.randint(2, 10))) for _ in range(999)
    ]
    text = b" ".join(choice.choices(words, k=1_000_000))
    sizes = [min(int(choice.paretovariate(1.2) * 7000), 4_000_000) for _ in range(FILES)]
    scale = BYTES / sum(sizes)

    def files() -> Iterator[tuple[str, bytes]]:
        for number, size in enumerate(sizes):
            length, start = int(size * scale), choice.randrange(100_000)
            content = text[start : start + length] if number % 3 else choice.randbytes(length)
            yield f"usr/lib/package{number % 200}/part{number % 37}/file{number}", content

    with loaded(client, {f"{NAME}:files": [tar_of(files())]}) as references:
        yield f"{FILES:,} files in {BYTES // 10**6} MB", references


@contextmanager
def a_stack(client: DockerClient, stack: str) -> Iterator[Made]:
    """Fifteen images: those on the engine whose names begin so, or made here on one base."""
    tags = sorted(tag for image in client.images.list() for tag in image.tags)
    found = [tag for tag in tags if stack and tag.startswith(stack)][:IMAGES]
    if found:
        yield f"{len(found)} images of {stack}", found
        return
    choice = random.Random(2)
    base = tar_of((f"usr/lib/file{number}", choice.randbytes(12_000)) for number in range(1500))
    images = {
        f"{NAME}-stack:{number}": [
            base,
            tar_of((f"srv/app{number}/file{one}", choice.randbytes(4000)) for one in range(40)),
        ]
        for number in range(IMAGES)
    }
    with loaded(client, images) as references:
        yield f"{IMAGES} images on one base, made here", references


@contextmanager
def loaded(client: DockerClient, images: dict[str, Sequence[bytes]]) -> Iterator[list[str]]:
    """Images of these layers on the engine."""
    try:
        for reference, layers in images.items():
            with tempfile.TemporaryDirectory() as folder:
                archive = Path(folder) / "image.tar"
                write_image(archive, reference, layers)
                run(["docker", "load", "--input", str(archive)], timeout_seconds=600)
        yield list(images)
    finally:
        for reference in images:
            run(["docker", "image", "rm", "--force", reference], check=False)


def write_image(path: Path, reference: str, layers: Sequence[bytes]) -> None:
    """An archive as `docker load` takes it."""
    config = {
        "architecture": "amd64",
        "os": "linux",
        "config": {},
        "rootfs": {
            "type": "layers",
            "diff_ids": [f"sha256:{hashlib.sha256(one).hexdigest()}" for one in layers],
        },
    }
    names = [f"{place}.tar" for place, _ in enumerate(layers)]
    manifest = [{"Config": "config.json", "RepoTags": [reference], "Layers": names}]
    with tarfile.open(path, "w") as archive:
        for name, content in (
            *zip(names, layers, strict=True),
            ("config.json", json.dumps(config).encode()),
            ("manifest.json", json.dumps(manifest).encode()),
        ):
            add(archive, name, content)


def tar_of(files: Iterable[tuple[str, bytes]]) -> bytes:
    """A layer with these files."""
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w") as tar:
        for name, content in files:
            add(tar, name, content)
    return out.getvalue()


def add(tar: tarfile.TarFile, name: str, content: bytes) -> None:
    """A file in a tar."""
    member = tarfile.TarInfo(name)
    member.size = len(content)
    tar.addfile(member, io.BytesIO(content))


PARTS: dict[str, Callable[[DockerClient, str], AbstractContextManager[Made]]] = {
    "files": many_files,
    "stack": a_stack,
}
