"""Pruning: sources become bytecode that runs, and what installers leave behind goes."""

import os
import runpy
import subprocess
import sys
from pathlib import Path

import prune

PACKAGE = {
    "package/__init__.py": '"""Text that -OO drops."""\nANSWER = 42\n',
    "package/part.py": "import package\nassert False\nRESULT = __doc__\n",
    "package/stub.pyi": "ANSWER: int\n",
    "package/__pycache__/part.cpython-313.pyc": "",
    "package-1.0.dist-info/METADATA": "Name: package\n",
    "package-1.0.dist-info/RECORD": "",
    "package-1.0.dist-info/INSTALLER": "",
}
KEPT = """bin/python3.13 lib/libpython3.13.so.1.0 lib/python3.13/os.py
    lib/python3.13/encodings/utf_8.py lib/python3.13/lib-dynload/math.cpython-313.so"""
DROPPED = """bin/pip include/Python.h share/man/python.1 lib/pkgconfig/python3.pc
    lib/python3.13/pdb.py lib/python3.13/asyncio/__init__.py lib/python3.13/encodings/cp037.py
    lib/python3.13/lib-dynload/_bz2.cpython-313.so lib/python3.13/site-packages/pip/__init__.py"""


def write(folder: Path, files: dict[str, str]) -> None:
    for name, text in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text)


def files_in(folder: Path) -> set[str]:
    return {str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file()}


def python(*arguments: str, folder: Path) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, *arguments]
    return subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)


def test_sources_become_bytecode_without_docstrings_and_assertions(tmp_path: Path) -> None:
    write(tmp_path, PACKAGE)
    assert prune.main(["--compile", str(tmp_path)]) == 0
    left = ["package/__init__.pyc", "package/part.pyc", "package-1.0.dist-info/METADATA"]
    assert files_in(tmp_path) == set(left)
    script = "import package, package.part as p; print(package.ANSWER, p.RESULT)"
    assert python("-c", script, folder=tmp_path).stdout == "42 None\n"


def test_bytecode_depends_on_the_text_alone(tmp_path: Path) -> None:
    for name, time in (("one", 1_000), ("two", 2_000)):
        write(tmp_path, {f"{name}/app/module.py": "VALUE = 1\n"})
        os.utime(tmp_path / name / "app" / "module.py", (time, time))
        prune.compile_sources(tmp_path / name / "app")
    first, second = (tmp_path / name / "app" / "module.pyc" for name in ("one", "two"))
    assert first.read_bytes() == second.read_bytes()
    assert runpy.run_path(str(first))["VALUE"] == 1


def test_a_source_that_does_not_compile_stops_the_build(tmp_path: Path) -> None:
    write(tmp_path, {"broken.py": "def\n"})
    done = python(prune.__file__, "--compile", str(tmp_path), folder=tmp_path)
    assert done.returncode != 0
    assert "does not compile" in done.stderr
    assert files_in(tmp_path) == {"broken.py"}


def test_an_interpreter_loses_all_but_its_program_and_library(tmp_path: Path) -> None:
    write(tmp_path, dict.fromkeys(f"{KEPT} {DROPPED}".split(), ""))
    for path in tuple(prune.doomed(tmp_path, tmp_path / "lib" / "python3.13")):
        prune.remove(path)
    assert files_in(tmp_path) == set(KEPT.split())


def test_a_call_that_makes_no_sense_is_refused() -> None:
    assert prune.main(["--compile"]) == 2
