"""`imports`: what each package costs a Python service in memory, measured while it starts."""

import json
import re
import time
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from subprocess import DEVNULL, PIPE, Popen
from threading import Thread
from typing import Any

from onegig.engine.engine import Engine
from onegig.engine.images import Images
from onegig.engine.owned import Run
from onegig.errors import MeasureError
from onegig.memory import import_hook
from onegig.memory.import_hook import MARK
from onegig.model.stack import Stack, unescape
from onegig.process import close, kill, tail

MOUNT = "/onegig-imports"
# Without an import for so long, or for as long as the first one took, a service has started.
QUIET_SECONDS = 4.0
_LINE = re.compile(rf"^{MARK}\t(\d+)\t([^\t]+)\t(-?\d+)$")


def measure_imports(
    engine: Engine, stack: Stack, service: str, run: Run, *, seconds: float
) -> tuple[tuple[str, int], ...]:
    """Start a service by itself, without a network, and return (package, RSS in bytes).

    The most expensive comes first. It runs for `seconds` at most. Raises MeasureError when nothing
    was imported.
    """
    part = next(part for part in stack.services if part.name == service)
    config = unescape(json.loads(stack.config_json))["services"][service]
    variables = dict(
        variable.split("=", 1) for variable in Images(engine.client).image(part.image).variables
    )
    options = run_options(part.image, config, variables, write_hook(run.directory))
    name = f"{run.name}-imports"
    child = engine.run(
        name, [*run.label_options, *options], stdin=DEVNULL, stdout=DEVNULL, stderr=PIPE
    )
    try:
        lines = _follow(child, seconds)
    finally:
        engine.remove(name)
        close(child)
    if costs := parse_costs(lines):
        return costs
    raise MeasureError(
        f"{service} imported nothing within {seconds:g} s",
        command=f"docker run {part.image}",
        advice="only services that start a Python (3.8 or later, without -I or -S) can be measured",
        detail=tail("\n".join(lines)),
    )


def write_hook(folder: Path) -> Path:
    """Write the hook where a container can have it mounted, and return its folder."""
    hook = folder / "import-hook"
    hook.mkdir(mode=0o755, exist_ok=True)
    text = Path(import_hook.__file__).read_text(encoding="utf-8")
    (hook / "sitecustomize.py").write_text(text, encoding="utf-8")
    folder.chmod(0o711)  # a service may run as any user
    return hook


def run_options(
    image: str, config: Mapping[str, Any], variables: Mapping[str, str], hook: Path
) -> list[str]:
    """Return options of `docker run` that start a service as compose would, with the hook."""
    environment = {name: value or "" for name, value in (config.get("environment") or {}).items()}
    path = environment.get("PYTHONPATH", variables.get("PYTHONPATH", ""))
    environment["PYTHONPATH"] = f"{MOUNT}:{path}" if path else MOUNT
    options = ["--network", "none", "--volume", f"{hook}:{MOUNT}:ro"]
    for option, key in (("--user", "user"), ("--workdir", "working_dir")):
        options += [option, str(config[key])] if config.get(key) else []
    for name, value in environment.items():
        options += ["--env", f"{name}={value}"]
    first, *rest = _words(config.get("entrypoint")) or ("",)
    options += ["--entrypoint", first] if first else []
    return [*options, image, *rest, *_words(config.get("command"))]


def _words(value: str | Sequence[str] | None) -> tuple[str, ...]:
    return (value,) if isinstance(value, str) else tuple(value or ())


def _follow(child: Popen[bytes], seconds: float) -> list[str]:
    """Return the child's output until it ends, the time is over, or the service has started."""
    began, lines, imports = time.monotonic(), list[str](), list[float]()

    def read() -> None:
        for line in child.stderr or ():
            lines.append(line.decode(errors="replace").rstrip("\n"))
            if lines[-1].startswith(MARK):
                imports.append(time.monotonic())

    reader = Thread(target=read, daemon=True)
    reader.start()
    try:
        while reader.is_alive() and (now := time.monotonic()) < began + seconds:
            reader.join(0.1)
            if imports and now - imports[-1] > max(QUIET_SECONDS, imports[0] - began):
                break
    finally:
        kill(child)
        reader.join()
    return lines


def parse_costs(lines: Iterable[str]) -> tuple[tuple[str, int], ...]:
    """Return the costs that the hook printed last, in the process that imported most."""
    processes: dict[str, dict[str, int]] = {}
    for match in filter(None, map(_LINE.match, lines)):
        processes.setdefault(match[1], {})[match[2]] = int(match[3])
    costs = max(processes.values(), key=lambda costs: sum(costs.values()), default={})
    return tuple(sorted(costs.items(), key=lambda item: (-item[1], item[0])))
