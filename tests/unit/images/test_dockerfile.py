"""The line of a Dockerfile that a layer comes from."""

import pytest

from onegig.dockerfiles.history import line_of
from onegig.dockerfiles.parse import parse

DOCKERFILE = """\
# syntax, comments and empty lines are no instructions
ARG PYTHON=python:3.13-alpine

FROM ${PYTHON} AS build
RUN --mount=type=bind,source=requirements,target=/requirements \\
    # a comment in the middle
    pip install --quiet \\
        --target /site-packages requests

FROM alpine:3.23
ARG SERVICE
COPY --from=build /site-packages/ /usr/lib/python3/
COPY --chown=65532:65532 ${SERVICE}/ /app/
RUN apk add --no-cache curl
ENTRYPOINT ["python3"]
"""


@pytest.mark.parametrize(
    ("layer", "line"),
    [
        ("COPY /site-packages/ /usr/lib/python3/", 12),
        ("RUN apk add --no-cache curl", 14),
        ("RUN pip install --quiet --target /site-packages requests", 5),
        ("ADD alpine-minirootfs-3.23.0-x86_64.tar.gz /", 10),  # of the base: its FROM
        ("RUN set -eux; make -j4; make install", 10),
        ("", 10),
    ],
)
def test_line_of_the_instruction(layer: str, line: int) -> None:
    assert line_of(DOCKERFILE, layer) == line


def test_variables_that_were_filled_in_are_looked_past() -> None:
    text = "FROM a\nRUN wget -q https://example.org/${VERSION}/tool.tar.gz -O /tmp/tool && tar x\n"
    layer = "RUN wget -q https://example.org/1.2.3/tool.tar.gz -O /tmp/tool && tar x"
    assert line_of(text, layer) == 2


@pytest.mark.parametrize("text", ["", "\\", "# only\n\n", "RUN\n", "\x00\n"])
def test_a_file_without_a_base_has_one_line_to_blame(text: str) -> None:
    assert line_of(text, "COPY a b") == 1


def test_continued_instructions_begin_on_their_first_line() -> None:
    found = [(one.line, one.name) for one in parse(DOCKERFILE)]
    assert found == [
        (2, "ARG"),
        (4, "FROM"),
        (5, "RUN"),
        (10, "FROM"),
        (11, "ARG"),
        (12, "COPY"),
        (13, "COPY"),
        (14, "RUN"),
        (15, "ENTRYPOINT"),
    ]
