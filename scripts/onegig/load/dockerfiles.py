"""The Dockerfiles of a stack, read for the lines that reports point to."""

import os
from pathlib import Path

from onegig.images.accounts.fix_places import Dockerfile
from onegig.model.stack import Stack


def read_dockerfiles(stack: Stack) -> dict[str, Dockerfile]:
    """By service, for those that are built here; one that cannot be read is left out."""
    found = {}
    for service in stack.services:
        if service.dockerfile:
            path = Path(stack.directory) / service.dockerfile
            try:
                text = path.read_text(encoding="utf-8", errors="replace")
            except OSError:
                continue
            found[service.name] = Dockerfile(path=os.path.relpath(path), text=text)
    return found
