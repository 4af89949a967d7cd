"""One image inspected as if never seen before, and what must not change with where it lay."""

from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory

from factories import make_environment
from onegig.images import dive
from onegig.images.cache import Cache
from onegig.images.inspect import Inspection, inspect_images
from onegig.images.spool import ImageSource
from onegig.model.images import Image
from onegig.model.measured import Unknown

NO_DIVE = Unknown(reason="not asked")


def look(
    source: ImageSource,
    *references: str,
    program: dive.Program | Unknown = NO_DIVE,
    weigh: bool = False,
) -> Inspection:
    """Inspected with an empty cache."""
    with TemporaryDirectory() as folder:
        return inspect_images(
            dict.fromkeys(references, ()),
            engine=source,
            cache=Cache(Path(folder)),
            environment=make_environment(),
            progress=lambda _line: None,
            program=program,
            weigh=weigh,
        )


def look_at(
    source: ImageSource, reference: str, program: dive.Program | Unknown = NO_DIVE
) -> Image:
    """The only image of an inspection without problems."""
    result = look(source, reference, program=program)
    assert result.problems == ()
    (image,) = result.report.images
    return image


def content_of(image: Image) -> Image:
    """What depends on the layers alone: not on names, on a store's digests or on compression."""
    layers = tuple(replace(layer, compressed_bytes=0) for layer in image.layers)
    return replace(image, reference="", image_id="", compressed_bytes=0, layers=layers)
