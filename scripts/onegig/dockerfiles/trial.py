"""Two images of one service, built from its own Dockerfile and from a proposed one, and booted.

The service starts with what it depends on, in a compose project of this run's own: with volumes and
networks of its own, no ports, bind mounts read-only. All of it carries the run's labels.
"""

import copy
import json
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from typing import Any

import psutil

from onegig.dockerfiles.proposal import Proposal
from onegig.engine import compose
from onegig.engine.bake import build_images
from onegig.engine.engine import Engine
from onegig.engine.owned import Run
from onegig.model.images import Boot
from onegig.model.measured import Missing, Unknown
from onegig.model.stack import BuildInputs, Stack, dump_config
from onegig.process import CommandError, run, tail

Config = dict[str, Any]
Say = Callable[[str], None]
LOG_LINES = 15
DOWN_SECONDS = 60
SETTLE_SECONDS = 2.0  # after becoming healthy, before its memory is read
DOCKERFILE = "Dockerfile"


@dataclass(frozen=True, kw_only=True, slots=True)
class Variant:
    """The part of the stack that the service needs, with one of the two images."""

    stack: Stack
    service: str
    image: str


def variants(
    stack: Stack, service: str, proposal: Proposal, arguments: Mapping[str, str], run_: Run
) -> tuple[Variant, Variant]:
    """Return the service unchanged and as proposed, with build `arguments` for the proposal.

    The proposal's files are written for the build.
    """
    config = _own(json.loads(stack.config_json), service, run_)
    before = _variant(stack, config, service, f"{run_.name}/before")
    dockerfile = run_.directory / DOCKERFILE
    dockerfile.write_text(proposal.text, encoding="utf-8")
    if proposal.dockerignore:
        ignore = dockerfile.with_name(f"{DOCKERFILE}.dockerignore")
        ignore.write_text(proposal.dockerignore, encoding="utf-8")
    changed = copy.deepcopy(config)
    build = changed["services"][service]["build"]
    build.pop("target", None)
    build["dockerfile"] = str(dockerfile)
    build["args"] = {**(build.get("args") or {}), **arguments}
    return before, _variant(stack, changed, service, f"{run_.name}/after")


def build(variant: Variant, run_: Run, say: Say, inputs: BuildInputs, *, alone: bool) -> None:
    """Build the service's image, and (unless `alone`) those of what it depends on."""
    stack = variant.stack
    if alone:
        only = tuple(part for part in stack.services if part.name == variant.service)
        stack = replace(stack, services=only)
    build_images(stack, run_, say=say, inputs=inputs)


def boot(engine: Engine, variant: Variant, run_: Run, *, timeout_seconds: float) -> Boot:
    """Start the service, wait until it is healthy, read its memory, and take it all down again."""
    file = run_.directory / "trial.json"
    file.touch(mode=0o600)
    file.write_text(variant.stack.config_json)
    command = compose("--project-name", run_.name, "--file", str(file))
    command += ["--project-directory", variant.stack.directory]
    wait = f"--wait-timeout={int(timeout_seconds)}"
    started = time.monotonic()
    try:
        problem = ""
        try:
            run(
                [*command, "up", "--detach", "--no-build", "--wait", wait, variant.service],
                timeout_seconds=timeout_seconds + 60,
            )
        except CommandError as error:
            problem = _problem(command, variant.service, error)
        seconds = time.monotonic() - started
        return _look(engine, run_.name, variant.service, seconds, problem)
    finally:
        with suppress(CommandError):
            run([*command, "down", "--volumes", "--timeout=1"], timeout_seconds=DOWN_SECONDS)


def _own(config: Config, service: str, run_: Run) -> Config:
    """Reduce the project to the service and its dependencies, under the run's own names."""
    needed: set[str] = set()
    waiting = [service]
    while waiting:
        name = waiting.pop()
        if name not in needed and name in config["services"]:
            needed.add(name)
            waiting += config["services"][name].get("depends_on") or {}
    services = {name: part for name, part in config["services"].items() if name in needed}
    for name, part in services.items():
        for key in ("container_name", "ports", "restart", "deploy", "scale", "develop"):
            part.pop(key, None)
        _label(part, run_)
        if "build" in part:
            _label(part["build"], run_)
            part["build"].pop("tags", None)
            part["image"] = f"{run_.name}/{name}"
        for volume in part.get("volumes") or ():
            if volume.get("type") == "bind":
                volume["read_only"] = True
    for kind in ("networks", "volumes"):
        for part in (config.get(kind) or {}).values():
            if part is not None:
                part.pop("name", None)
                part.pop("external", None)
                _label(part, run_)
    return {**config, "name": run_.name, "services": services}


def _label(part: Config, run_: Run) -> None:
    part["labels"] = {**(part.get("labels") or {}), **run_.labels}


def _variant(stack: Stack, config: Config, service: str, image: str) -> Variant:
    config = copy.deepcopy(config)
    config["services"][service]["image"] = image
    services = tuple(
        replace(part, image=config["services"][part.name]["image"])
        for part in stack.services
        if part.name in config["services"]
    )
    own = replace(stack, name=config["name"], services=services, config_json=dump_config(config))
    return Variant(stack=own, service=service, image=image)


def _problem(command: list[str], service: str, error: CommandError) -> str:
    logs = ""
    with suppress(CommandError):
        done = run([*command, "logs", "--no-log-prefix", f"--tail={LOG_LINES}", service])
        logs = tail(done.stdout, LOG_LINES)
    reason = tail(error.output, 1) or error.message
    return f"{reason}\n{logs}".strip()


def _look(engine: Engine, project: str, service: str, seconds: float, problem: str) -> Boot:
    """Read the state of the service's container; its health check's output explains a problem."""
    labels = [f"com.docker.compose.project={project}", f"com.docker.compose.service={service}"]
    checked = False
    rss: int | Missing = Unknown(reason="it did not run")
    for container in engine.inspect(*labels)[:1]:
        health = container["State"].get("Health")
        checked = health is not None
        if problem:
            rss = Unknown(reason="it did not become healthy")
            outputs = [check["Output"].strip() for check in (health or {}).get("Log") or ()]
            problem = "\n".join([problem, *outputs[-1:]])
        else:
            time.sleep(SETTLE_SECONDS)
            rss = _rss(engine.processes(container["Id"]))
    return Boot(checked=checked, seconds=seconds, problem=problem, rss_bytes=rss)


def _rss(pids: Sequence[int]) -> int | Missing:
    """Add up the memory of a container's processes, if this machine is the engine's."""
    try:
        return sum(psutil.Process(pid).memory_info().rss for pid in pids)
    except psutil.Error:
        return Unknown(reason="the engine's processes are not visible from here")
