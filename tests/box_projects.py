"""Compose projects as the box runs them."""

from typing import Any

from onegig.machine.project import BoxProject, prepare_project

MACHINE = 967 * 1024**2
DIGEST = "sha256:" + "ab" * 32
OTHER_DIGEST = "sha256:" + "cd" * 32

Config = dict[str, Any]


def prepare(services: dict[str, Config], **sections: Config) -> BoxProject:
    services = {name: {"image": "alpine", **service} for name, service in services.items()}
    return prepare_project(
        {"name": "shop", "services": services, **sections},
        directory="/home/me/shop",
        machine_bytes=MACHINE,
        architecture="amd64",
    )


def service(**keys: Any) -> Config:
    """The only service of a project, as the box runs it."""
    config = prepare({"web": keys}).config
    result: Config = config["services"]["web"]
    return result


def bind(source: str, target: str, **options: Any) -> Config:
    return {"type": "bind", "source": source, "target": target, **options}


def external(name: str) -> Config:
    return {"name": name, "external": True, "ipam": {}}


def resources(kind: str, memory_bytes: int) -> Config:
    return {"resources": {kind: {"memory": str(memory_bytes)}}}
