"""Keep a file, or a folder's files without those that are hidden, as $ARTIFACTS/<name>.zip."""

import os
import sys
from pathlib import Path
from zipfile import ZipFile

source = Path(os.environ["SOURCE"])
archive = Path(os.environ["ARTIFACTS"], f"{os.environ['NAME']}.zip")
found = [source] if source.is_file() else sorted(p for p in source.rglob("*") if p.is_file())
root = source.parent if source.is_file() else source
files = [path for path in found if not str(path.relative_to(root)).startswith(".")]
if not files:
    level = {"error": "error", "warn": "warning"}[os.environ["MISSING"]]
    sys.stdout.write(f"::{level}::No files were found with the provided path: {source}\n")
    sys.exit(level == "error")
if archive.exists():
    sys.exit(f"::error::an artifact named {archive.stem} exists already (409 Conflict)")
with ZipFile(archive, "w") as written:
    for path in files:
        written.write(path, path.relative_to(root))
