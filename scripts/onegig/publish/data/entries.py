"""A report as an entry of the history: of which commit, and from when."""

import re
from collections.abc import Iterator
from dataclasses import replace
from datetime import datetime

from onegig.errors import ConfigError
from onegig.judge.baseline import make_baseline
from onegig.model.baseline import Baseline
from onegig.model.images import ImagesReport
from onegig.model.report import Report

_COMMIT = re.compile(r"[0-9a-f]{40}")


def make_entry(report: Report, created: str = "") -> Baseline:
    """The entry of a report; `created` is when its commit was pushed, where that is known.

    ConfigError when the report is of no commit that a branch could have.
    """
    if not _COMMIT.fullmatch(report.commit):
        raise ConfigError(
            "the report does not say which commit it is of",
            advice="measure in a git checkout",
        )
    if report.review and report.review.head_sha != report.commit:
        raise ConfigError(
            "the report is of a pull request, not of a commit of the branch",
            advice="publish what was measured of the default branch",
        )
    entry = replace(report, created=created or report.created)
    if not _is_time(entry.created):
        raise ConfigError(
            f"the report is from {entry.created!r}, which is no time with its zone",
            advice="measure again",
        )
    return make_baseline(entry, dict(_costs(report)))


def _is_time(text: str) -> bool:
    try:
        return datetime.fromisoformat(text).tzinfo is not None
    except ValueError:
        return False


def _costs(report: Report) -> Iterator[tuple[str, float]]:
    """Seconds that building each service's image took, where it was built from nothing."""
    if not isinstance(report.images, ImagesReport):
        return
    for image in report.images.images:
        if isinstance(image.build_seconds, (int, float)):
            yield from ((name, image.build_seconds) for name in image.services)
