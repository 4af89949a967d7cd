"""Package databases read: whose a file is, and which packages only development needs."""

import json
from dataclasses import replace

import pytest

from hand_made import apk_database
from onegig.images.packages import development_packages, is_database, read_packages
from onegig.images.packages.package import Package

SITE = "usr/local/lib/python3.13/site-packages"


def read(files: dict[str, str], *more: str) -> dict[str, Package]:
    contents = {path: text.encode() for path, text in files.items()}
    packages = read_packages(contents, {*files, *more})
    return {package.name: package for package in packages}


@pytest.mark.parametrize("place", ["lib/apk/db/installed", "usr/lib/apk/db/installed"])
def test_alpine_packages_own_what_their_database_lists(place: str) -> None:
    packages = read(
        {
            place: apk_database(
                "musl 1.2.5-r10 - lib/ld-musl-x86_64.so.1",
                "busybox 1.37-r0 so:libc.musl-x86_64.so.1>=1,!old bin/busybox etc/securetty",
            ),
            "etc/apk/world": "busybox~1.37 tini@edge",
        }
    )
    assert str(packages["musl"]) == "musl 1.2.5-r10"
    assert packages["musl"].files == {"lib/ld-musl-x86_64.so.1"}
    assert not packages["musl"].asked
    assert packages["busybox"].files == {"bin/busybox", "etc/securetty"}
    assert packages["busybox"].needs == {"so:libc.musl-x86_64.so.1"}
    assert packages["busybox"].asked


STATUS = """\
Package: libc6
Status: install ok installed
Architecture: amd64
Version: 2.41-12
Depends: libgcc-s1
Description: GNU C Library
 Several lines, with a
 .
 Package: not-one

Package: dash
Status: install ok installed
Architecture: amd64
Version: 0.5.12
Pre-Depends: libc6 (>= 2.38) | other:any [amd64], debianutils

Package: gone
Status: deinstall ok config-files
Architecture: all
Version: 1
"""


def test_debian_packages_own_what_their_lists_say_wherever_it_is_since_the_merge_of_usr() -> None:
    packages = read(
        {
            "var/lib/dpkg/status": STATUS,
            "var/lib/dpkg/info/dash.list": "/.\n/bin\n/bin/dash\n/usr/share/doc/dash/copyright\n",
            "var/lib/dpkg/info/libc6:amd64.list": "/lib/libc.so.6\n",
            "var/lib/apt/extended_states": "Package: libc6\nAuto-Installed: 1\n",
        },
        "usr/bin/dash",
        "lib/libc.so.6",
    )
    assert set(packages) == {"libc6", "dash"}
    assert {"usr/bin/dash", "usr/share/doc/dash/copyright"} <= packages["dash"].files
    assert packages["dash"].needs == {"libc6", "other", "debianutils"}
    assert "lib/libc.so.6" in packages["libc6"].files
    assert (packages["dash"].asked, packages["libc6"].asked) == (True, False)


def test_distroless_images_keep_one_status_for_each_package() -> None:
    packages = read(
        {
            "var/lib/dpkg/status.d/tzdata": "Package: tzdata\nVersion: 2026a\n",
            "var/lib/dpkg/status.d/tzdata.md5sums": "0123  usr/share/zoneinfo/UTC\n",
        },
        "usr/share/zoneinfo/UTC",
    )
    assert str(packages["tzdata"]) == "tzdata 2026a"
    assert "usr/share/zoneinfo/UTC" in packages["tzdata"].files


METADATA = """\
Metadata-Version: 2.4
Name: Some.Library
Version: 5.2.1
Requires-Dist: hiredis>=3; extra == "hiredis"
Requires-Dist: async_timeout>=4; python_version < "3.11"

Name: in the description
Requires-Dist: nothing
"""


def test_python_distributions_own_what_their_record_lists() -> None:
    info = f"{SITE}/some_library-5.2.1.dist-info"
    record = 'some_library/a.py,sha256=x,1\n"some_library/b,c.py",,\n../../../bin/some,,\n'
    packages = read(
        {f"{info}/METADATA": METADATA, f"{info}/RECORD": record},
        f"{SITE}/some_library/made_later.dat",
        f"{SITE}/other.py",
        f"{info}/licenses/LICENSE",
        f"{info}/REQUESTED",
    )
    library = packages["Some.Library"]
    assert str(library) == "Some.Library 5.2.1"
    assert library.files == {
        f"{SITE}/some_library/a.py",
        f"{SITE}/some_library/b,c.py",
        "usr/local/bin/some",
        f"{SITE}/some_library/made_later.dat",
        f"{info}/METADATA",
        f"{info}/RECORD",
        f"{info}/REQUESTED",
        f"{info}/licenses/LICENSE",
    }
    assert (library.needs, library.options) == ({"async-timeout"}, {"hiredis"})
    assert library.asked


def test_a_distribution_without_record_owns_its_top_level_modules() -> None:
    packages = read(
        {
            f"{SITE}/six-1.17.0.dist-info/METADATA": "Name: six\nVersion: 1.17.0\n",
            f"{SITE}/PyYAML-6.0.dist-info/METADATA": "Name: PyYAML\nVersion: 6.0\n",
            f"{SITE}/PyYAML-6.0.dist-info/top_level.txt": "_yaml\nyaml\n",
            f"{SITE}/old-1.0-py3.13.egg-info": "Name: old\nVersion: 1.0\n",
        },
        f"{SITE}/six.pyc",
        f"{SITE}/__pycache__/six.cpython-313.pyc",
        f"{SITE}/yaml/loader.pyc",
        f"{SITE}/_yaml.cpython-313-x86_64-linux-musl.so",
        f"{SITE}/old/__init__.py",
        f"{SITE}/desk/__init__.pyc",
    )
    assert {f"{SITE}/six.pyc", f"{SITE}/__pycache__/six.cpython-313.pyc"} < packages["six"].files
    assert f"{SITE}/yaml/loader.pyc" in packages["PyYAML"].files
    assert f"{SITE}/_yaml.cpython-313-x86_64-linux-musl.so" in packages["PyYAML"].files
    assert f"{SITE}/old/__init__.py" in packages["old"].files
    assert all(f"{SITE}/desk/__init__.pyc" not in owner.files for owner in packages.values())


def test_a_distribution_inside_of_another_is_part_of_it() -> None:
    vendored = f"{SITE}/setuptools/_vendor/wheel-0.45.dist-info"
    packages = read(
        {
            f"{SITE}/setuptools-80.dist-info/METADATA": "Name: setuptools\nVersion: 80\n",
            f"{vendored}/METADATA": "Name: wheel\nVersion: 0.45\n",
        }
    )
    assert set(packages) == {"setuptools"}
    assert f"{vendored}/METADATA" in packages["setuptools"].files


def test_what_lies_beside_sources_is_no_installed_distribution() -> None:
    assert read({"app/desk.egg-info/PKG-INFO": "Name: desk\n"}, "app/desk/a.py") == {}


def test_node_packages_own_their_folder_but_not_those_inside_of_it() -> None:
    packages = read(
        {
            "app/package.json": json.dumps({"devDependencies": {"@types/x": "1"}}),
            "app/node_modules/a/package.json": json.dumps({"name": "a", "version": "1.0"}),
            "app/node_modules/a/node_modules/b/package.json": '{"name": "b", "version": "2.0"}',
            "app/node_modules/@types/x/package.json": "no JSON",
            "app/node_modules/.package-lock.json": json.dumps(
                {"packages": {"node_modules/c": {"dev": True}, "node_modules/a": {}}}
            ),
            "app/node_modules/c/package.json": '{"name": "c"}',
        },
        "app/node_modules/a/lib/index.js",
        "app/node_modules/a/node_modules/b/index.js",
        "app/node_modules/a/fixture/package.json",
    )
    assert packages["a"].files == {
        "app/node_modules/a/package.json",
        "app/node_modules/a/lib/index.js",
        "app/node_modules/a/fixture/package.json",
    }
    assert str(packages["b"]) == "b 2.0"
    assert {owner.name: owner.development for owner in packages.values()} == {
        "a": False,
        "b": False,
        "@types/x": True,
        "c": True,
    }


def test_what_npm_itself_is_made_of_is_npm() -> None:
    npm = "usr/local/lib/node_modules/npm"
    packages = read(
        {
            f"{npm}/package.json": '{"name": "npm", "version": "11.0"}',
            f"{npm}/node_modules/semver/package.json": '{"name": "semver"}',
        }
    )
    assert set(packages) == {"npm"}


def test_a_tool_that_npm_also_installs_for_a_dependency_is_not_only_for_development() -> None:
    packages = read(
        {
            "app/package.json": json.dumps({"devDependencies": {"semver": "7", "jest": "30"}}),
            "app/node_modules/.package-lock.json": json.dumps(
                {"packages": {"node_modules/semver": {}, "node_modules/jest": {"dev": True}}}
            ),
            "app/node_modules/semver/package.json": "{}",
            "app/node_modules/jest/package.json": "{}",
        }
    )
    assert {name for name, package in packages.items() if package.development} == {"jest"}


@pytest.mark.parametrize(
    "files",
    [
        {"lib/apk/db/installed": "P"},
        {"var/lib/dpkg/status": "no field\n\n\n:"},
        {f"{SITE}/x-1.dist-info/RECORD": '"' + "x" * 200_000},
        {f"{SITE}/x-1.dist-info/METADATA": "\0"},
        {"node_modules/a/package.json": "[" * 100_000},
        {"package.json": '{"devDependencies": 5}', "node_modules/.package-lock.json": "[]"},
        {"node_modules/a/package.json": '{"name": 5, "version": [], "dependencies": "x"}'},
    ],
)
def test_databases_that_make_no_sense_do_no_harm(files: dict[str, str]) -> None:
    """Anybody can put a file of that name into an image."""
    assert len(read(files)) <= 1


@pytest.mark.parametrize(
    "path",
    [
        "lib/apk/db/installed",
        "var/lib/dpkg/info/libc6:amd64.list",
        f"{SITE}/a-1.dist-info/top_level.txt",
        "app/package.json",
        "node_modules/@a/b/package.json",
    ],
)
def test_only_databases_are_kept_with_the_index(path: str) -> None:
    assert is_database(path)
    assert not is_database(f"{path}.old")
    assert not is_database("node_modules/a/test/package.json")


def package(kind: str, name: str, *needs: str, asked: bool = False) -> Package:
    return Package(
        kind=kind,
        name=name,
        version="1",
        files=frozenset(),
        needs=frozenset(needs),
        answers_to=frozenset((name,)),
        asked=asked,
    )


def development(*packages: Package, kept: tuple[Package, ...] = ()) -> set[str]:
    return {owner.name for owner in development_packages((*packages, *kept), kept)}


def test_what_only_development_packages_need_is_for_development() -> None:
    packages = development(
        package("pip", "pytest", "iniconfig", "pygments", asked=True),
        package("pip", "iniconfig"),
        package("pip", "pygments", "deep"),
        package("pip", "deep"),
        package("pip", "click"),
        package("pip", "black", "click", asked=True),
        package("pip", "flask", "click", asked=True),
    )
    assert packages == {"pytest", "iniconfig", "pygments", "deep", "black"}


def test_what_an_extra_brought_is_there_for_whoever_has_that_extra() -> None:
    jsonschema = replace(package("pip", "jsonschema"), options=frozenset({"fqdn", "pytest"}))
    packages = (
        package("pip", "notebook", "jsonschema", asked=True),
        jsonschema,
        package("pip", "fqdn"),
        package("pip", "pytest", asked=True),
    )
    assert development(*packages) == {"notebook", "jsonschema", "fqdn", "pytest"}
    needed = package("pip", "service", "jsonschema", asked=True)
    assert development(*packages, needed) == {"notebook", "pytest"}


def test_where_pip_did_not_note_what_was_asked_for_nothing_is_there_for_another() -> None:
    packages = read({f"{SITE}/click-8.dist-info/METADATA": "Name: click\nVersion: 8\n"})
    assert packages["click"].asked


def test_the_java_that_comes_with_a_jdk_runs_the_program() -> None:
    packages = (
        package("dpkg", "openjdk-21-jdk-headless", "openjdk-21-jre-headless", asked=True),
        package("dpkg", "openjdk-21-jre-headless", "libnss3"),
        package("dpkg", "libnss3"),
    )
    assert development(*packages) == {"openjdk-21-jdk-headless"}


def test_what_somebody_asked_for_is_not_there_for_another() -> None:
    packages = (package("pip", "black", "click"), package("pip", "click", asked=True))
    assert development(*packages) == {"black"}


def test_a_python_package_that_is_needed_at_run_time_is_no_development_package() -> None:
    packages = (package("pip", "gevent", "setuptools", asked=True), package("pip", "setuptools"))
    assert development(*packages) == set()
    assert development(package("pip", "setuptools")) == {"setuptools"}


def test_an_alpine_package_group_tells_what_was_only_for_building() -> None:
    """`apk add --virtual .build-deps` that was never deleted."""
    packages = development(
        package("apk", ".build-deps", "linux-pam", "zlib-dev", asked=True),
        package("apk", "zlib-dev", "zlib"),
        package("apk", "linux-pam"),
        kept=(package("apk", "zlib"),),
    )
    assert packages == {".build-deps", "zlib-dev", "linux-pam"}


@pytest.mark.parametrize(
    ("kind", "names"),
    [
        ("apk", "gcc musl-dev build-base"),
        ("dpkg", "gcc-14 g++-14-x86-64-linux-gnu libstdc++-14-dev libssl-dev binutils-common"),
        ("dpkg", "linux-libc-dev python3-pip"),
        ("pip", "pytest-asyncio types-requests mypy"),
        ("npm", "@types/node typescript"),
    ],
)
def test_development_packages_are_known_by_name(kind: str, names: str) -> None:
    packages = [package(kind, name, asked=True) for name in names.split()]
    assert development(*packages) == set(names.split())


@pytest.mark.parametrize(
    ("kind", "names"),
    [
        ("dpkg", "gcc-14-base libgcc-s1 udev"),  # the first is libgcc's licence, in every Debian
        ("apk", "libgcc python3"),
        ("pip", "redis pipx-like"),
        ("npm", "express"),
    ],
)
def test_other_packages_are_not(kind: str, names: str) -> None:
    packages = [package(kind, name, asked=True) for name in names.split()]
    assert development(*packages) == set()


def test_a_distribution_of_another_format_has_the_same_development_tools() -> None:
    gcc, python = (
        Package(kind="rpm", name=name, version="1", files=frozenset())
        for name in ("gcc", "python3")
    )
    assert gcc.is_development
    assert python.is_runtime
    assert development_packages([gcc, python]) == {gcc}
