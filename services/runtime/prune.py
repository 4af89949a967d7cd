"""Reduces a Python installation to what long-running services need, as bytecode only.

Run by the Dockerfile inside Alpine's base image: an extension module that can't be loaded there
needs a library the final image won't have, so it goes. Bytecode is compiled with -OO, to match
`python -OO`; without it start-up is seven times slower, and with the sources the image is a
third larger.

    python3 prune.py                 prune the interpreter this runs on
    python3 prune.py --compile DIR   replace DIR's sources by bytecode
"""

import compileall
import py_compile
import shutil
import subprocess
import sys
import sysconfig
from collections.abc import Iterable, Iterator
from pathlib import Path

DEVELOPMENT = (
    "_aix_support _android_support _apple_support _ios_support _osx_support _pyrepl __phello__"
    " bdb code codeop compileall cProfile doctest ensurepip idlelib lib2to3 modulefinder pdb"
    " pickletools profile pstats py_compile pyclbr pydoc pydoc_data symtable tabnanny test this"
    " timeit trace turtle turtledemo unittest venv zipapp antigravity __hello__"
)
INTERFACES = (
    "cmd curses dbm fileinput getopt getpass netrc optparse pty readline rlcompleter"
    " sched shelve sqlite3 tkinter tty webbrowser"
)
NETWORK = (
    "cgi cgitb ftplib imaplib mailbox mailcap nntplib poplib smtplib socketserver telnetlib"
    " wsgiref xmlrpc"
)
FORMATS = (
    "aifc bz2 chunk colorsys configparser csv graphlib html lzma mimetypes plistlib sndhdr"
    " sunau tarfile tomllib wave xml zipfile zoneinfo"
)
PROCESSES = (
    "_pydatetime _pydecimal _pyio asyncio concurrent ctypes decimal fractions multiprocessing"
    " nturl2path pathlib/_abc statistics sysconfig tracemalloc uuid"
)
EXTENSIONS = (
    "_asyncio _bz2 _codecs_cn _codecs_hk _codecs_iso2022 _codecs_jp _codecs_kr _codecs_tw"
    " _crypt _csv _ctypes _curses _curses_panel _dbm _decimal _elementtree _gdbm"
    " _interpchannels _interpqueues _interpreters _lsprof _lzma _multibytecodec"
    " _multiprocessing _posixshmem _sqlite3 _statistics _tkinter _uuid _zoneinfo cmath nis"
    " ossaudiodev pyexpat readline spwd syslog termios xxlimited xxlimited_35 xxsubtype"
)
ENCODINGS = "__init__ aliases ascii idna latin_1 punycode utf_8"
OTHER = "EXTERNALLY-MANAGED _sysconfigdata_* config-* lib-dynload/*_failed.so site-packages"
LEFTOVERS = ("__pycache__", "*.pyi", "py.typed", "INSTALLER", "RECORD", "REQUESTED")
PROGRAMS = ("python", "python3", "python3.13")
LIBRARIES = ("libpython3.*.so*", "python3.*")


def main(arguments: list[str]) -> int:
    """Prune the running interpreter, or compile one folder; return the exit code."""
    if arguments[:1] == ["--compile"] and len(arguments) == 2:
        compile_sources(Path(arguments[1]))
        return 0
    if arguments:
        sys.stderr.write(__doc__ or "")
        return 2
    prefix = Path(sys.prefix)
    library = Path(sysconfig.get_path("stdlib"))
    for path in doomed(prefix, library):
        remove(path)
    for name in unloadable(library / "lib-dynload"):
        remove(name)
    compile_sources(library)
    (library / "site-packages").mkdir()
    return 0


def doomed(prefix: Path, library: Path) -> Iterator[Path]:
    """List what is removed: all but the interpreter in the prefix, and the named library parts."""
    for folder in prefix.iterdir():
        if folder.name not in ("bin", "lib"):
            yield folder
    yield from others(prefix / "bin", PROGRAMS)
    yield from others(prefix / "lib", LIBRARIES)
    names = f"{DEVELOPMENT} {INTERFACES} {NETWORK} {FORMATS} {PROCESSES} {OTHER}".split()
    for name in names:
        yield from library.glob(name)
        yield from library.glob(f"{name}.py")
    for name in EXTENSIONS.split():
        yield from (library / "lib-dynload").glob(f"{name}.*.so")
    yield from others(library / "encodings", [f"{name}.py" for name in ENCODINGS.split()])


def others(folder: Path, patterns: Iterable[str]) -> Iterator[Path]:
    """List the files and folders in a folder that match no pattern."""
    wanted = tuple(patterns)
    for path in folder.iterdir():
        if not any(path.match(pattern) for pattern in wanted):
            yield path


def unloadable(folder: Path) -> Iterator[Path]:
    """List extension modules that need a library this system does not have."""
    for path in sorted(folder.glob("*.so")):
        name = path.name.partition(".")[0]
        command = [sys.executable, "-B", "-S", "-c", f"import {name}"]
        if subprocess.run(command, capture_output=True, check=False).returncode:
            yield path


def remove(path: Path) -> None:
    """Delete a file or a folder, if it is still there."""
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)


def compile_sources(folder: Path) -> None:
    """Replace every source below the folder by bytecode that depends on its text alone.

    What only installers and type checkers read goes, too; METADATA stays for image scanners.
    """
    done = compileall.compile_dir(
        folder,
        quiet=1,
        legacy=True,
        optimize=2,
        stripdir=str(folder),
        prependdir=folder.name,
        invalidation_mode=py_compile.PycInvalidationMode.UNCHECKED_HASH,
    )
    if not done:
        raise SystemExit(f"{folder} does not compile")
    for pattern in ("*.py", *LEFTOVERS):
        for path in tuple(folder.rglob(pattern)):
            remove(path)


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
