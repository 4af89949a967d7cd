"""The history of an image: lines of its instructions, copies, and where its base ends."""

import pytest

from onegig.dockerfiles.parse import copies_everything, destination, guess_base_layers, line_of

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


SLIM = [
    "# debian.sh --arch 'amd64' out/ 'trixie' '@1759104000'",
    "RUN set -eux; apt-get update; apt-get install -y --no-install-recommends ca-certificates",
    'RUN set -eux; savedAptMark="$(apt-mark showmanual)"; wget -O python.tar.xz',
    "RUN set -eux; for src in idle3 pip3 pydoc3 python3 python3-config; do",
]
REDIS = [
    "ADD alpine-minirootfs-3.22.0-x86_64.tar.gz /",
    "RUN set -eux; addgroup -S -g 1000 redis; adduser -S -G redis -u 999 redis",
    "RUN set -eux; apk add --no-cache --virtual .build-deps gcc make",
    "RUN mkdir /data && chown redis:redis /data",
    "WORKDIR /data",
    "COPY docker-entrypoint.sh /usr/local/bin/",
]
NODE = [
    "ADD alpine-minirootfs-3.22.0-x86_64.tar.gz /",
    "RUN addgroup -g 1000 node && adduser -u 1000 -G node -s /bin/sh -D node && apk add libstdc++",
    "RUN apk add --no-cache --virtual .build-deps-yarn curl gnupg tar",
    "COPY docker-entrypoint.sh /usr/local/bin/",
]
OWN = ["WORKDIR /app", "COPY . .", "RUN pip install -r requirements.txt"]


@pytest.mark.parametrize(
    ("instructions", "layers"),
    [
        ([], 0),
        (["ADD alpine-minirootfs.tar.gz /", *OWN], 1),
        ([*SLIM, *OWN], 4),
        (["Alpine 3.23 from a disk image", "CPython 3.13 from sources", *OWN], 2),
        (["COPY /programs /", "COPY a /etc"], 0),  # FROM scratch
        (["", ""], 1),
        (["ADD a.tar /", "RUN set -eux; apk add gcc", *OWN], 1),
        (["ADD file:0123 in /", "RUN apk add gcc", "COPY docker-entrypoint.sh /"], 1),
    ],
)
def test_where_from_ends(instructions: list[str], layers: int) -> None:
    assert guess_base_layers(instructions) == layers


@pytest.mark.parametrize("official", [REDIS, NODE])
def test_official_images_that_differ_are_known_at_least_in_part(official: list[str]) -> None:
    """What is missed counts as installed by the image itself: milder than the opposite."""
    assert 2 <= guess_base_layers([*official, *OWN]) <= len(official)


@pytest.mark.parametrize(
    ("instruction", "everything"),
    [
        ("COPY . .", True),
        ("COPY . /app/", True),
        ("COPY ./ /app", True),
        ("ADD . /app", True),
        ("COPY dir:0123abcd in /app", True),
        ('COPY [".", "/app"]', True),
        ("COPY ./src /app", False),
        ("COPY app/ .", False),
        ("COPY .env /app", False),
        ("COPY file:0123abcd in /app", False),
        ("RUN cp . /app", False),
    ],
)
def test_a_copy_of_everything(instruction: str, everything: bool) -> None:
    assert copies_everything(instruction) is everything


@pytest.mark.parametrize(
    ("instruction", "where"),
    [
        ("COPY . .", "app"),
        ("COPY a b ./sub/", "app/sub"),
        ("COPY a /srv/x/", "srv/x"),
        ("COPY dir:0123 in /srv ", "srv"),
        ('COPY ["a b", "/srv/x"]', "srv/x"),
        ("COPY a /", ""),
        ("RUN x", "app"),
    ],
)
def test_where_a_copy_goes(instruction: str, where: str) -> None:
    assert destination(instruction, "/app") == where
