"""Compose files of every style, loaded through the real `docker compose`."""

import json
import re
import subprocess
from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import chdir
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from corpus_files import BROKEN, CORPUS, NEWER, STACKS, read_documents
from generated_compose import GeneratedFile, generate_files
from onegig.config.stack import load_stack
from onegig.errors import ConfigError
from onegig.model.stack import Stack
from onegig.process import Completed, run

pytestmark = pytest.mark.compose

MIB = 1024**2
GENERATED = generate_files(90, seed=7)
Loaded = Mapping[str, Stack | Exception]
Listed = Mapping[str, tuple[set[str], set[str]]]
Compose = Callable[..., str]

# What a stack must have been read as: a field of every service that would start.
FIELDS: tuple[tuple[str, str, dict[str, Any]], ...] = (
    (
        "scale-and-replicas",
        "replicas",
        {"two": 2, "three": 3, "both": 4, "global": 1, "plain": 1, "waiting": 1},
    ),
    ("swarm-app", "replicas", {"web": 3, "agent": 1}),
    ("celery-flower", "replicas", {"redis": 1, "web": 1, "worker": 3, "dashboard": 1}),
    ("interpolation", "replicas", {"app": 2}),
    ("interpolation", "image", {"app": "docker.io/example/app:stable"}),
    (
        "memory-limit-forms",
        "memory_limit_bytes",
        {
            **dict.fromkeys(("plain-bytes", "kilobytes", "megabytes", "mebibytes"), 64 * MIB),
            **dict.fromkeys(("deployed", "both"), 64 * MIB),
            "fraction": 1536 * MIB,
            "deployed-fraction": 256 * MIB,
            **dict.fromkeys(("zero", "zero-deployed", "unlimited", "reserved")),
        },
    ),
    ("resources-v2-style", "memory_limit_bytes", {"batch": 512 * MIB}),
    (
        "extends-common",
        "memory_limit_bytes",
        {"web": 256 * MIB, "worker": 96 * MIB, "beat": 96 * MIB},
    ),
    ("anchors-and-extensions", "memory_limit_bytes", {"orders": 64 * MIB, "billing": 32 * MIB}),
    ("keycloak", "memory_limit_bytes", {"postgres": None, "keycloak": 750 * MIB}),
    ("include-long", "memory_limit_bytes", {"app": None, "cache": 48 * MIB}),
    ("include-long", "image", {"app": "example/app", "cache": "redis:6.2-alpine"}),
    ("include-short", "image", {"app": "example/app", "cache": "redis:7-alpine"}),
    ("several-documents", "memory_limit_bytes", {"app": 32 * MIB, "db": None}),
    (
        "healthcheck-forms",
        "has_healthcheck",
        {
            **dict.fromkeys(("shell-string", "cmd", "cmd-shell"), True),
            "none-string": True,  # compose runs it as a shell command
            **dict.fromkeys(("none", "disabled", "only-times"), False),
        },
    ),
    ("extends-common", "has_healthcheck", {"web": True, "worker": True, "beat": True}),
    (
        "depends-on-forms",
        "depends_on",
        {
            "list": ("db", "migrate"),
            "conditions": ("db", "list", "migrate"),
            "absent": (),
            "migrate": ("db",),
            "db": (),
        },
    ),
    ("profiles", "depends_on", {"app": (), "optional-consumer": ()}),
    (
        "labels-of-onegig",
        "optional",
        {"shown": True, "listed": True, "denied": False, "bare": False},
    ),
    (
        "labels-of-onegig",
        "criticality",
        {"shown": "low", "listed": "high", "denied": "", "bare": ""},
    ),
    (
        "dockerfile-inline",
        "dockerfile",
        {"tool": None, "remote": None, "remote-ssh": None, "elsewhere": "../shared/Dockerfile"},
    ),
    (
        "monorepo-builds",
        "dockerfile",
        {
            "api": "services/api/Dockerfile",
            "worker": "services/worker/Dockerfile",
            "migrate": "services/api/Dockerfile",
        },
    ),
    ("build-ssh-keys", "image", {"app": "corpus-app", "docs": "example/docs"}),
    ("build-ssh-keys", "builds", {"app": True, "docs": True}),
)

# Services that compose lists but does not start, with their images.
SCALED_TO_ZERO = {
    "scale-and-replicas": {"none": "d", "none-deployed": "e"},
    "swarm-app": {"legacy": "example/legacy"},
}

# By broken file: what the error must say, the file and line included where compose knows them.
ERRORS = {
    "a-list": "line 1: cannot unmarshal",
    "bad-duration": r"bad-duration\.yml:4: (?s:.*)invalid duration \"often\"",
    "bad-interpolation": r"bad-interpolation\.yml:4: invalid interpolation",
    "bad-memory-limit": r"bad-memory-limit\.yml:4: (?s:.*)invalid size: 'lots'",
    "bad-port": "[Ii]nvalid hostPort: http",
    "circular-dependency": "a -> b -> a",
    "dependency-of-inactive-profile": '"web" depends on undefined service "db"',
    "duplicate-key": '(?s)line 4.*"image" already defined at line 3',
    "everything-in-profiles": "no service that would start",
    # compose names one of the two, at random
    "keys-of-version-1": r"-1\.yml:(9: .*\bvolume_driver\b|12: .*\bnet\b).* not allowed",
    "missing-env-file": r"production\.env not found",
    "missing-extends": r"base\.yml: no such file",
    "missing-include": r"infrastructure/compose\.yml: no such file",
    "no-image": r'no-image\.yml:3: service "web" has neither an image',
    "no-services": "no service that would start",
    "required-variable": r"required-variable\.yml:3: .*TAG is missing a value: choose a version",
    "tab-in-yaml": r"tab-in-yaml\.yml:3:1: ",
    "two-replica-counts": "services.web: can't set distinct values",
    "undefined-dependency": r'undefined-dependency\.yml:3: .*service "database"',
    "undefined-network": r"undefined-network\.yml:2: .*network front",
    "undefined-secret": r"undefined-secret\.yml:2: .*secret token",
    "undefined-volume": r"undefined-volume\.yml:2: .*volume data",
    "unknown-key": r"unknown-key\.yml:4: .*\bport\b.* not allowed",
    "wrong-type": r"wrong-type\.yml:4: services\.web\.ports must be a (list|array)",
}

# By file with newer keys: the first release of compose that documents them (none for keys of the
# specification that no documented release has), and the key an older one names. Distributions
# build older releases with newer parsers, so an older release may load the file, too.
FIRST_RELEASES = {
    "api-socket": ((2, 38), "use_api_socket"),
    "attestations": ((2, 39), "provenance|sbom"),
    "env-file-format": ((2, 30), "format"),
    "gpus": ((2, 30), "gpus"),
    "hooks": ((2, 30), "post_start|pre_stop"),
    "label-file": ((2, 32, 2), "label_file"),
    "models": ((2, 38), "models"),
    "mounts": (None, "image|recursive|labels"),
    "network-priorities": ((2, 36), "gw_priority|interface_name|enable_ipv4"),
    "newest-keys": (None, ""),
    "provider": ((2, 36), "provider"),
    "watch-exec": (None, "include|exec"),
}


@pytest.fixture(scope="session")
def loaded(tmp_path_factory: pytest.TempPathFactory, plugin: str) -> Loaded:
    """Load every file: its stack, or the error, by the file's name without its suffix."""
    folder = tmp_path_factory.mktemp("generated")
    paths = [path.relative_to(CORPUS) for path in (*STACKS, *BROKEN, *NEWER)]
    for file in GENERATED:
        paths.append(folder / f"{file.name}.yml")
        paths[-1].write_text(file.text, encoding="utf-8")

    def run_plugin(argv: Sequence[str], **options: Any) -> Completed:
        assert argv[:2] == ["docker", "compose"]
        return run([plugin, *argv[2:]], **options)

    def load_or_fail(path: Path) -> Stack | Exception:
        """Return any exception: the tests say which are right."""
        try:
            return load_stack((path,), run=run_plugin)
        except Exception as error:
            return error

    with chdir(CORPUS), ThreadPoolExecutor(8) as pool:
        return dict(zip(stems(paths), pool.map(load_or_fail, paths), strict=True))


@pytest.fixture(scope="session")
def listed(compose: Compose) -> Listed:
    """List the services and the images of each file, as compose does."""

    def list_both(path: Path) -> tuple[set[str], set[str]]:
        config = (f"--file={path}", "config")
        services, images = (compose(*config, option) for option in ("--services", "--images"))
        return set(services.splitlines()), set(images.splitlines())

    with ThreadPoolExecutor(8) as pool:
        return dict(zip(stems(STACKS), pool.map(list_both, STACKS), strict=True))


@pytest.fixture(scope="session")
def compose_release(compose: Compose) -> tuple[int, ...]:
    """Return the version of compose, as numbers."""
    return tuple(int(number) for number in re.findall(r"\d+", compose("version", "--short"))[:3])


@pytest.fixture(scope="session")
def compose(plugin: str) -> Compose:
    """Run compose, and return what it prints."""
    return partial(read_output, plugin)


@pytest.fixture(scope="session")
def plugin() -> str:
    """Find the program behind `docker compose`: run alone, it takes half the time."""
    plugins = json.loads(read_output("docker", "info", "--format", "{{json .ClientInfo.Plugins}}"))
    (path,) = (str(plugin["Path"]) for plugin in plugins if plugin["Name"] == "compose")
    return path


def read_output(*command: str) -> str:
    """Return what a command prints."""
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout


def require_stack(outcome: Stack | Exception) -> Stack:
    if isinstance(outcome, Exception):
        raise outcome
    return outcome


def stems(paths: Iterable[Path]) -> list[str]:
    return [path.stem for path in paths]


@pytest.mark.parametrize("name", stems(STACKS))
def test_services_and_images_are_those_of_compose(
    name: str, loaded: Loaded, listed: Listed
) -> None:
    stack = require_stack(loaded[name])
    services, images = listed[name]
    names = {service.name for service in stack.services}
    scaled_to_zero = SCALED_TO_ZERO.get(name, {})
    assert names == services - scaled_to_zero.keys()
    assert set(stack.images) == images - set(scaled_to_zero.values())


@pytest.mark.parametrize(
    ("name", "field", "values"), FIELDS, ids=[f"{name}-{field}" for name, field, _ in FIELDS]
)
def test_fields(name: str, field: str, values: dict[str, Any], loaded: Loaded) -> None:
    stack = require_stack(loaded[name])
    assert {service.name: getattr(service, field) for service in stack.services} == values


@pytest.mark.parametrize("file", GENERATED, ids=lambda file: file.name)
def test_a_generated_file(file: GeneratedFile, loaded: Loaded) -> None:
    stack = require_stack(loaded[file.name])
    services = {service.name: service for service in stack.services}
    assert {
        name: {field: getattr(services[name], field) for field in fields}
        for name, fields in file.services.items()
    } == file.services
    assert services.keys() == file.services.keys()


@pytest.mark.parametrize("name", stems(BROKEN))
def test_a_broken_file(name: str, loaded: Loaded) -> None:
    error = loaded[name]
    assert isinstance(error, ConfigError), error
    assert re.search(ERRORS[name], f"{error.message}\n{error.detail}")
    assert f"{name}.yml" in error.message
    assert error.advice


@pytest.mark.parametrize("name", stems(NEWER))
def test_a_file_with_newer_keys(
    name: str, loaded: Loaded, compose_release: tuple[int, ...]
) -> None:
    outcome = loaded[name]
    since, key = FIRST_RELEASES[name]
    if isinstance(outcome, Stack):
        (document,) = read_documents(CORPUS / "newer" / f"{name}.yml")
        assert {service.name for service in outcome.services} == {*document["services"]}
        return
    assert isinstance(outcome, ConfigError)
    if "is a program of this machine" in outcome.message:
        assert name == "provider"
        return
    assert since is None or compose_release < since, outcome
    assert re.search(f"({key}).* not allowed|unsupported .*{key}", outcome.detail)
    assert f"{name}.yml" in outcome.detail


def test_every_error_and_release_belongs_to_a_file() -> None:
    assert sorted(ERRORS) == stems(BROKEN)
    assert sorted(FIRST_RELEASES) == stems(NEWER)


def test_there_are_two_hundred_files() -> None:
    assert len(STACKS) + len(BROKEN) + len(NEWER) + len(GENERATED) >= 200
