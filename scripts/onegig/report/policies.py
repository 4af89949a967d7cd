"""What is to be said of a stack's Dockerfiles, in lines."""

from collections.abc import Iterator

from onegig.model.images import ImagesReport
from onegig.model.measured import Missing
from onegig.model.policy import DockerfilePolicy


def told(report: ImagesReport) -> Iterator[str]:
    """A line for each remark, the worst of each file first, and for what was not looked at."""
    for one in report.dockerfiles:
        for remark in one.remarks:
            place = f"{remark.path}:{remark.line}"
            yield f"{place}: {remark.level}: {remark.text} ({remark.rule})"
    reasons: dict[str, list[DockerfilePolicy]] = {}
    for one in report.dockerfiles:
        if isinstance(one.hadolint, Missing):
            reasons.setdefault(one.hadolint.reason, []).append(one)
    for reason, files in reasons.items():
        yield f"{', '.join(one.path for one in files)}: {reason}"
