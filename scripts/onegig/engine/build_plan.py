"""The definition for bake: the build sections of a compose project, in bake's own terms.

bake reads compose files, too, but drops what it has no place for (buildx 0.13: ssh, network,
platforms), splits paths at commas and knows images of other services only as contexts.

Refused is what no build of a checkout may have: the kernel's files (a build that gets a file from
/proc could read the variables of a job, its token included) and the token of GitHub's cache.
"""

import csv
import io
import json
import os
import re
import zlib
from collections.abc import Iterable, Iterator, Mapping
from functools import partial
from pathlib import Path
from typing import Any

from onegig.errors import ConfigError
from onegig.model.stack import BuildInputs, Stack, map_texts, unescape

CA_SECRET = "ca"  # noqa: S105 - a name that Dockerfiles may mount it if a build reaches its index through a private CA
CA_VARIABLES = ("SSL_CERT_FILE", "PIP_CERT", "REQUESTS_CA_BUNDLE")
KERNELS = tuple(map(Path, ("/proc", "/sys", "/dev")))
_CACHE_SERVER = ("url", "url_v2", "token")  # to say where GitHub's cache is, buildx adds the token
_SERVICE = "service:"  # in additional_contexts: what a service of the project builds
_SAME = (  # bake's have a dash for the underscore
    *("context", "dockerfile", "dockerfile_inline", "target", "network", "no_cache", "pull"),
    *("cache_from", "cache_to", "ssh", "labels"),
)
_TEMPLATE = re.compile(r"([$%])\{")  # bake fills in ${variables}, in JSON, too

Plan = dict[str, Any]
Config = Mapping[str, Any]


def make_plan(stack: Stack, inputs: BuildInputs) -> Plan:
    """Return the definition of every image that services of the stack build.

    Images of services that would not start are built, too, if others start or copy from them.
    Raises ConfigError for a build that would read what is not for builds.
    """
    config: Config = unescape(json.loads(stack.config_json))
    images = {service.name: service.image for service in stack.services if service.builds}
    targets: dict[str, Any] = {}
    waiting = list(images)
    while waiting:
        name = waiting.pop(0)
        if target_of(name) not in targets:
            image = images.get(name) or _service(name, config).get("image")
            output = {"tags": [image or f"{stack.name}-{name}"], "output": ["type=docker"]}
            target = _target(name, config, inputs)
            refuse_secret_sources(name, target)
            targets[target_of(name)] = target | output
            contexts = _own_contexts(name, config).values()
            waiting += _bases(name, config, inputs).values()
            waiting += (c.removeprefix(_SERVICE) for c in contexts if _is_built(c, config))
    return {"group": {"default": {"targets": list(targets)}}, "target": targets}


def target_of(service: str) -> str:
    """Return bake's name for a compose service; names with dots differ from all others."""
    name = re.sub(r"[^a-zA-Z0-9_-]", "_", service)
    return name if name == service else f"{name}-{zlib.crc32(service.encode()):08x}"


def secret_variable(name: str) -> str:
    """Return the variable in which bake finds what compose has in the variable `name`.

    Bake's own variables are so out of a secret's reach, the token of GitHub's cache above all.
    """
    return f"ONEGIG_SECRET_{name}"


def dump_plan(plan: Plan) -> str:
    """Return the definition as a file for bake, in which a `${` is only text."""
    return json.dumps(map_texts(partial(_TEMPLATE.sub, r"\1\1{"), plan))


def csv_fields(fields: Iterable[str]) -> str:
    """Join fields so that docker splits them again: one that has a comma is quoted."""
    line = io.StringIO()
    csv.writer(line, lineterminator="").writerow(fields)
    return line.getvalue()


def refuse_secret_sources(target: str, definition: Config) -> None:
    """Raise ConfigError if a target of bake would read what is not for builds."""
    for path in _files(definition):
        if _shows_processes(path):
            raise ConfigError(
                f"the build of {target} must not read {path}, which shows this machine's processes",
                advice="use a folder or file of the project in the build section",
            )
    for cache in (*definition.get("cache-from", ()), *definition.get("cache-to", ())):
        fields = _split(cache)
        if fields.get("type") == "gha" and any(fields.get(name) for name in _CACHE_SERVER):
            raise ConfigError(
                f"the cache of {target} has a server that would receive the token of "
                "GitHub's cache",
                advice="remove url and token; `type=gha` is enough",
            )


def _shows_processes(path: str) -> bool:
    """Return whether a path leads below /proc and its like, or to a folder that holds them."""
    try:
        real = Path(os.path.realpath(path))
    except OSError:  # a link of a process that is not the user's own
        return True
    return any(real.is_relative_to(each) or each.is_relative_to(real) for each in KERNELS)


def _files(definition: Config) -> Iterator[str]:
    """Yield the absolute paths on this machine that a build begins with."""
    context = definition.get("context", "")
    paths = [context, *definition.get("contexts", {}).values()]
    if "dockerfile" in definition:
        paths.append(os.path.join(context, definition["dockerfile"]))  # noqa: PTH118 - text
    secrets = [_split(secret).get("src", "") for secret in definition.get("secret", ())]
    # compose leaves only URLs as they are
    yield from (path for path in paths if os.path.isabs(path))  # noqa: PTH117 - text
    yield from filter(None, secrets)


def _split(text: str) -> dict[str, str]:
    """Split as buildx does: names in small letters, the last of several counts."""
    parts = [part.partition("=") for row in csv.reader([text]) for part in row]
    return {name.strip().lower(): value for name, _, value in parts}


def _target(name: str, config: Config, inputs: BuildInputs) -> dict[str, Any]:
    service = _service(name, config)
    build: Config = service.get("build") or {}
    platforms = [service["platform"]] if service.get("platform") else build.get("platforms") or []
    hosts = [re.split("[=:]", host, maxsplit=1) for host in build.get("extra_hosts") or ()]
    target = {key.replace("_", "-"): build.get(key) for key in _SAME} | {
        "args": _texts(build.get("args") or {}),
        "contexts": dict(_contexts(name, config, inputs)),
        "secret": list(_secrets(build, config)),
        "platforms": platforms if len(platforms) == 1 else [],  # of several, the machine's own
        "shm-size": str(build.get("shm_size") or ""),
        "ulimits": [_ulimit(*limit) for limit in (build.get("ulimits") or {}).items()],
        "extra-hosts": dict(hosts),
    }
    if target["dockerfile-inline"]:
        del target["dockerfile"]
    return {key: value for key, value in target.items() if value}


def _service(name: str, config: Config) -> Config:
    return (config.get("services") or {}).get(name) or {}


def _contexts(name: str, config: Config, inputs: BuildInputs) -> Iterator[tuple[str, str]]:
    for image, builder in _bases(name, config, inputs).items():
        yield image, f"target:{target_of(builder)}"
    for key, source in _own_contexts(name, config).items():
        service = source.removeprefix(_SERVICE)
        if _is_built(source, config):
            yield key, f"target:{target_of(service)}"
        elif service != source and _service(service, config):
            yield key, f"docker-image://{_service(service, config)['image']}"
        else:
            yield key, source


def _bases(name: str, config: Config, inputs: BuildInputs) -> dict[str, str]:
    bases = inputs.bases.get(name, {})
    return {image: builder for image, builder in bases.items() if _service(builder, config)}


def _own_contexts(name: str, config: Config) -> dict[str, str]:
    build: Config = _service(name, config).get("build") or {}
    return _texts(build.get("additional_contexts") or {})


def _is_built(source: str, config: Config) -> bool:
    """Return whether an additional context is an image that the project builds."""
    service = source.removeprefix(_SERVICE)
    return service != source and bool(_service(service, config).get("build"))


def _secrets(build: Config, config: Config) -> Iterator[str]:
    """Yield the build's own secrets, and the certificates that this machine trusts."""
    sources = config.get("secrets") or {}
    for secret in build.get("secrets") or ():
        source = sources.get(secret.get("source")) or {}
        fields = {"id": secret.get("target") or secret.get("source")}
        variable = source.get("environment")
        fields |= {"src": source.get("file"), "env": variable and secret_variable(variable)}
        yield csv_fields(f"{key}={value}" for key, value in fields.items() if value)
    bundles = (os.environ.get(variable, "") for variable in CA_VARIABLES)
    bundle = next((path for path in bundles if path and Path(path).is_file()), None)
    if bundle:
        yield csv_fields((f"id={CA_SECRET}", f"src={bundle}"))


def _ulimit(name: str, limit: int | Config) -> str:
    value = limit if isinstance(limit, int) else f"{limit['soft']}:{limit['hard']}"
    return f"{name}={value}"


def _texts(values: Config) -> dict[str, str]:
    return {name: str(value) for name, value in values.items() if value is not None}
