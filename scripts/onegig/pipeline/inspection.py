"""The third step: what is in the images."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from onegig.config.builds import read_dockerfiles
from onegig.dockerfiles.policy import check_policies
from onegig.dockerfiles.stages import BuildFile
from onegig.engine.engine import Engine, without_engine
from onegig.errors import InspectError
from onegig.images import trivy
from onegig.images.archive import Archive
from onegig.images.bases import base_evidence
from onegig.images.cache import open_cache
from onegig.images.fixes import place_fixes
from onegig.images.inspect import inspect_images, inspect_others
from onegig.model.images import ImagesReport
from onegig.model.measured import Missing, Unknown
from onegig.model.stack import Stack
from onegig.progress import Progress


def inspect(
    engine: Engine,
    users: Mapping[str, tuple[str, ...]],
    stack: str,
    progress: Progress,
    inspected: Sequence[ImagesReport] = (),
    *,
    update_database: bool = False,
    weigh: bool = False,
    is_part: bool = False,
    build_files: Mapping[str, BuildFile] | None = None,
) -> ImagesReport | Missing:
    """Return what is in the images; Unknown with the reason when some could not be read.

    `users` maps each image to the services that run it. What `inspected` knows of the very same
    images is not found out again. A report that `is_part` of a stack's can be merged with others.
    `build_files` are those of images that are built here.
    """
    bases, files = engine.images, build_files or {}
    environment = engine.describe(users)
    scanner = find_scanner(progress, update_database=update_database)
    with progress.step(f"inspect {len(users)} images") as say:
        try:
            inspection = inspect_others(
                inspected,
                users,
                engine=engine.images,
                cache=open_cache(say),
                environment=environment,
                progress=say,
                scanner=scanner,
                is_part=is_part,
                weigh=weigh,
                evidence_of=lambda one: base_evidence(one, files.get(one.reference), bases),
            )
        except InspectError as error:
            return Unknown(reason=error.message)
    if inspection.problems:
        return Unknown(reason="; ".join(inspection.problems))
    return replace(inspection.report, stack=stack)


def find_scanner(progress: Progress, *, update_database: bool) -> trivy.Scanner | Missing:
    """trivy and its database, which is only fetched when asked for."""
    with progress.step("find trivy" + (" and update its database" * update_database)) as say:
        scanner = trivy.find(update=update_database)
        if isinstance(scanner, Missing):
            say(f"no image is scanned: {scanner.reason}")
        elif isinstance(scanner.database, Missing):
            say(f"vulnerabilities are not scanned: {scanner.database.reason}")
        else:
            say(f"trivy {scanner.version}, database of {scanner.database[:10]}")
    return scanner


def with_places(
    images: ImagesReport | Missing, stack: Stack, settings_commit: str | None = None
) -> ImagesReport | Missing:
    """Return what is in the images, with lines of Dockerfiles for fixes and remarks.

    Whoever inspected the images: the Dockerfiles are here. `settings_commit` is whose configuration
    of hadolint counts; None: the one that is here, too.
    """
    if isinstance(images, Missing):
        return images
    placed = place_fixes(images, read_dockerfiles(stack))
    return replace(placed, dockerfiles=check_policies(stack, settings_commit=settings_commit))


def inspect_archive(
    path: Path, progress: Progress, *, update_database: bool = False, weigh: bool = False
) -> ImagesReport | Missing:
    """Return what is in the images of an archive or layout; Unknown if one cannot be read."""
    archive = Archive(path)
    scanner = find_scanner(progress, update_database=update_database)
    with progress.step(f"inspect the {len(archive.references)} images of {path}") as say:
        for sentence in archive.left_out:
            say(f"left out: {sentence}")
        inspection = inspect_images(
            dict.fromkeys(archive.references, ()),
            engine=archive,
            cache=open_cache(say),
            environment=without_engine(archive.bases),
            progress=say,
            scanner=scanner,
            weigh=weigh,
        )
    if inspection.problems:
        return Unknown(reason="; ".join(inspection.problems))
    return inspection.report
