"""What bake is to build: the build sections of a compose project, written in bake's own terms.

bake reads compose files, too, but drops what it has no place for (buildx 0.13: ssh, network,
platforms), splits paths at commas and knows images of other services only as contexts.
"""

import csv
import io
import json
import os
import re
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

from onegig.engine.refusals import refuse_secret_sources
from onegig.model.stack import BuildInputs, Stack, unescape

CA_SECRET = "ca"  # noqa: S105 - a name that Dockerfiles may mount it where a build reaches its index through a private CA
_SERVICE = "service:"  # in additional_contexts: what a service of the project builds
_SAME = {  # compose's key, bake's
    "context": "context",
    "dockerfile": "dockerfile",
    "dockerfile_inline": "dockerfile-inline",
    "target": "target",
    "network": "network",
    "no_cache": "no-cache",
    "pull": "pull",
    "cache_from": "cache-from",
    "cache_to": "cache-to",
    "ssh": "ssh",
    "labels": "labels",
}
_TEMPLATE = re.compile(r"([$%])\{")  # bake fills in ${variables}, in JSON, too

Plan = dict[str, Any]
Config = Mapping[str, Any]


def make_plan(stack: Stack, inputs: BuildInputs) -> Plan:
    """Return the definition of every image that services of the stack build.

    Images of services that would not start are built, too, where others start or copy from them.
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
            waiting += _linked(name, config, inputs)
    return {"group": {"default": {"targets": list(targets)}}, "target": targets}


def target_of(service: str) -> str:
    """Return bake's name for a compose service."""
    return re.sub(r"[^a-zA-Z0-9_-]", "_", service)


def secret_variable(name: str) -> str:
    """Return the variable in which bake finds what compose has in the variable `name`.

    Bake's own variables are so out of a secret's reach, the token of GitHub's cache above all.
    """
    return f"ONEGIG_SECRET_{name}"


def dump_plan(plan: Plan) -> str:
    """Return the definition as a file for bake, in which a `${` is only text."""
    return json.dumps(_without_templates(plan))


def _target(name: str, config: Config, inputs: BuildInputs) -> dict[str, Any]:
    service = _service(name, config)
    build: Config = service.get("build") or {}
    extra = {
        "args": _texts(build.get("args") or {}),
        "contexts": dict(_contexts(name, config, inputs)),
        "secret": list(_secrets(build, config)),
        "platforms": _platforms(service),
        "shm-size": str(build.get("shm_size") or ""),
        "ulimits": [_ulimit(*limit) for limit in (build.get("ulimits") or {}).items()],
        "extra-hosts": dict(_hosts(build.get("extra_hosts") or ())),
    }
    same = {bake: build.get(compose) for compose, bake in _SAME.items()}
    if same["dockerfile-inline"]:
        del same["dockerfile"]
    return {key: value for key, value in {**same, **extra}.items() if value}


def _service(name: str, config: Config) -> Config:
    return (config.get("services") or {}).get(name) or {}


def _linked(name: str, config: Config, inputs: BuildInputs) -> Iterator[str]:
    """Yield the services whose images a build starts or copies from."""
    yield from _bases(name, config, inputs).values()
    for source in _own_contexts(name, config).values():
        if _service_of(source, config).get("build"):
            yield source.removeprefix(_SERVICE)


def _contexts(name: str, config: Config, inputs: BuildInputs) -> Iterator[tuple[str, str]]:
    for image, builder in _bases(name, config, inputs).items():
        yield image, f"target:{target_of(builder)}"
    for key, source in _own_contexts(name, config).items():
        service = _service_of(source, config)
        if service.get("build"):
            yield key, f"target:{target_of(source.removeprefix(_SERVICE))}"
        else:
            yield key, f"docker-image://{service['image']}" if service else source


def _bases(name: str, config: Config, inputs: BuildInputs) -> dict[str, str]:
    bases = inputs.bases.get(name, {})
    return {image: builder for image, builder in bases.items() if _service(builder, config)}


def _own_contexts(name: str, config: Config) -> dict[str, str]:
    build: Config = _service(name, config).get("build") or {}
    return _texts(build.get("additional_contexts") or {})


def _service_of(source: str, config: Config) -> Config:
    """Return the service that an additional context is taken from, {} for any other source."""
    name = source.removeprefix(_SERVICE)
    return _service(name, config) if source.startswith(_SERVICE) else {}


def _secrets(build: Config, config: Config) -> Iterator[str]:
    """Yield the build's own secrets, and the certificates that this machine trusts."""
    sources = config.get("secrets") or {}
    for secret in build.get("secrets") or ():
        source = sources.get(secret.get("source")) or {}
        fields = {"id": secret.get("target") or secret.get("source")}
        variable = source.get("environment")
        fields |= {"src": source.get("file"), "env": variable and secret_variable(variable)}
        yield csv_fields(f"{key}={value}" for key, value in fields.items() if value)
    authority = _ca_bundle()
    if authority:
        yield csv_fields((f"id={CA_SECRET}", f"src={authority}"))


def _ca_bundle() -> str | None:
    """Return the certificate bundle that this machine's clients are set to trust, if any."""
    for variable in ("SSL_CERT_FILE", "PIP_CERT", "REQUESTS_CA_BUNDLE"):
        path = os.environ.get(variable, "")
        if path and Path(path).is_file():
            return path
    return None


def _platforms(service: Config) -> list[str]:
    """Return the platform that would run; of several to build for, the machine's own."""
    platforms: list[str] = (service.get("build") or {}).get("platforms") or []
    if service.get("platform"):
        return [service["platform"]]
    return platforms if len(platforms) == 1 else []


def _ulimit(name: str, limit: int | Config) -> str:
    return (
        f"{name}={limit}" if isinstance(limit, int) else f"{name}={limit['soft']}:{limit['hard']}"
    )


def _hosts(hosts: Iterable[str]) -> Iterator[tuple[str, str]]:
    for host in hosts:
        name, address = re.split("[=:]", host, maxsplit=1)  # a colon in older versions of compose
        yield name, address


def _texts(values: Config) -> dict[str, str]:
    return {name: str(value) for name, value in values.items() if value is not None}


def csv_fields(fields: Iterable[str]) -> str:
    """Join fields so that bake splits them again: one that has a comma is quoted."""
    line = io.StringIO()
    csv.writer(line, lineterminator="").writerow(fields)
    return line.getvalue()


def _without_templates(value: Any) -> Any:
    if isinstance(value, str):
        return _TEMPLATE.sub(r"\1\1{", value)
    if isinstance(value, dict):
        return {_without_templates(key): _without_templates(inner) for key, inner in value.items()}
    return [_without_templates(inner) for inner in value] if isinstance(value, list) else value
