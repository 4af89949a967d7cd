"""Images of an archive or an OCI layout, inspected without an engine."""

from pathlib import Path

from onegig.engine.engine import without_engine
from onegig.images.archive import Archive
from onegig.images.cache import open_cache
from onegig.images.inspect import inspect_images
from onegig.images.trivy import Scanner
from onegig.model.images import ImagesReport
from onegig.model.measured import Missing, Unknown
from onegig.progress import Progress


def inspect_archive(
    path: Path, scanner: Scanner | Missing, progress: Progress, *, weigh: bool
) -> ImagesReport | Missing:
    """Return what is in the images of an archive or layout; Unknown if one cannot be read."""
    archive = Archive(path)
    with progress.step(f"inspect the {len(archive.references)} images of {path}") as say:
        for sentence in archive.left_out:
            say(f"skipped: {sentence}")
        inspection = inspect_images(
            dict.fromkeys(archive.references, ()),
            engine=archive,
            cache=open_cache(say),
            environment=without_engine(archive.bases),
            progress=say,
            scanner=scanner,
            weigh=weigh,
        )
    problems = "; ".join(inspection.problems)
    return Unknown(reason=problems) if problems else inspection.report
