"""Refuse what no build of a checkout may have: the kernel's files, the cache's token.

Every process can be looked into below /proc: a build that gets a file from there could read the
variables of a job, its token included.
"""

import csv
import os
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from onegig.errors import ConfigError

KERNELS = tuple(map(Path, ("/proc", "/sys", "/dev")))
_WHERE = ("url", "url_v2", "token")  # to say where GitHub's cache is, buildx adding the token

Target = Mapping[str, Any]


def refuse_secret_sources(target: str, definition: Target) -> None:
    """Raise ConfigError where a target of bake would read what is not for builds."""
    for path in _files(definition):
        if _shows_processes(path):
            raise ConfigError(
                f"the build of {target} may not read {path}: it shows this machine's processes",
                advice="name a folder or file of the project in the build section",
            )
    for cache in (*definition.get("cache-from", ()), *definition.get("cache-to", ())):
        fields = _fields(cache)
        if fields.get("type") == "gha" and any(fields.get(name) for name in _WHERE):
            raise ConfigError(
                f"the cache of {target} names a server that would get the token of GitHub's cache",
                advice="leave url and token out: `type=gha` is enough",
            )


def _shows_processes(path: str) -> bool:
    """Tell whether a path leads below /proc and its like, or to a folder that holds them."""
    try:
        real = Path(os.path.realpath(path))
    except OSError:  # a link of a process that is not the user's own
        return True
    return any(real.is_relative_to(each) or each.is_relative_to(real) for each in KERNELS)


def _files(definition: Target) -> Iterator[str]:
    """Yield the absolute paths on this machine that a build begins with."""
    context = definition.get("context", "")
    yield from (path for path in (context, *definition.get("contexts", {}).values()) if _is(path))
    if "dockerfile" in definition and _is(context):
        yield os.path.join(context, definition["dockerfile"])  # noqa: PTH118 - text
    for secret in definition.get("secret", ()):
        source = _fields(secret).get("src", "")
        yield from [source] if source else []


def _is(path: str) -> bool:
    return os.path.isabs(path)  # noqa: PTH117 - text; compose leaves only URLs as they are


def _fields(text: str) -> dict[str, str]:
    """Split as buildx does: names in small letters, the last of several counts."""
    parts = [part.partition("=") for row in csv.reader([text]) for part in row]
    return {name.strip().lower(): value for name, _, value in parts}
