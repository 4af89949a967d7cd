"""What to change, as a person would put it; nothing is counted twice."""

from random import Random

import pytest

from hand_made import BASE, MadeByHand, apk_database, made_layer
from onegig.images.account import account
from onegig.images.accounting import make_accounting
from onegig.images.layer import LayerIndex
from onegig.model.images import Accounting
from random_layers import random_layers

MB = 1_000_000
SITE = "usr/local/lib/python3.13/site-packages"
ALPINE = made_layer({"bin/busybox": MB})
CURL = "RUN apk add curl"


def image(
    *steps: tuple[str, LayerIndex], base: LayerIndex = ALPINE, workdir: str = "/app"
) -> Accounting:
    return MadeByHand(steps=[(BASE, base), *steps], workdir=workdir).accounting()


def told(made: Accounting) -> list[tuple[int, int | None, str]]:
    return [(fix.bytes, fix.layer, fix.text) for fix in made.fixes]


def distribution(name: str, size: int) -> dict[str, int | str]:
    return {
        f"{SITE}/{name}-1.0.dist-info/METADATA": f"Name: {name}\nVersion: 1.0\n",
        f"{SITE}/{name}/__init__.py": size,
    }


@pytest.mark.parametrize(
    ("instruction", "path", "advice"),
    [
        (
            "RUN pip install redis",
            "root/.cache/pip/http-v2/a",
            (
                "`RUN pip install redis` in layer 2 left 82 MB in /root/.cache/pip: add "
                "--no-cache-dir, "
                "or mount a cache there (RUN --mount=type=cache,target=/root/.cache/pip)"
            ),
        ),
        (
            "RUN apt-get update && apt-get install -y curl",
            "var/lib/apt/lists/deb.debian.org_dists_trixie_main_Packages",
            (
                "`RUN apt-get update && apt-get install -y curl` in layer 2 left 82 MB in "
                "/var/lib/apt/lists: end that RUN with `rm -rf /var/lib/apt/lists/*`"
            ),
        ),
        (
            "RUN apt-get install -y curl",
            "var/cache/apt/archives/curl.deb",
            (
                "`RUN apt-get install -y curl` in layer 2 left 82 MB in /var/cache/apt: end that "
                "RUN "
                "with `apt-get clean`"
            ),
        ),
        (
            CURL,
            "var/cache/apk/APKINDEX.tar.gz",
            "`RUN apk add curl` in layer 2 left 82 MB in /var/cache/apk: use `apk add --no-cache`",
        ),
        (
            "RUN npm ci",
            "root/.npm/_cacache/a",
            (
                "`RUN npm ci` in layer 2 left 82 MB in /root/.npm: end that RUN with "
                "`npm cache clean --force`, or mount a cache there"
            ),
        ),
        (
            "RUN make",
            "tmp/build/a.o",
            "`RUN make` in layer 2 left 82 MB in /tmp: delete it in the same RUN",
        ),
        (
            "COPY . .",
            "app/.git/objects/pack/a",
            (
                "`COPY . .` in layer 2 holds 82 MB that the image does not need (/app/.git): "
                "name it in "
                ".dockerignore"
            ),
        ),
        (
            "RUN apt-get install -y vim",
            "usr/share/doc/vim/a",
            (
                "`RUN apt-get install -y vim` in layer 2 installed 82 MB of documentation and "
                "locales "
                "(/usr/share/doc): delete it in the same RUN; dpkg leaves it out with "
                "path-exclude in "
                "/etc/dpkg/dpkg.cfg.d"
            ),
        ),
    ],
)
def test_what_a_layer_left_behind(instruction: str, path: str, advice: str) -> None:
    made = image((instruction, made_layer({path: 82 * MB})))
    assert told(made) == [(82 * MB, 1, advice)]
    assert made.eliminable_bytes == 82 * MB


def test_compilers_left_in() -> None:
    database = apk_database(
        "gcc 14.2 isl26 usr/bin/gcc", "isl26 0.26 - usr/lib/libisl.so", "make 4.4 - usr/bin/make"
    )
    built = made_layer(
        {
            "lib/apk/db/installed": database,
            "etc/apk/world": "gcc make",
            "usr/bin/gcc": 120 * MB,
            "usr/lib/libisl.so": 2 * MB,
            "usr/bin/make": MB,
        }
    )
    ((saved, layer, text),) = told(image(("RUN apk add gcc make && make", built)))
    assert (saved, layer) == (123 * MB, 1)
    assert text == (
        "`RUN apk add gcc make && make` in layer 2 left 123 MB that only building needs (gcc 14.2 "
        "120 MB, isl26 0.26 2.0 MB, make 4.4 1.0 MB): build in a stage of its own and COPY "
        "--from it "
        "what runs, or remove it in the same RUN (`apk add --virtual .build ... && apk del "
        ".build`, "
        "`apt-get purge --auto-remove`)"
    )


def test_development_requirements() -> None:
    installed = made_layer(distribution("pytest", 3 * MB) | distribution("redis", 9 * MB))
    ((saved, _, text),) = told(image(("RUN pip install -r requirements.txt", installed)))
    assert saved == 3 * MB + len("Name: pytest\nVersion: 1.0\n")
    assert text == (
        "`RUN pip install -r requirements.txt` in layer 2 installed 3.1 MB that only development "
        "needs (pytest 1.0): keep that in a requirements file of its own, which the image does not "
        "install"
    )


def test_what_the_base_image_brought_is_one_thing_to_change() -> None:
    base = made_layer(
        {"usr/local/include/python3.13/Python.h": 2 * MB, "usr/share/doc/a": MB}
        | distribution("pip", 6 * MB)
    )
    ((saved, layer, text),) = told(image(base=base))
    assert (saved, layer) == (9 * MB + len("Name: pip\nVersion: 1.0\n"), 0)
    assert text == (
        "the base image has 9.1 MB that nothing needs at run time (pip 1.0 6.1 MB, headers in "
        "/usr/local/include/python3.13 2.0 MB, /usr/share/doc 1.0 MB): build on it, and COPY "
        "--from "
        "that stage what runs onto its -slim or -alpine variant, or onto plain alpine"
    )


def test_a_debian_base_is_questioned_but_its_bytes_are_not_counted() -> None:
    base = made_layer(
        {
            "var/lib/dpkg/status": "Package: perl-base\nStatus: install ok installed\nVersion: 5\n",
            "var/lib/dpkg/info/perl-base.list": "/usr/bin/perl\n",
            "usr/bin/perl": 80 * MB,
        }
    )
    made = image(base=base)
    assert told(made) == [
        (
            0,
            0,
            (
                "the base OS takes 81 MB, Alpine's takes 8.5 MB: try an -alpine base (not "
                "measured, so "
                "not counted)"
            ),
        )
    ]
    assert made.eliminable_bytes == 0


@pytest.mark.parametrize(
    "kept", ["usr/share/x/__pycache__/a.cpython-313.pyc", "var/cache/debconf/a"]
)
def test_no_remedy_is_offered_for_caches_that_are_needed(kept: str) -> None:
    """Without its bytecode a service starts seven times slower."""
    made = image(("RUN x", made_layer({kept: 5 * MB})))
    assert (made.fixes, made.eliminable_bytes) == ((), 0)


DELETED = (
    ("RUN dd of=/big", made_layer({"big": 40 * MB})),
    ("RUN rm /big", made_layer({}, gone=["big"])),
)


def test_files_deleted_in_a_later_layer() -> None:
    made = image(*DELETED)
    assert told(made) == [
        (
            40 * MB,
            1,
            (
                "`RUN rm /big` in layer 3 deletes 40 MB (/big) of `RUN dd of=/big` in layer 2, "
                "which "
                "stay in it: delete them in the RUN that makes them, or build in a stage of its own"
            ),
        )
    ]
    assert made.eliminable_bytes == 40 * MB


def test_files_copied_and_then_deleted() -> None:
    context = made_layer({"app/data/a": 7 * MB, "app/data/b": MB})
    ((_, layer, text),) = told(
        image(("COPY . .", context), ("RUN rm -r data", made_layer({}, gone=["app/data"])))
    )
    assert layer == 1
    assert text == (
        "`RUN rm -r data` in layer 3 deletes 8.0 MB in 2 files (/app/data/a, /app/data/b) of "
        "`COPY . .` in layer 2, which stay in it: leave them out by .dockerignore, or COPY "
        "--from a "
        "stage where they are deleted"
    )


def test_files_of_the_base_that_are_deleted() -> None:
    ((_, layer, text),) = told(image(("RUN rm x", made_layer({}, gone=["bin/busybox"]))))
    assert layer == 0
    assert text == (
        "`RUN rm x` in layer 2 deletes 1.0 MB (/bin/busybox) of the base image, which stay in it: "
        "start from a base without them"
    )


@pytest.mark.parametrize(
    ("first", "second", "advice"),
    [
        ("COPY a a", "RUN chown -R 1 /app", "use COPY --chown there"),
        ("COPY a a", "RUN chmod +x /app/a", "use COPY --chmod there"),
        ("RUN make", "RUN chmod +x /app/a", "change owner and mode in the RUN that makes them"),
    ],
)
def test_files_copied_for_their_owner_or_mode(first: str, second: str, advice: str) -> None:
    files = {"app/a": 5 * MB}
    ((saved, layer, text),) = told(image((first, made_layer(files)), (second, made_layer(files))))
    assert (saved, layer) == (5 * MB, 2)
    assert text == (
        f"`{second}` in layer 3 holds 5.0 MB (/app/a) once more for their owner, mode or time, the "
        f"same as `{first}` in layer 2: {advice}"
    )


def test_the_same_files_copied_twice() -> None:
    files = {"app/a": 5 * MB}
    ((_, _, text),) = told(image(("COPY a a", made_layer(files)), ("COPY . .", made_layer(files))))
    assert text == (
        "`COPY . .` in layer 3 holds 5.0 MB (/app/a) once more, the same as `COPY a a` in layer 2: "
        "copy them once"
    )


def test_files_that_are_replaced() -> None:
    steps = (
        ("RUN make", made_layer({"app/a": 5 * MB})),
        ("RUN strip a", made_layer({"app/a": MB})),
    )
    ((saved, _, text),) = told(image(*steps))
    assert saved == 5 * MB
    assert text == (
        "`RUN strip a` in layer 3 replaces 5.0 MB (/app/a) of `RUN make` in layer 2: both stay; "
        "make "
        "them once, or make them in one RUN"
    )


def test_upgrading_the_base_image() -> None:
    ((_, _, text),) = told(image(("RUN apk upgrade", made_layer({"bin/busybox": 2 * MB}))))
    assert text == (
        "`RUN apk upgrade` in layer 2 replaces 1.0 MB (/bin/busybox) of the base image: build on a "
        "newer base image instead of upgrading it"
    )


def test_two_copies_of_one_content() -> None:
    model = "m" * 200_000
    layer = made_layer(
        {"app/model.bin": model, "opt/model.bin": model}, links={"app/m": "app/model.bin"}
    )
    made = image(("RUN cp app/model.bin /opt", layer))
    assert told(made) == [
        (
            200_000,
            1,
            (
                "0.2 MB are duplicated in the image (/app/model.bin, /opt/model.bin): keep one, "
                "link to it"
            ),
        )
    ]


def test_copies_that_another_fix_removes_are_counted_there_only() -> None:
    model = "m" * 200_000
    layer = made_layer({"app/model.bin": model, "tmp/model.bin": model})
    made = image(("RUN cp app/model.bin /tmp", layer))
    assert [fix.text.partition(":")[0] for fix in made.fixes] == [
        "`RUN cp app/model.bin /tmp` in layer 2 left 0.2 MB in /tmp"
    ]
    assert made.eliminable_bytes == 200_000


def test_the_worst_comes_first_and_trifles_not_at_all() -> None:
    trifle = made_layer({"tmp/a": 99_999})
    worst = made_layer({"root/.cache/pip/a": 90 * MB})
    made = image(("RUN a", trifle), *DELETED, ("RUN pip install x", worst))
    assert [fix.bytes for fix in made.fixes] == [90 * MB, 40 * MB]
    assert made.eliminable_bytes == 130 * MB


def test_an_instruction_is_told_on_one_line_and_only_as_long_as_it_takes_to_know_it() -> None:
    long = "RUN set -e;\n\tapt-get `update`; " + "apt-get install curl; " * 20
    made = image((long, made_layer({"var/lib/apt/lists/x": MB})))
    assert made.fixes[0].text.startswith(
        "`RUN set -e; apt-get 'update'; apt-get install curl; apt-get install c…` in layer 2 "
        "left 1.0 MB"
    )


def test_a_layer_without_history_is_named_by_its_place() -> None:
    made = image(("", made_layer({"tmp/a": MB})))
    assert made.fixes[0].text == "layer 2 left 1.0 MB in /tmp: delete it in the same RUN"


def test_the_tests_of_python_itself_are_no_strays() -> None:
    copied = made_layer({"usr/local/lib/python3.13/test/test_os.py": 2 * MB})
    ((_, _, text),) = told(image(("COPY /usr/local/ /usr/local/", copied)))
    assert text == (
        "`COPY /usr/local/ /usr/local/` in layer 2 installed 2.0 MB of tests, headers and static "
        "libraries (/usr/local/lib/python3.13/test): delete it in the same RUN, or COPY --from a "
        "stage where they are deleted"
    )


@pytest.mark.parametrize("name", ["a{b}", "{size}", "%s"])
def test_names_with_braces_are_told_as_they_are(name: str) -> None:
    made = image((f"RUN {name}", made_layer({f"root/.cache/{name}/a": MB})))
    assert f"`RUN {name}` in layer 2 left 1.0 MB in /root/.cache/{name}:" in made.fixes[0].text


@pytest.mark.parametrize("seed", range(60))
def test_no_image_has_more_to_eliminate_than_it_has_bytes(seed: int) -> None:
    random = Random(seed)
    layers = [
        LayerIndex(diff_id=str(at), entries=tuple(entries), contents={})
        for at, entries in enumerate(random_layers(random, most_layers=8))
    ]
    instructions = [random.choice(["RUN x", "COPY . .", "COPY a /a", ""]) for _ in layers]
    base = random.randint(0, len(layers))
    made = make_accounting(layers, instructions, base_layers=base, workdir="/a")
    assert made.dead_bytes <= made.eliminable_bytes <= sum(one.size_bytes for one in layers)
    assert made.live_bytes == account(layers).live_bytes
    assert made.live_bytes + made.dead_bytes == sum(one.size_bytes for one in layers)
