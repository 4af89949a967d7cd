"""Names of images in a compose project, refused where they are none.

Compose takes any text. A name goes on to commands of docker, in which a comma, a line break or a
dash at its start would be more than a name.
"""

import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from onegig.errors import ConfigError
from onegig.load.document import read_lines
from onegig.load.mistakes import visible

MOST_CHARACTERS = 600  # a name of 255, a tag of 128, the longest digest
# The grammar of github.com/distribution/reference.
_PART = r"[a-z0-9]+(?:(?:[._]|__|-+)[a-z0-9]+)*"
_LABEL = r"[a-zA-Z0-9](?:[a-zA-Z0-9-]*[a-zA-Z0-9])?"
_REGISTRY = rf"(?:{_LABEL}(?:\.{_LABEL})*|\[[a-fA-F0-9:]+\])(?::[0-9]+)?"
_ALGORITHM = r"[A-Za-z][A-Za-z0-9]*(?:[-_+.][A-Za-z][A-Za-z0-9]*)*"
_REFERENCE = re.compile(
    rf"(?:{_REGISTRY}/)?{_PART}(?:/{_PART})*"
    rf"(?::[a-zA-Z0-9_][a-zA-Z0-9_.-]{{0,127}})?(?:@{_ALGORITHM}:[0-9a-fA-F]{{32,}})?"
)


def is_image_name(text: str) -> bool:
    """Tell whether docker would take a text as the name of an image."""
    return len(text) <= MOST_CHARACTERS and bool(_REFERENCE.fullmatch(text))


def refuse_bad_names(config: Mapping[str, Any], files: Sequence[Path]) -> None:
    """Raise ConfigError for the first service whose `image` is no name of an image.

    `config` is the project as compose resolves it, `files` what it was read from.
    """
    for name, service in (config.get("services") or {}).items():
        image = str((service or {}).get("image") or "")
        if image and not is_image_name(image):
            raise ConfigError(
                f"{_place(name, files)}: the image of the service {name} is not a name that "
                f"docker takes: {visible(image[:MOST_CHARACTERS])}",
                advice="write it as [registry[:port]/]name[:tag][@digest], the name in small "
                "letters; is a variable in it not set?",
            )


def _place(service: str, files: Sequence[Path]) -> str:
    """Return the file and line of a service's image, as near as they can be found."""
    marks = [(path, read_lines(path)) for path in reversed(files)]
    for key in (("services", service, "image"), ("services", service)):
        for path, lines in marks:
            if key in lines:
                return f"{path}:{lines[key].line}"
    return str(files[0])
