"""Whether what a stranger says of Dockerfiles can be true at all; as in plausible.py."""

from collections.abc import Iterator

from onegig.model.measured import Missing
from onegig.model.policy import DockerfilePolicy

MOST_FILES = 2_000
MOST_REMARKS = 10_000  # of one Dockerfile
MOST_TEXT = 5_000


def doubt_dockerfiles(found: tuple[DockerfilePolicy, ...]) -> Iterator[str]:
    """What can't be so of remarks about Dockerfiles."""
    if len(found) > MOST_FILES:
        yield f"has more than {MOST_FILES:,} Dockerfiles"
        return
    if len({one.path for one in found}) != len(found):
        yield "has a Dockerfile twice"
    for one in found:
        if len(one.remarks) > MOST_REMARKS or len(one.services) > MOST_FILES:
            yield "has a Dockerfile with more remarks or services than there can be"
        if any(remark.path != one.path or remark.line < 1 for remark in one.remarks):
            yield "has a remark about another Dockerfile, or about no line of it"
        texts = [one.path, *(text for each in one.remarks for text in (each.rule, each.text))]
        texts.append(one.hadolint.reason if isinstance(one.hadolint, Missing) else one.hadolint)
        if any(len(text) > MOST_TEXT for text in (*texts, *one.services)):
            yield f"has a remark of more than {MOST_TEXT:,} characters"
