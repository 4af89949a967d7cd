"""What every live byte is there for."""

import re
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hand_made import BASE, MadeByHand, apk_database, made_layer
from onegig.images import path_causes
from onegig.images.account import account
from onegig.images.causes import MOST_PARTS, explain, parts_of
from onegig.images.layer import LayerIndex
from onegig.images.packages import READERS, is_database
from onegig.model.images import Cause
from random_layers import random_layers

SITE = "usr/local/lib/python3.13/site-packages"
PIP = f"{SITE}/pip-25.1.dist-info"
REDIS = f"{SITE}/redis-5.2.1.dist-info"
PYTEST = f"{SITE}/pytest-8.3.dist-info"
MUSL = "musl 1.2.5 - lib/ld-musl-x86_64.so.1"
GCC = "gcc 14.2 isl26 usr/bin/gcc usr/lib/libgcc.a usr/share/man/man1/gcc.1"
ISL = "isl26 0.26 - usr/lib/libisl.so"
CURL = "curl 8.1 - usr/bin/curl"
PYTHON = "python3 3.12 - usr/bin/python3.12"


def image(*steps: tuple[str, LayerIndex], base: LayerIndex | None = None) -> MadeByHand:
    lowest = made_layer(
        {
            "lib/apk/db/installed": apk_database(MUSL),
            "etc/apk/world": "musl",
            "lib/ld-musl-x86_64.so.1": 600,
            "etc/motd": 10,
        }
    )
    return MadeByHand(steps=[(BASE, base or lowest), *steps])


def test_packages_are_told_by_what_they_are_for() -> None:
    installed = made_layer(
        {
            "lib/apk/db/installed": apk_database(MUSL, GCC, ISL, CURL, PYTHON),
            "etc/apk/world": "musl gcc curl python3",
            "usr/bin/gcc": 900,
            "usr/lib/libgcc.a": 90,
            "usr/share/man/man1/gcc.1": 9,
            "usr/lib/libisl.so": 500,
            "usr/bin/curl": 50,
            "usr/bin/python3.12": 70,
        }
    )
    causes = image(("RUN apk add gcc curl python3", installed)).causes()
    assert {path: cause for path, cause in causes.items() if path != "etc/apk/world"} == {
        "lib/ld-musl-x86_64.so.1": (Cause.BASE, "musl 1.2.5"),
        "etc/motd": (Cause.BASE, "/etc"),
        "lib/apk/db/installed": (Cause.BASE, "/lib/apk"),
        "usr/bin/gcc": (Cause.DEVELOPMENT, "gcc 14.2"),
        "usr/lib/libgcc.a": (Cause.DEVELOPMENT, "gcc 14.2"),
        "usr/share/man/man1/gcc.1": (Cause.DOCUMENTATION, "/usr/share/man"),
        "usr/lib/libisl.so": (Cause.DEVELOPMENT, "isl26 0.26"),
        "usr/bin/curl": (Cause.DEPENDENCY, "curl 8.1"),
        "usr/bin/python3.12": (Cause.RUNTIME, "python3 3.12"),
    }


def test_content_that_an_installer_linked_from_its_cache_is_the_package() -> None:
    """uv and pnpm do so: nothing is saved by removing the cache."""
    cached = "root/.cache/uv/archive-v0/a1b2"
    linked = made_layer(
        {
            f"{cached}/redis/client.py": 600,
            f"{cached}/only-here": 30,
            f"{REDIS}/RECORD": "redis/client.py,,\n",
        },
        links={f"{SITE}/redis/client.py": f"{cached}/redis/client.py"},
    )
    causes = image(("RUN uv pip install --system redis", linked)).causes()
    assert causes[f"{SITE}/redis/client.py"] == (Cause.DEPENDENCY, "redis 5.2.1")
    assert causes[f"{cached}/only-here"] == (Cause.CACHE, "/root/.cache/uv")
    assert f"{cached}/redis/client.py" not in causes


def test_a_package_of_the_base_stays_one_when_it_is_upgraded() -> None:
    newer = apk_database("musl 1.2.6 - lib/ld-musl-x86_64.so.1")
    upgrade = made_layer({"lib/apk/db/installed": newer, "lib/ld-musl-x86_64.so.1": 700})
    causes = image(("RUN apk upgrade", upgrade)).causes()
    assert causes["lib/ld-musl-x86_64.so.1"] == (Cause.BASE, "musl 1.2.6")


def test_compilers_that_the_base_image_brought_are_no_base_os() -> None:
    base = made_layer(
        {"lib/apk/db/installed": apk_database(MUSL, GCC), "usr/bin/gcc": 9, "etc/apk/world": "gcc"}
    )
    assert image(base=base).causes()["usr/bin/gcc"] == (Cause.DEVELOPMENT, "gcc 14.2")


def test_a_python_image() -> None:
    base = made_layer(
        {
            "lib/apk/db/installed": apk_database(MUSL),
            "usr/local/bin/python3.13": 5,
            "usr/local/lib/libpython3.13.so.1.0": 5,
            "usr/local/lib/python3.13/os.py": 5,
            "usr/local/lib/python3.13/test/test_os.py": 5,
            "usr/local/lib/python3.13/pydoc_data/topics.py": 5,
            "usr/local/lib/python3.13/ensurepip/_bundled/pip.whl": 5,
            "usr/local/include/python3.13/Python.h": 5,
            f"{PIP}/METADATA": "Name: pip\nVersion: 25.1\n",
            f"{PIP}/RECORD": "pip/__init__.py,,\n",
            f"{SITE}/pip/__init__.py": 5,
            f"{SITE}/pip/__pycache__/__init__.cpython-313.pyc": 5,
        }
    )
    installed = made_layer(
        {
            f"{REDIS}/METADATA": "Name: redis\nVersion: 5.2.1\n",
            f"{REDIS}/RECORD": "redis/client.py,,\nredis/__pycache__/client.cpython-313.pyc,,\n",
            f"{REDIS}/licenses/LICENSE": 5,
            f"{SITE}/redis/client.py": 5,
            f"{SITE}/redis/__pycache__/client.cpython-313.pyc": 5,
            f"{SITE}/redis/tests/test_client.py": 5,
            f"{SITE}/redis/include/redis.h": 5,
            f"{SITE}/redis/locale/de/LC_MESSAGES/redis.mo": 5,
            f"{PYTEST}/METADATA": "Name: pytest\nVersion: 8.3\n",
            f"{SITE}/pytest/__init__.py": 5,
            "root/.cache/pip/http-v2/a": 5,
            "tmp/pip-log": 5,
        }
    )
    own = made_layer({"app/main.py": 5, f"{SITE}/desk/__init__.py": 5, "etc/app.conf": 5})
    causes = image(
        ("RUN pip install redis pytest", installed), ("COPY . /", own), base=base
    ).causes()
    python = "usr/local/lib/python3.13"
    expected = {
        "usr/local/bin/python3.13": (Cause.RUNTIME, "Python 3.13"),
        "usr/local/lib/libpython3.13.so.1.0": (Cause.RUNTIME, "Python 3.13"),
        f"{python}/os.py": (Cause.RUNTIME, "Python 3.13"),
        f"{python}/test/test_os.py": (Cause.DEVELOPMENT, f"/{python}/test"),
        f"{python}/pydoc_data/topics.py": (Cause.DOCUMENTATION, f"/{python}/pydoc_data"),
        f"{python}/ensurepip/_bundled/pip.whl": (Cause.DEVELOPMENT, f"/{python}/ensurepip"),
        "usr/local/include/python3.13/Python.h": (
            Cause.DEVELOPMENT,
            "headers in /usr/local/include/python3.13",
        ),
        f"{SITE}/pip/__init__.py": (Cause.DEVELOPMENT, "pip 25.1"),
        f"{SITE}/pip/__pycache__/__init__.cpython-313.pyc": (Cause.DEVELOPMENT, "pip 25.1"),
        f"{SITE}/redis/client.py": (Cause.DEPENDENCY, "redis 5.2.1"),
        f"{REDIS}/licenses/LICENSE": (Cause.DEPENDENCY, "redis 5.2.1"),
        f"{SITE}/redis/__pycache__/client.cpython-313.pyc": (Cause.CACHE, "bytecode"),
        f"{SITE}/redis/tests/test_client.py": (Cause.DEVELOPMENT, "tests of redis 5.2.1"),
        f"{SITE}/redis/include/redis.h": (Cause.DEVELOPMENT, "headers of redis 5.2.1"),
        f"{SITE}/redis/locale/de/LC_MESSAGES/redis.mo": (
            Cause.DOCUMENTATION,
            "translations of redis 5.2.1",
        ),
        f"{SITE}/pytest/__init__.py": (Cause.DEVELOPMENT, "pytest 8.3"),
        "root/.cache/pip/http-v2/a": (Cause.CACHE, "/root/.cache/pip"),
        "tmp/pip-log": (Cause.CACHE, "/tmp"),
        "app/main.py": (Cause.APPLICATION, "/app"),
        f"{SITE}/desk/__init__.py": (Cause.APPLICATION, f"/{SITE}/desk"),
        "etc/app.conf": (Cause.APPLICATION, "/etc"),
    }
    assert {path: causes[path] for path in expected} == expected


def test_sourceless_bytecode_is_the_program_itself() -> None:
    own = made_layer({"app/main.pyc": 5, "app/__pycache__/other.cpython-313.pyc": 5})
    causes = image(("COPY app /app", own)).causes()
    assert causes["app/main.pyc"] == (Cause.APPLICATION, "/app")
    assert causes["app/__pycache__/other.cpython-313.pyc"] == (Cause.CACHE, "bytecode")


def test_what_pip_installs_from_sources_is_the_application() -> None:
    info = f"{SITE}/desk-1.0.dist-info"
    own = made_layer(
        {
            f"{info}/METADATA": "Name: desk\nVersion: 1.0\n",
            f"{info}/direct_url.json": '{"dir_info": {}, "url": "file:///src"}',
            f"{SITE}/desk/main.py": 5,
        }
    )
    causes = image(("RUN pip install /src", own)).causes()
    assert causes[f"{SITE}/desk/main.py"] == (Cause.APPLICATION, "desk 1.0")


@pytest.mark.parametrize(
    ("instruction", "path", "cause", "name"),
    [
        ("COPY valkey-server /usr/local/bin/", "usr/local/bin/valkey-server", "application", ""),
        ("COPY /usr/lib/libpq.so.5 /usr/lib/", "usr/lib/libpq.so.5", "runtime dependency", ""),
        ("RUN curl -o /usr/local/bin/tini x", "usr/local/bin/tini", "runtime dependency", ""),
        ("RUN make -C /app", "app/made", "application", "/app"),
        ("RUN adduser bob", "etc/passwd", "base OS", "/etc"),
        ("RUN something", "srv/data", "unexplained", "/srv"),
        ("", "srv/data", "application", "/srv"),
        ("bazel build //:image", "srv/data", "application", "/srv"),
        (
            "RUN gem install x",
            "usr/local/bundle/gems/rack-3.1/a.rb",
            "runtime dependency",
            "rack 3.1",
        ),
        ("COPY node /usr/local/bin/", "usr/local/bin/node", "language runtime", "Node.js"),
        ("COPY jre /opt/java/openjdk", "opt/java/openjdk/lib/modules", "language runtime", "Java"),
        ("RUN go build", "root/.cache/go-build/a/b", "cache", "/root/.cache/go-build"),
        ("RUN x", "usr/local/go/bin/go", "development dependency", "/usr/local/go"),
        ("RUN x", "usr/lib/libx.a", "development dependency", "static libraries in /usr/lib"),
        ("COPY x /app", "app/model.a", "application", "/app"),
        ("RUN apt-get update", "var/lib/apt/lists/x", "cache", "/var/lib/apt/lists"),
        ("RUN apk add x", "var/cache/apk/x", "cache", "/var/cache/apk"),
        ("RUN x", "usr/share/doc/x/README", "documentation and locales", "/usr/share/doc"),
        ("RUN x", "usr/lib/locale/de_DE/LC_X", "documentation and locales", "/usr/lib/locale"),
        ("RUN x", f"{SITE}/vendored/a.py", "runtime dependency", f"/{SITE}/vendored"),
    ],
)
def test_files_that_no_database_knows(instruction: str, path: str, cause: str, name: str) -> None:
    causes = image((instruction, made_layer({path: 7}))).causes()[path]
    assert causes[0].value == cause
    assert causes[1] == name or not name


@pytest.mark.parametrize("path", ["usr/share/doc/x/copyright", "usr/lib/locale/C.utf8/LC_CTYPE"])
def test_what_slim_images_keep_is_no_documentation(path: str) -> None:
    base = made_layer({path: 7})
    assert image(base=base).causes()[path][0] is Cause.BASE


def test_a_program_of_the_base_image_is_what_it_was_chosen_for() -> None:
    steps = [(BASE, made_layer({"bin/sh": 1})), ("RUN x", made_layer({"usr/local/bin/redis": 5}))]
    causes = MadeByHand(steps=steps, base_layers=2).causes()
    assert causes["usr/local/bin/redis"][0] is Cause.DEPENDENCY
    assert causes["bin/sh"][0] is Cause.BASE


def test_a_virtual_environment_is_a_runtime_around_its_packages() -> None:
    site = "opt/venv/lib/python3.13/site-packages"
    accounting = made_layer(
        {
            "opt/venv/pyvenv.cfg": 5,
            "opt/venv/bin/activate": 5,
            f"{site}/redis-5.dist-info/METADATA": "Name: redis\nVersion: 5\n",
            f"{site}/redis/a.py": 5,
        }
    )
    causes = image(("COPY /opt/venv /opt/venv", accounting)).causes()
    assert causes["opt/venv/bin/activate"] == (Cause.RUNTIME, "virtual environment /opt/venv")
    assert causes[f"{site}/redis/a.py"] == (Cause.DEPENDENCY, "redis 5")


def test_what_a_copy_of_everything_brought_along() -> None:
    context = made_layer(
        {
            "app/.git/objects/pack/a": 5,
            "app/tests/test_a.py": 5,
            "app/.venv/lib/python3.13/site-packages/a-1.dist-info/METADATA": "Name: a\n",
            "app/node_modules/b/package.json": '{"name": "b"}',
            "app/src/tests.py": 5,
            "app/src/tests/fixture": 5,
        }
    )
    causes = image(("COPY . .", context)).causes()
    stray = {path: name for path, (cause, name) in causes.items() if cause is Cause.DEVELOPMENT}
    assert stray == {
        "app/.git/objects/pack/a": "/app/.git",
        "app/tests/test_a.py": "/app/tests",
        "app/.venv/lib/python3.13/site-packages/a-1.dist-info/METADATA": "/app/.venv",
        "app/node_modules/b/package.json": "/app/node_modules",
    }


def test_what_was_copied_on_purpose_is_no_stray() -> None:
    node = made_layer({"usr/local/bin/node": 5})
    modules = made_layer({"app/node_modules/b/package.json": '{"name": "b"}'})
    tests = made_layer({"app/tests/data": 5})
    steps = (
        ("COPY node /usr/local/bin/", node),
        ("COPY . .", modules),
        ("COPY tests tests", tests),
    )
    causes = image(*steps).causes()
    assert causes["app/node_modules/b/package.json"] == (Cause.DEPENDENCY, "b")
    assert causes["app/tests/data"] == (Cause.APPLICATION, "/app")


def test_a_stray_stays_one_when_its_owner_changes() -> None:
    files = {"app/.git/pack": 5, "app/tests/data": 5}
    steps = (("COPY . .", made_layer(files)), ("RUN chown -R 1 /app", made_layer(files)))
    causes = image(*steps).causes()
    assert causes["app/.git/pack"][1] == "/app/.git"
    assert causes["app/tests/data"][1] == "/app/tests"


def test_parts_are_bounded_and_still_add_up() -> None:
    names = [f"usr/local/bin/tool{number}" for number in range(MOST_PARTS + 20)]
    accounting = image(("RUN make install", made_layer(dict.fromkeys(names, 10)))).accounting()
    tools = [part for part in accounting.parts if part.cause is Cause.DEPENDENCY]
    assert len(tools) == MOST_PARTS + 1
    assert (tools[-1].name, tools[-1].bytes, tools[-1].files) == ("", 200, 20)
    assert sum(part.bytes for part in accounting.parts) == accounting.live_bytes


def test_names_that_are_not_utf8_are_escaped() -> None:
    causes = image(("COPY x /", made_layer({"srv/caf\udce9/menu": 5}))).causes()
    assert causes["srv/caf\udce9/menu"][1] == "/srv/caf\\xe9"


@pytest.mark.parametrize("seed", range(40))
def test_parts_add_up_to_the_live_bytes_of_any_image(seed: int) -> None:
    random = Random(seed)
    layers = [
        LayerIndex(diff_id=str(at), entries=tuple(entries), contents={})
        for at, entries in enumerate(random_layers(random))
    ]
    live = account(layers).live
    instructions = [random.choice(["RUN x", "COPY . .", "COPY a /a", ""]) for _ in layers]
    base = random.randint(0, len(layers))
    files = explain(layers, live, instructions, base_layers=base, workdir=random.choice(["", "/a"]))
    assert sum(part.bytes for part in parts_of(files)) == sum(entry.size for _, entry in live)
    assert sum(part.files for part in parts_of(files)) == len(live)


NAMES = """
usr local lib include share LC_MESSAGES de x.mo a.h b.pxd libx.a y.la tests test site-packages
dist-packages node_modules lib-dynload _test.so __pycache__ x.cpython-313.pyc gems rake-13.0
python3.13 bin python3 opt node var dpkg status info libc6.list apt extended_states apk db
installed etc world redis-5.dist-info RECORD METADATA package.json .package-lock.json six.py
x.egg-info status.d .so libz.so.1 README
"""
WORDS = st.sampled_from(NAMES.split())
PATHS = st.lists(WORDS, min_size=1, max_size=7).map("/".join)


@given(PATHS)
def test_a_cause_is_found_by_its_pattern(path: str) -> None:
    patterns = [path_causes._FOLDER, path_causes._STATIC, *(row[-1] for row in path_causes._KINDS)]
    causes = path_causes.cause_of_path(path)
    assert (causes is not None) == any(pattern.fullmatch(path) for pattern in patterns)
    assert bool(path_causes.source_of(path)) == bool(path_causes._BYTECODE.fullmatch(path))


@given(PATHS)
def test_a_database_is_found_by_its_pattern(path: str) -> None:
    assert is_database(path) == any(reader.DATABASE.fullmatch(path) for reader in READERS)


@given(PATHS)
def test_a_runtime_is_found_by_its_pattern(path: str) -> None:
    matches: list[re.Match[str] | None] = [
        pattern.fullmatch(path) for _, pattern in path_causes._RUNTIME
    ]
    assert bool(path_causes._ANY_RUNTIME.fullmatch(path)) == any(matches)
    assert not path_causes._GEM.fullmatch(path) or "gems/" in path
    assert not path_causes._MODULE.fullmatch(path) or "-packages/" in path
    assert not path_causes._LIBRARY.fullmatch(path) or ".so" in path
