"""The base that a Dockerfile names for its image, and what it adds to it."""

import pytest

from onegig.dockerfiles.stages import BaseImage, BuildFile, read_base

CHAIN = """\
ARG BASE=alpine:3.23
FROM gcc:14 AS build
COPY . /src
FROM ${BASE} AS common
ARG PLACE=/srv
WORKDIR /
WORKDIR $PLACE
RUN apk add --no-cache curl
ENV A=b
FROM common AS web
COPY --from=build --chmod=755 /src/web ${PLACE}/
USER 65532
FROM common
ADD ["a b", "/c"]
RUN <<EOF
set -e
make
EOF
"""
COMMON = ("WORKDIR /srv", "RUN apk add --no-cache curl")


def base(text: str, architecture: str = "amd64", **build: object) -> BaseImage | None:
    return read_base(BuildFile(text=text, **build), architecture)  # type: ignore[arg-type]


def reference(text: str, architecture: str = "amd64", **build: object) -> str | None:
    result = base(text, architecture, **build)
    return result.reference if result else None


def test_the_base_is_below_all_stages_of_the_image() -> None:
    last = (*COMMON, "ADD a b /c", "RUN <<EOF set -e\nmake\n")
    assert base(CHAIN) == BaseImage(reference="alpine:3.23", added=last)
    web = (*COMMON, "COPY /src/web /srv/")
    assert base(CHAIN, target="web") == BaseImage(reference="alpine:3.23", added=web)
    build = BaseImage(reference="gcc:14", added=("COPY . /src",))
    assert base(CHAIN, target="build") == build


@pytest.mark.parametrize(
    ("text", "arguments", "named"),
    [
        ("ARG A=x:1\nFROM $A", (), "x:1"),
        ("ARG A=x:1\nFROM $A", (("A", "y:2"),), "y:2"),
        ("ARG A\nFROM ${A:-x}", (), "x"),
        ("ARG A=x\nARG TAG=-slim\nFROM $A:3$TAG", (("TAG", ""),), "x:3"),
        ("ARG A\nFROM $A", (), None),
        ("FROM $A", (("A", "y"),), None),  # BuildKit wants an ARG
        ("FROM --platform=$BUILDPLATFORM x@sha256:12 AS a\nFROM A", (), "x@sha256:12"),
    ],
)
def test_arguments_are_filled_in(
    text: str, arguments: tuple[tuple[str, str], ...], named: str | None
) -> None:
    assert reference(text, arguments=arguments) == named


@pytest.mark.parametrize(
    "text", ["", "RUN x", "FROM scratch\nCOPY a /", "FROM scratch AS a\nFROM a"]
)
def test_what_is_made_from_nothing_has_no_base(text: str) -> None:
    assert base(text) is None


def test_a_target_that_is_not_there_has_no_base() -> None:
    assert base("FROM x", target="web") is None


@pytest.mark.parametrize(("architecture", "named"), [("amd64", "x"), ("arm64", "y")])
def test_stages_are_chosen_by_the_platform(architecture: str, named: str) -> None:
    text = "FROM x AS for-amd64\nFROM y AS for-arm64\nFROM for-${TARGETARCH}"
    assert reference(text, architecture) == named


@pytest.mark.parametrize(
    ("contexts", "expected"),
    [
        ((("COMMON", "docker-image://mine:1"),), ("mine:1", ("RUN b",))),
        ((("x", "docker-image://mine:1"),), ("mine:1", ("RUN a", "RUN b"))),
        ((("other", "docker-image://mine:1"),), ("x", ("RUN a", "RUN b"))),
        ((("common", "/a/folder"),), None),
        ((("x", "https://example.org/x.git"),), None),
    ],
)
def test_a_context_comes_before_stages_and_images(
    contexts: tuple[tuple[str, str], ...], expected: tuple[str, tuple[str, ...]] | None
) -> None:
    result = base("FROM x AS common\nRUN a\nFROM common\nRUN b", contexts=contexts)
    assert (result and (result.reference, result.added)) == expected
