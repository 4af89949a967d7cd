"""Programs of this host, run as root in its root folder: in a container, through the engine.

An ordinary user who may ask the engine needs no more. The host's files are read-only there, all but
the folders that are named; the container ends with onegig.
"""

import platform
import shutil
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from subprocess import DEVNULL, PIPE, Popen, TimeoutExpired

from onegig.engine.build_plan import csv_fields
from onegig.engine.engine import Engine
from onegig.engine.owned import Run
from onegig.errors import BootError, ConfigError
from onegig.machine.nesting import SEARCH, bind_option, system_folders
from onegig.process import close, tail
from onegig.variables import search_path

PACKAGE_ROOT = Path(__file__).parents[3]


def require_programs(*names: str) -> None:
    """Raise ConfigError if programs that the twin needs are not installed on this host."""
    path = search_path(SEARCH)
    missing = [name for name in names if shutil.which(name, path=path) is None]
    if platform.system() != "Linux" or missing:
        raise ConfigError(
            f"the twin needs Linux with {', '.join(missing or names)}",
            advice="scripts/setup/twin.sh installs them on Debian and Ubuntu; or `--on box`",
        )


def scratch(run: Run) -> Path:
    """Return the empty folder over which a volume is mounted: it hides nothing of the host's."""
    folder = run.directory / "scratch"
    folder.mkdir(exist_ok=True)
    return folder


def options(
    run: Run,
    image: str,
    command: Sequence[str],
    *,
    folders: Sequence[Path] = (),
    volume: str = "",
    environment: Mapping[str, str] | None = None,
    network: str = "none",
) -> list[str]:
    """Return options of `docker run` for a command in the host's root.

    `folders` may be written and are where they are on the host; the volume is at `scratch(run)`.
    `image` is one without files.
    """
    mounts = [f"--mount={bind_option(str(path), f'/host{path}')}" for path in folders]
    if volume:
        fields = ("type=volume", f"source={volume}", f"target=/host{scratch(run)}")
        mounts.append(f"--mount={csv_fields(fields)}")
    return [
        *("--privileged", "--network", network, *run.label_options, *system_folders()),
        *("--volume", "/:/host:ro", *mounts),
        *(f"--env={key}={value}" for key, value in (environment or {}).items()),
        *(image, "/usr/sbin/chroot", "/host", *command),
    ]


def python(module: str, *arguments: str) -> tuple[str, ...]:
    """Return the command that runs a module of onegig's own."""
    path = f"PYTHONPATH={PACKAGE_ROOT}"
    code = "PYTHONDONTWRITEBYTECODE=1"
    return ("/usr/bin/env", path, code, sys.executable, "-P", "-m", module, *arguments)


def finish(
    outer: Engine, name: str, arguments: Sequence[str], *, seconds: float, purpose: str
) -> str:
    """Run such a container to its end and return its output; BootError if it fails."""
    child: Popen[bytes] = outer.run(name, arguments, stdin=DEVNULL, stdout=PIPE, stderr=PIPE)
    try:
        output, errors = child.communicate(timeout=seconds)
        printed = (output + errors).decode(errors="replace")
        problem = "" if child.returncode == 0 else f"failed with code {child.returncode}"
    except TimeoutExpired:
        printed, problem = "", f"took longer than {seconds:g} s"
    finally:
        outer.remove(name)
        close(child)
    if problem:
        raise BootError(
            f"{purpose} {problem}",
            command=f"docker run --privileged … {arguments[-1]}",
            advice="its output is above; `--on box` measures without a virtual machine",
            detail=tail(printed),
        )
    return printed
