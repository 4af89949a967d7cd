"""Fixes are sentences that a person would write; no byte is counted twice."""

from collections.abc import Callable
from dataclasses import replace
from random import Random

import pytest

from factories import make_images
from hand_made import BASE, MadeByHand, apk_database, made_layer
from onegig.dockerfiles.parse import Dockerfile
from onegig.images.account import account
from onegig.images.examine import make_accounting
from onegig.images.fixes import place_fixes
from onegig.images.layer import LayerIndex
from onegig.model.images import NOT_ACCOUNTED, Accounting, Fix, Image, ImagesReport
from random_layers import random_layers

MB = 1_000_000
SITE = "usr/local/lib/python3.13/site-packages"
ALPINE = made_layer({"bin/busybox": MB})


def image(
    *steps: tuple[str, LayerIndex], base: LayerIndex = ALPINE, workdir: str = "/app"
) -> Accounting:
    return MadeByHand(steps=[(BASE, base), *steps], workdir=workdir).accounting()


def layer(path: str, size: int = MB, *gone: str) -> LayerIndex:
    return made_layer({path: size} if path else {}, gone=list(gone))


def distribution(name: str, size: int) -> dict[str, int | str]:
    return {
        f"{SITE}/{name}-1.0.dist-info/METADATA": f"Name: {name}\nVersion: 1.0\n",
        f"{SITE}/{name}/__init__.py": size,
    }


GCC = made_layer(
    {
        "lib/apk/db/installed": apk_database(
            "gcc 14.2 isl26 usr/bin/gcc",
            "isl26 0.26 - usr/lib/libisl.so",
            "make 4.4 - usr/bin/make",
        ),
        "etc/apk/world": "gcc make",
        "usr/bin/gcc": 120 * MB,
        "usr/lib/libisl.so": 2 * MB,
        "usr/bin/make": MB,
    }
)


A = layer("app/a", 5 * MB)
UNNEEDED = [
    ("RUN pip install redis", layer("root/.cache/pip/http-v2/a")),
    ("RUN apt-get update && apt-get install -y curl", layer("var/lib/apt/lists/trixie_Packages")),
    ("RUN apt-get install -y curl", layer("var/cache/apt/archives/curl.deb")),
    ("RUN apk add curl", layer("var/cache/apk/APKINDEX.tar.gz")),
    ("RUN npm ci", layer("root/.npm/_cacache/a")),
    ("RUN make", layer("tmp/a.o")),
    ("COPY . .", layer("app/.git/objects/pack/a")),
    ("RUN apt-get install -y vim", layer("usr/share/doc/vim/a")),
    # Python's own tests are not stray
    ("COPY /usr/local/ /usr/local/", layer("usr/local/lib/python3.13/test/test_os.py")),
    ("RUN apk add gcc make", GCC),
    (
        "RUN pip install -r requirements.txt",
        made_layer(distribution("pytest", 3 * MB) | distribution("redis", 9 * MB)),
    ),
]
DELETED = (("RUN dd of=/big", layer("big", 40 * MB)), ("RUN rm /big", layer("", 0, "big")))
DEAD = [
    DELETED,
    (
        ("COPY . .", made_layer({"app/data/a": 7 * MB, "app/data/b": MB})),
        ("RUN rm -r data", layer("", 0, "app/data")),
    ),
    (("RUN rm x", layer("", 0, "bin/busybox")),),
    (("COPY a a", A), ("RUN chown -R 1 /app", A)),
    (("COPY a a", A), ("RUN chmod +x /app/a", A)),
    (("RUN make", A), ("RUN chmod +x /app/a", A)),
    (("COPY a a", A), ("COPY . .", A)),
    (("RUN make", A), ("RUN strip a", layer("app/a"))),
    (("RUN apk upgrade", layer("bin/busybox", 2 * MB)),),
]


def test_what_each_fix_says(golden: Callable[[str, str], None]) -> None:
    texts = []
    for steps in (*((step,) for step in UNNEEDED), *DEAD):
        accounting = image(*steps)
        (fix,) = accounting.fixes
        assert accounting.eliminable_bytes == fix.bytes
        assert accounting.dead_bytes == (fix.bytes if steps in DEAD else 0)
        assert fix.layer is not None
        texts.append(f"in layer {fix.layer + 1}: {fix.text}\n")
    golden("inspect/fixes.txt", "\n".join(texts))


def test_unneeded_files_of_the_base_image_are_one_fix() -> None:
    base = made_layer(
        {"usr/local/include/python3.13/Python.h": 2 * MB, "usr/share/doc/a": MB}
        | distribution("pip", 6 * MB)
    )
    (fix,) = image(base=base).fixes
    assert (fix.bytes, fix.layer) == (9 * MB + len("Name: pip\nVersion: 1.0\n"), 0)
    assert fix.text == (
        "the base image has 9.1 MB that is not needed at run time (pip 1.0 6.1 MB, headers in "
        "/usr/local/include/python3.13 2.0 MB, /usr/share/doc 1.0 MB): build on it, and "
        "COPY --from that stage only what is needed to its -slim or -alpine variant, or to "
        "plain alpine"
    )


def test_a_debian_base_is_questioned_but_its_bytes_are_not_counted() -> None:
    base = made_layer(
        {
            "var/lib/dpkg/status": "Package: perl-base\nStatus: install ok installed\nVersion: 5\n",
            "var/lib/dpkg/info/perl-base.list": "/usr/bin/perl\n",
            "usr/bin/perl": 80 * MB,
        }
    )
    accounting = image(base=base)
    (fix,) = accounting.fixes
    assert (fix.bytes, fix.layer, accounting.eliminable_bytes) == (0, 0, 0)
    assert fix.text == (
        "the base OS takes 81 MB, Alpine only 8.5 MB: try an -alpine base (an estimate, so "
        "not counted)"
    )


@pytest.mark.parametrize(
    "path", ["usr/share/x/__pycache__/a.cpython-313.pyc", "var/cache/debconf/a"]
)
def test_no_remedy_is_offered_for_caches_that_are_needed(path: str) -> None:
    """Without its bytecode a service starts seven times slower."""
    accounting = image(("RUN x", made_layer({path: 5 * MB})))
    assert (accounting.fixes, accounting.eliminable_bytes) == ((), 0)


def test_two_copies_of_one_content() -> None:
    model = "m" * 200_000
    copied = made_layer(
        {"app/model.bin": model, "opt/model.bin": model}, links={"app/m": "app/model.bin"}
    )
    (fix,) = image(("RUN cp app/model.bin /opt", copied)).fixes
    assert (fix.bytes, fix.layer) == (200_000, 1)
    assert fix.text == (
        "0.2 MB are duplicated in the image (/app/model.bin, /opt/model.bin): keep one "
        "copy and link to it"
    )


def test_copies_in_the_base_image_stay() -> None:
    model = "m" * 200_000
    base = made_layer({"usr/share/a/model.bin": model, "usr/share/b/model.bin": model})
    accounting = image(("COPY . /app", made_layer({"app/model.bin": model})), base=base)
    assert [fix.bytes for fix in accounting.fixes] == [200_000]


def test_copies_that_another_fix_removes_are_counted_there_only() -> None:
    model = "m" * 200_000
    copied = made_layer({"app/model.bin": model, "tmp/model.bin": model})
    accounting = image(("RUN cp app/model.bin /tmp", copied))
    assert [fix.text.partition(":")[0] for fix in accounting.fixes] == [
        "`RUN cp app/model.bin /tmp` in layer 2 left 0.2 MB in /tmp"
    ]
    assert accounting.eliminable_bytes == 200_000


def test_the_worst_comes_first_and_trifles_not_at_all() -> None:
    trifle = made_layer({"tmp/a": 99_999})
    worst = made_layer({"root/.cache/pip/a": 90 * MB})
    accounting = image(("RUN a", trifle), *DELETED, ("RUN pip install x", worst))
    assert [fix.bytes for fix in accounting.fixes] == [90 * MB, 40 * MB]
    assert accounting.eliminable_bytes == 130 * MB


def test_an_instruction_is_shortened_to_one_line() -> None:
    long = "RUN set -e;\n\tapt-get `update`; " + "apt-get install curl; " * 20
    accounting = image((long, made_layer({"var/lib/apt/lists/x": MB})))
    assert accounting.fixes[0].text.startswith(
        "`RUN set -e; apt-get 'update'; apt-get install curl; apt-get install c…` in layer 2 "
        "left 1.0 MB"
    )


def test_a_layer_without_history_is_named_by_its_place() -> None:
    accounting = image(("", made_layer({"tmp/a": MB})))
    assert accounting.fixes[0].text == "layer 2 left 1.0 MB in /tmp: delete it in the same RUN"


@pytest.mark.parametrize("name", ["a{b}", "{size}", "%s"])
def test_braces_in_names_stay(name: str) -> None:
    accounting = image((f"RUN {name}", made_layer({f"root/.cache/{name}/a": MB})))
    assert (
        f"`RUN {name}` in layer 2 left 1.0 MB in /root/.cache/{name}:" in accounting.fixes[0].text
    )


@pytest.mark.parametrize("seed", range(60))
def test_no_image_has_more_to_eliminate_than_it_has_bytes(seed: int) -> None:
    random = Random(seed)
    layers = [
        LayerIndex(diff_id=str(at), entries=tuple(entries), contents={})
        for at, entries in enumerate(random_layers(random, most_layers=8))
    ]
    instructions = [random.choice(["RUN x", "COPY . .", "COPY a /a", ""]) for _ in layers]
    base = random.randint(0, len(layers))
    accounting = make_accounting(layers, instructions, base_layers=base, workdir="/a")
    assert (
        accounting.dead_bytes
        <= accounting.eliminable_bytes
        <= sum(item.size_bytes for item in layers)
    )
    assert accounting.live_bytes == account(layers).live_bytes
    assert accounting.live_bytes + accounting.dead_bytes == sum(item.size_bytes for item in layers)


TEXT = """\
FROM alpine:3.23
# the runtime
COPY --from=python runtime /usr/local

COPY packages
"""
FILE = Dockerfile(path="services/Dockerfile", text=TEXT)


def report(*layers: int | None) -> ImagesReport:
    """One image with a fix for each of these layers."""
    images = make_images(["web"])
    (image,) = images.images
    assert isinstance(image.accounting, Accounting)
    fixes = tuple(Fix(bytes=1, text="do so", layer=layer) for layer in layers)
    return replace(
        images, images=(replace(image, accounting=replace(image.accounting, fixes=fixes)),)
    )


def places(image: Image) -> list[str]:
    assert isinstance(image.accounting, Accounting)
    return [fix.place for fix in image.accounting.fixes]


def test_each_fix_gets_the_line_of_its_layer() -> None:
    (image,) = place_fixes(report(1, 2, 0, None), {"web": FILE}).images
    assert places(image) == [
        "services/Dockerfile:3",
        "services/Dockerfile:5",
        "services/Dockerfile:1",  # it came with the base
        "",
    ]


def test_an_image_that_is_not_built_here_and_one_without_account_stay_as_they_are() -> None:
    images = report(1)
    assert place_fixes(images, {"jobs": FILE}) == images
    bare = replace(images, images=(replace(images.images[0], accounting=NOT_ACCOUNTED),))
    assert place_fixes(bare, {"web": FILE}) == bare


def test_a_place_that_is_known_stays() -> None:
    placed = place_fixes(report(1), {"web": FILE})
    assert place_fixes(placed, {"web": Dockerfile(path="other", text=TEXT)}) == placed
