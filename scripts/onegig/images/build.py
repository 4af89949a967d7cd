"""`build`: every service's image through buildx bake, in parallel, only what changed."""

import json
import os
import re
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from onegig.errors import BuildError
from onegig.model.stack import Stack
from onegig.owned import Run
from onegig.process import CommandError, run, tail

CA_SECRET = "ca"  # noqa: S105 - a name that Dockerfiles may mount it where a build reaches its index through a private CA
TIMEOUT_SECONDS = 3600
MAX_WIDTH = 100
_STEP = re.compile(r"#(?P<number>\d+) (?P<text>\[(?!.*\binternal\b)[^\]]+ \d+/\d+\] .+)")
_OUTPUT = re.compile(r"#(?P<number>\d+) \d+\.\d+ ")  # a line that a step printed
_CACHED = re.compile(r"#(?P<number>\d+) CACHED")
_FAILED = re.compile(r"^ERROR: target (?P<target>\S+): ", re.MULTILINE)
_NO_BASE = re.compile(r"load metadata for (?P<base>\S+?):?$", re.MULTILINE)
_STEP_OF = re.compile(r" > \[(?P<target>\S+) ")
_EXCERPT = re.compile(r"^-{6,}\n(?P<text> > \[.*?)\n-{6,}$", re.DOTALL | re.MULTILINE)


class Steps:
    """Reads bake's progress; says which steps really run, once each."""

    def __init__(self, say: Callable[[str], None]) -> None:
        self._say = say
        self._texts: dict[str, str] = {}
        self._cached: set[str] = set()

    def __str__(self) -> str:
        return f"{len(self._cached)} of {len(self._texts)} steps unchanged"

    def read(self, line: str) -> None:
        """One line of `--progress plain`."""
        if match := _STEP.match(line):
            self._texts.setdefault(match["number"], match["text"])
        elif (match := _CACHED.match(line)) and match["number"] in self._texts:
            self._cached.add(match["number"])
        elif (match := _OUTPUT.match(line)) and self._texts.get(match["number"]):
            self._say(self._texts[match["number"]][:MAX_WIDTH])
            self._texts[match["number"]] = ""


def build_images(
    stack: Stack, run_: Run, *, say: Callable[[str], None], environment: Mapping[str, str]
) -> None:
    """Build every service that has a build section, under the names compose gives its images.

    Raises BuildError naming the service that failed, with the tail of its own log.
    """
    services = [service for service in stack.services if service.builds]
    if not services:
        return
    images = {_target(service.name): service.image for service in services}
    plan = _plan(stack, run_, images)
    definition = run_.directory / "bake.json"
    definition.write_text(json.dumps(plan))
    steps = Steps(say)
    command = ["docker", "buildx", "bake", "--progress", "plain", "--file", str(definition)]
    try:
        run(
            command,
            cwd=Path(stack.directory),
            env={**environment, "BUILDX_BAKE_ENTITLEMENTS_FS": "0"},
            timeout_seconds=TIMEOUT_SECONDS,
            on_line=steps.read,
        )
    except CommandError as error:
        raise _build_error(error, list(images)) from error
    say(str(steps))


def _plan(stack: Stack, run_: Run, images: Mapping[str, str]) -> dict[str, Any]:
    """Bake's own reading of the compose project, with tags, output and the CA secret settled."""
    compose = run_.directory / "build.compose.yml"
    compose.touch(mode=0o600)
    compose.write_text(stack.config_json)
    command = ["docker", "buildx", "bake", "--file", str(compose), "--print", *images]
    try:
        printed = run(command, cwd=Path(stack.directory))
    except CommandError as error:
        raise BuildError(
            "buildx cannot read the compose project",
            command=error.command,
            advice="`docker buildx bake --print` shows the same",
            detail=error.detail,
        ) from error
    plan: dict[str, Any] = json.loads(printed.stdout)
    authority = _ca_bundle()
    for name, target in plan["target"].items():
        if name in images:
            target["tags"] = [images[name]]
            target["output"] = ["type=docker"]
        if authority:
            target["secret"] = [*target.get("secret", []), f"id={CA_SECRET},src={authority}"]
    return plan


def _ca_bundle() -> str | None:
    """The certificate bundle this host's own clients were told to trust, if they were."""
    for variable in ("SSL_CERT_FILE", "PIP_CERT", "REQUESTS_CA_BUNDLE"):
        path = os.environ.get(variable, "")
        if path and Path(path).is_file():
            return path
    return None


def _target(service: str) -> str:
    """bake's name for a compose service."""
    return re.sub(r"[^a-zA-Z0-9_-]", "_", service)


def _build_error(error: CommandError, targets: list[str]) -> BuildError:
    """The service whose step failed, that step's own log, and the Dockerfile's line."""
    base = _NO_BASE.search(error.output, error.output.rfind("\n------\n > "))
    if base:
        return BuildError(
            f"the base image {base['base']} could not be had",
            command=f"docker pull {base['base']}",
            advice="does a registry answer? scripts/check assembles the reference stack's bases "
            "where none does",
            detail=tail(error.output, 1),
        )
    excerpt = _EXCERPT.search(error.output)
    detail = error.output[excerpt.start() :] if excerpt else error.output
    named = _FAILED.search(error.output) or _STEP_OF.match(excerpt["text"] if excerpt else "")
    target = named["target"] if named else ""
    if target not in targets:
        target = targets[0] if len(targets) == 1 else ""
    return BuildError(
        f"the image of {target} could not be built" if target else "the build failed",
        command=f"docker buildx bake {target}".strip(),
        advice="the failing step's own log is above; mend its Dockerfile and run again",
        detail=tail(detail),
    )
