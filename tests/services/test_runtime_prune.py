"""Pruning: sources become bytecode that runs, and what installers leave behind goes."""

import os
import runpy
import subprocess
import sys
from pathlib import Path

import prune


def make_package(folder: Path) -> None:
    (folder / "package" / "__pycache__").mkdir(parents=True)
    (folder / "package" / "__init__.py").write_text('"""Text that -OO drops."""\nANSWER = 42\n')
    (folder / "package" / "part.py").write_text("import package\nassert False\nRESULT = __doc__\n")
    (folder / "package" / "stub.pyi").write_text("ANSWER: int\n")
    (folder / "package-1.0.dist-info").mkdir()
    for name in ("METADATA", "RECORD", "INSTALLER"):
        (folder / "package-1.0.dist-info" / name).write_text("Name: package\n")


def test_sources_become_bytecode_without_docstrings_and_assertions(tmp_path: Path) -> None:
    make_package(tmp_path)
    assert prune.main(["--compile", str(tmp_path)]) == 0
    left = {str(path.relative_to(tmp_path)) for path in tmp_path.rglob("*") if path.is_file()}
    assert left == {
        "package/__init__.pyc",
        "package/part.pyc",
        "package-1.0.dist-info/METADATA",
    }
    done = subprocess.run(
        [
            sys.executable,
            "-c",
            "import package, package.part as p; print(package.ANSWER, p.RESULT)",
        ],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout == "42 None\n"


def test_bytecode_depends_on_the_text_alone(tmp_path: Path) -> None:
    for name, time in (("one", 1_000), ("two", 2_000)):
        source = tmp_path / name / "app" / "module.py"
        source.parent.mkdir(parents=True)
        source.write_text("VALUE = 1\n")
        os.utime(source, (time, time))
        prune.compile_sources(source.parent)
    first, second = (tmp_path / name / "app" / "module.pyc" for name in ("one", "two"))
    assert first.read_bytes() == second.read_bytes()
    assert runpy.run_path(str(first))["VALUE"] == 1


def test_a_source_that_does_not_compile_stops_the_build(tmp_path: Path) -> None:
    (tmp_path / "broken.py").write_text("def\n")
    done = subprocess.run(
        [sys.executable, prune.__file__, "--compile", str(tmp_path)],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode != 0
    assert "does not compile" in done.stderr
    assert (tmp_path / "broken.py").exists()


def test_an_interpreter_loses_all_but_its_program_and_library(tmp_path: Path) -> None:
    library = tmp_path / "lib" / "python3.13"
    for path in (
        "bin/python3.13",
        "bin/pip",
        "include/Python.h",
        "share/man/python.1",
        "lib/libpython3.13.so.1.0",
        "lib/pkgconfig/python3.pc",
        "lib/python3.13/os.py",
        "lib/python3.13/pdb.py",
        "lib/python3.13/asyncio/__init__.py",
        "lib/python3.13/encodings/utf_8.py",
        "lib/python3.13/encodings/cp037.py",
        "lib/python3.13/lib-dynload/math.cpython-313.so",
        "lib/python3.13/lib-dynload/_bz2.cpython-313.so",
        "lib/python3.13/site-packages/pip/__init__.py",
    ):
        (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / path).touch()
    for found in tuple(prune.doomed(tmp_path, library)):
        prune.remove(found)
    left = {str(path.relative_to(tmp_path)) for path in tmp_path.rglob("*") if path.is_file()}
    assert left == {
        "bin/python3.13",
        "lib/libpython3.13.so.1.0",
        "lib/python3.13/os.py",
        "lib/python3.13/encodings/utf_8.py",
        "lib/python3.13/lib-dynload/math.cpython-313.so",
    }


def test_a_call_that_makes_no_sense_is_refused() -> None:
    assert prune.main(["--compile"]) == 2
