"""Unpack every artifact whose name matches, each into a folder of its own name."""

import os
from pathlib import Path
from zipfile import ZipFile

for archive in sorted(Path(os.environ["ARTIFACTS"]).glob(f"{os.environ['PATTERN']}.zip")):
    with ZipFile(archive) as kept:
        kept.extractall(Path(os.environ["TARGET"], archive.stem))
