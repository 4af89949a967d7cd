"""The one way to run a child process: argument list, time limit, captured output, typed failure.

A child gets few of the user's variables (see variables.py), and its program is never one of the
checkout's, whatever PATH says. Children do not outlive onegig: on Linux each is started through
`setpriv --pdeathsig KILL`, so that even a killed run leaves no build or measurement going on.
"""

import os
import shlex
import shutil
import signal
import subprocess
import sys
import sysconfig
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from threading import Thread, current_thread, main_thread
from types import FrameType
from typing import IO

from onegig.errors import OnegigError
from onegig.variables import choose_variables, search_path

TAIL_LINES = 30
MISSING, TOO_LONG = 127, -1  # codes of children that did not run, or not to their end
NOWHERE = Path(os.sep)  # where tools run that would read settings in the folder they run in
PIPE_SECONDS = 5.0  # for what a killed child's own children still hold open


@dataclass(frozen=True, kw_only=True, slots=True)
class Completed:
    """A child process that ended: its output and exit code."""

    argv: tuple[str, ...]
    code: int
    stdout: str
    stderr: str


class CommandError(OnegigError):
    """A child process failed, could not be started (MISSING) or took too long (TOO_LONG)."""

    def __init__(self, argv: Sequence[str], code: int, output: str, reason: str) -> None:
        super().__init__(
            f"{Path(argv[0]).name} {reason}", command=shlex.join(argv), detail=tail(output)
        )
        self.code = code
        self.output = output  # whole, for callers that look for the cause


def own_folder() -> Path:
    """Return where programs are that were installed together with onegig (pip, pipx, a venv)."""
    return Path(sys.executable).parent


def find_program(name: str) -> str | None:
    """Return the path of a program: beside Python first, whose folder need not be on PATH.

    Then among those that `pip install --user` puts elsewhere, then on PATH.
    """
    user = sysconfig.get_path("scripts", sysconfig.get_preferred_scheme("user"))
    return shutil.which(name, path=search_path((str(own_folder()), user)))


def run(
    argv: Sequence[str],
    *,
    timeout_seconds: float = 60,
    check: bool = True,
    env: Mapping[str, str] | None = None,
    cwd: Path | None = None,
    stdin: int | IO[bytes] = subprocess.DEVNULL,
    on_line: Callable[[str], None] | None = None,
) -> Completed:
    """Run `argv` to its end and return what it printed.

    `env` is added to what the program gets of our own environment. `on_line` sees every line of
    standard error as it comes (progress of long builds). Raises CommandError when the child fails
    (unless `check` is false), is missing, or runs longer than `timeout_seconds`.
    """
    child = spawn(argv, env=env, cwd=cwd, stdin=stdin)
    errors: list[str] = []
    reader = Thread(target=_drain, args=(child.stderr, errors, on_line), daemon=True)
    output: list[str] = []
    writer = Thread(target=_drain, args=(child.stdout, output, None), daemon=True)
    reader.start()
    writer.start()
    try:
        code = child.wait(timeout=timeout_seconds)
    except subprocess.TimeoutExpired:
        kill(child)
        text = "".join(output + errors)
        raise CommandError(
            argv, TOO_LONG, text, f"took longer than {timeout_seconds:g} s"
        ) from None
    finally:
        kill(child)
        reader.join(timeout=PIPE_SECONDS)
        writer.join(timeout=PIPE_SECONDS)
    done = Completed(argv=tuple(argv), code=code, stdout="".join(output), stderr="".join(errors))
    if check and code != 0:
        raise CommandError(argv, code, done.stderr or done.stdout, _ending(code))
    return done


def spawn(
    argv: Sequence[str],
    *,
    env: Mapping[str, str] | None = None,
    cwd: Path | None = None,
    stdin: int | IO[bytes] = subprocess.DEVNULL,
    stdout: int | IO[bytes] = subprocess.PIPE,
    stderr: int | IO[bytes] = subprocess.PIPE,
) -> subprocess.Popen[bytes]:
    """Start a child that dies with onegig. Raises CommandError when the program is missing."""
    program = shutil.which(argv[0], path=search_path())
    if program is None:
        raise CommandError(argv, MISSING, "", "is not installed or not on PATH")
    try:
        return subprocess.Popen(
            [*_tether(), program, *argv[1:]],
            env={**choose_variables(argv, os.environ), **(env or {})},
            cwd=cwd,
            stdin=stdin,
            stdout=stdout,
            stderr=stderr,
        )
    except OSError as error:
        raise CommandError(argv, MISSING, str(error), f"could not be started: {error}") from error


def kill(child: subprocess.Popen[bytes]) -> None:
    """End a child and its own children at once; what it printed can still be read.

    docker runs compose and buildx as children, which may outlive it.
    """
    inner = _descendants(child.pid) if child.poll() is None else []
    with suppress(ProcessLookupError):
        child.kill()
    for each in inner:
        with suppress(ProcessLookupError):
            os.kill(each, signal.SIGKILL)
    child.wait()


def _descendants(pid: int) -> list[int]:
    try:
        import psutil
    except ImportError:  # where reports are only judged
        return []
    try:
        return [each.pid for each in psutil.Process(pid).children(recursive=True)]
    except psutil.Error:
        return []


@contextmanager
def terminable() -> Iterator[None]:
    """Let SIGTERM and SIGHUP end the run as Ctrl-C does: through every clean-up.

    Python takes signals in the main thread only. In another one they are the caller's.
    """

    def interrupt(_number: int, _frame: FrameType | None) -> None:
        raise KeyboardInterrupt

    signals = (signal.SIGTERM, signal.SIGHUP) if current_thread() is main_thread() else ()
    before = {each: signal.signal(each, interrupt) for each in signals}
    try:
        yield
    finally:
        for each, handler in before.items():
            signal.signal(each, handler)


def close(child: subprocess.Popen[bytes]) -> None:
    """End a child and let go of its pipes."""
    kill(child)
    for stream in (child.stdin, child.stdout, child.stderr):
        if stream is not None:
            with suppress(OSError):
                stream.close()


def tail(text: str, lines: int = TAIL_LINES) -> str:
    """Return the last lines of an output, the part that names the failure."""
    return "\n".join(text.rstrip().splitlines()[-lines:])


def _ending(code: int) -> str:
    if code >= 0:
        return f"failed with code {code}"
    with suppress(ValueError):
        return f"was ended by {signal.Signals(-code).name}"
    return f"was ended by signal {-code}"


@cache
def _tether() -> tuple[str, ...]:
    setpriv = shutil.which("setpriv", path=search_path())
    return (setpriv, "--pdeathsig", "KILL", "--") if setpriv else ()


def _drain(
    stream: IO[bytes] | None, lines: list[str], on_line: Callable[[str], None] | None
) -> None:
    if stream is None:
        return
    with stream:
        for raw in stream:
            line = raw.decode(errors="replace")
            lines.append(line)
            if on_line is not None:
                on_line(line.rstrip("\n"))


# git is asked about a checkout without running anything that it brings along: its .git/config may
# name programs (fsmonitor, ssh, credential helpers, gpg), and so may that of a bare repository that
# a commit holds as files. What is set here goes before both.
GIT_SETTINGS = {
    "core.fsmonitor": "false",
    "core.hooksPath": "/dev/null",
    "core.pager": "cat",
    "log.showSignature": "false",  # gpg.program
    "safe.bareRepository": "explicit",
}
# Without any protocol nothing is fetched that a partial clone lacks: that would take programs of
# its configuration.
GIT_VARIABLES = {"GIT_ALLOW_PROTOCOL": "none", "GIT_NO_LAZY_FETCH": "1", "GIT_TERMINAL_PROMPT": "0"}


def run_git(folder: Path, *arguments: str) -> Completed:
    """Run git in a folder, only to read. Raises CommandError."""
    settings = (word for key, value in GIT_SETTINGS.items() for word in ("-c", f"{key}={value}"))
    return run(["git", "-C", str(folder), *settings, *arguments], env=GIT_VARIABLES)


def ask_git(folder: Path, *arguments: str) -> str:
    """Return what git prints, "" if it knows nothing."""
    try:
        return run_git(folder, *arguments).stdout
    except CommandError:
        return ""
