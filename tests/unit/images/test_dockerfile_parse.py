"""Dockerfiles as BuildKit reads them: continued lines, here-documents, stages, variables."""

import pytest

from onegig.dockerfiles.parse import fill_in, parse
from onegig.dockerfiles.stages import assignments, read_stages

ODD = """\
# escape=`
# a comment that ends the directives
ARG VERSION=3.13

FROM python:${VERSION} AS Build
RUN one `
  # in between

  && two\\n`
three
RUN --mount=type=cache,target=/x --network=none <<EOF bash
FROM nothing
EOF
COPY --chown=1:1 <<"A" <<-B /x/
one
A
	two
	B
CMD ["a", "b c"]
"""


def test_lines_flags_and_values() -> None:
    instructions = [
        (item.line, item.last, item.name, item.flags, item.value) for item in parse(ODD)
    ]
    assert instructions == [
        (3, 3, "ARG", (), "VERSION=3.13"),
        (5, 5, "FROM", (), "python:${VERSION} AS Build"),
        (6, 10, "RUN", (), "one   && two\\nthree"),
        (11, 13, "RUN", (("mount", "type=cache,target=/x"), ("network", "none")), "<<EOF bash"),
        (14, 18, "COPY", (("chown", "1:1"),), '<<"A" <<-B /x/'),
        (19, 19, "CMD", (), '["a", "b c"]'),
    ]


def test_here_documents_are_no_instructions() -> None:
    documents = [
        (document.name, document.content) for item in parse(ODD) for document in item.heredocs
    ]
    assert documents == [("EOF", "FROM nothing\n"), ("A", "one\n"), ("B", "two\n")]


@pytest.mark.parametrize(
    "first",
    [
        "FROM\talpine",
        'RUN sh -c "cat <<EOF >/x"',
        "RUN echo 'a <<EOF b'",
        "RUN echo two\\\\",
        "# a line\u2028separator",
        "ONBUILD RUN <<EOF\nFROM nothing\nEOF",
    ],
)
def test_the_next_instruction_begins_on_the_next_line(first: str) -> None:
    *_, last = parse(f"{first}\nUSER\t1000\n")
    assert (last.line, last.name, last.value) == (first.count("\n") + 2, "USER", "1000")


def test_the_exec_form_has_its_own_words() -> None:
    assert [item.words for item in parse('CMD ["a", "b c"]\nCMD [a b]\nCMD a "b c"\n')] == [
        ("a", "b c"),
        ("[a", "b]"),
        ("a", '"b', 'c"'),
    ]


@pytest.mark.parametrize(
    "text", ["", "\\", "RUN", "RUN <<EOF", "RUN <<EOF\nno end", "\ufeffFROM a", "RUN a \\\n# b"]
)
def test_any_text_can_be_read(text: str) -> None:
    assert all(item.line >= 1 for item in parse(text))


@pytest.mark.parametrize(
    ("text", "filled"),
    [
        ("$A/${A}", "1/1"),
        ("${B:-x}${B-y}${E:-z}${E-w}", "xyz"),
        ("${A:+yes}${B:+no}", "yes"),
        (r"\$A ${B:-in $A}", "$A in 1"),
        ("$B", ""),
        ("${N:-${A}}-${N:-x${A:+y}z}", "1-xyz"),
        ("${A:?is missing}", "1"),
    ],
)
def test_variables(text: str, filled: str) -> None:
    assert fill_in(text, {"A": "1", "E": ""}) == filled


def test_words_of_arg_env_and_label() -> None:
    (item,) = parse("ENV A=1 B='two words' C=a\\ b D=")
    assert list(assignments(item)) == [("A", "1"), ("B", "two words"), ("C", "a b"), ("D", "")]
    (old,) = parse("ENV A two words")
    assert list(assignments(old)) == [("A", "two words")]
    (argument,) = parse("ARG A B=1")
    assert list(assignments(argument)) == [("A", None), ("B", "1")]


STAGES = """\
ARG BASE=alpine:3.23
ARG TOOLS
FROM ${TOOLS:-debian} AS tools
FROM ${BASE} AS base
ENV HOME=/srv
FROM base AS web
COPY --from=tools /x /x
ARG BASE
ENV PLACE=${HOME}/${BASE}
FROM base AS worker
RUN --mount=type=bind,from=web,target=/web true
"""


def test_the_chain_of_a_stage_and_what_it_copies_from() -> None:
    stages = read_stages(STAGES, {})
    assert [item.base for item in stages.stages] == ["debian", "alpine:3.23", "base", "base"]
    assert [item.name for item in stages.chain("WEB")] == ["base", "web"]
    assert [item.name for item in stages.needed("web")] == ["tools", "base", "web"]
    assert [item.name for item in stages.chain()] == ["base", "worker"]
    assert [item.name for item in stages.needed()] == ["tools", "base", "web", "worker"]
    assert stages.chain("nobody") == ()


def test_a_build_s_arguments_come_before_defaults() -> None:
    stages = read_stages(STAGES, {"BASE": "mine:1", "TOOLS": "gcc:14"})
    assert [item.base for item in stages.stages][:2] == ["gcc:14", "mine:1"]
    assert dict(stages.chain("web")[-1].variables)["PLACE"] == "/srv/mine:1"
