"""Which commits a job measured, from real checkouts; errors and places as data."""

import json
import subprocess
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from factories import make_images, make_memory, make_report, make_service
from onegig import pipeline
from onegig.dockerfiles.builds import read_dockerfiles
from onegig.errors import BuildError, ConfigError
from onegig.github.gate import (
    CUT_SHORT,
    NO_COMMIT,
    announce,
    describe,
    find_dockerfiles,
    read_claim,
    run_gate,
)
from onegig.github.job import Job, read_job
from onegig.images.fixes import place_fixes
from onegig.model.budgets import Budgets
from onegig.model.codec import from_json, to_json
from onegig.model.images import Accounting, ImagesReport
from onegig.model.measured import Skipped, Unknown
from onegig.model.options import Options
from onegig.model.report import Report, RunReport
from onegig.model.stack import HostAccess, Stack
from onegig.pipeline import Attempt
from onegig.progress import Quiet, choose_progress
from onegig.report.annotations import Place
from reviews import with_layer
from scenarios import make_go
from stacks import plain_service

Git = Callable[..., str]
OPTIONS = Options()
GONE = Skipped(reason="nothing to compare with")


@pytest.fixture
def git(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Git:
    """A repository to work in, with main and a branch that was merged into it as GitHub does."""
    monkeypatch.chdir(tmp_path)

    def call(*arguments: str) -> str:
        identity = ("-c", "user.name=a", "-c", "user.email=a@example.org")
        command = ["git", *identity, *arguments]
        return subprocess.run(command, check=True, capture_output=True, text=True).stdout.strip()

    call("init", "--quiet", "--initial-branch=main")
    call("commit", "--quiet", "--allow-empty", "--message=one")
    call("checkout", "--quiet", "-b", "work")
    call("commit", "--quiet", "--allow-empty", "--message=work")
    call("checkout", "--quiet", "main")
    call("commit", "--quiet", "--allow-empty", "--message=two")
    call("merge", "--quiet", "--no-ff", "--message=merge", "work")
    return call


def job(name: str, **event: Any) -> Job:
    return Job(event_name=name, event=event, repository="owner/stack")


def pull_request(head: str) -> Job:
    return job("pull_request", pull_request={"head": {"sha": head}, "base": {"ref": "main"}})


def claim(one: Job) -> RunReport:
    return read_claim(one, OPTIONS, None)


def test_a_merge_ref_is_compared_with_its_first_parent(git: Git) -> None:
    result = claim(pull_request(git("rev-parse", "work")))
    assert result.measured_sha == git("rev-parse", "HEAD")
    assert result.head_sha == git("rev-parse", "work")
    assert result.base_sha == git("rev-parse", "HEAD^1")


def test_a_shallow_checkout_of_the_merge_ref_is_enough(git: Git, tmp_path: Path) -> None:
    git("clone", "--quiet", "--depth=2", f"file://{tmp_path}", "shallow")
    options = Options(budgets=Path("shallow/budgets.yml"))
    result = read_claim(pull_request(git("rev-parse", "work")), options, None)
    assert result.base_sha == git("rev-parse", "HEAD^1")


def test_a_checkout_of_the_head_itself_claims_no_base(git: Git) -> None:
    git("checkout", "--quiet", "work")
    result = claim(pull_request(git("rev-parse", "work")))
    assert result.measured_sha == result.head_sha
    assert result.base_sha == ""


def test_a_merge_of_something_else_claims_no_base(git: Git) -> None:
    assert claim(pull_request("f" * 40)).base_sha == ""


def test_a_push_is_compared_with_what_was_there_before(git: Git) -> None:
    before = git("rev-parse", "HEAD^1")
    assert claim(job("push", before=before)).base_sha == before
    assert claim(job("push", before=NO_COMMIT)).base_sha == ""


def test_a_merge_group_is_compared_with_its_base(git: Git) -> None:
    group = {"base_sha": "a" * 40, "base_ref": "refs/heads/main"}
    assert claim(job("merge_group", merge_group=group)).base_sha == "a" * 40
    assert job("merge_group", merge_group=group).base_branch == "main"


@pytest.mark.parametrize("name", ["workflow_dispatch", "schedule"])
def test_other_runs_are_compared_with_their_own_commit(git: Git, name: str) -> None:
    assert claim(job(name)).base_sha == git("rev-parse", "HEAD")


def test_outside_a_checkout_nothing_is_claimed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    result = claim(job("schedule"))
    assert (result.measured_sha, result.base_sha) == ("", "")


def stack(dockerfile: str | None, directory: Path) -> Stack:
    service = plain_service("web", builds=True, dockerfile=dockerfile)
    return Stack(
        name="s", directory=str(directory), files=(), services=(service,), config_json="{}"
    )


def test_a_failed_build_names_the_line_from_the_repositorys_root(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    error = BuildError(
        "the image of web could not be built",
        command="docker buildx bake web",
        advice="mend it",
        detail="ERROR: process failed\nDockerfile:2\n-----\n   2 | >>> RUN false",
    )
    failure = describe(error, stack("web/Dockerfile", tmp_path / "services"))
    assert failure.place == "services/web/Dockerfile:2"
    assert failure.exit_code == 3
    assert (failure.message, failure.command) == (error.message, error.command)


def test_a_failed_step_is_found_where_the_builder_shows_no_excerpt(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "web").mkdir()
    (tmp_path / "web" / "Dockerfile").write_text("FROM alpine\nRUN true\nRUN apk add ta-lib\n")
    error = BuildError("no", detail="------\n > [web 3/3] RUN apk add ta-lib:\n0.3 ERROR\n------")
    assert describe(error, stack("web/Dockerfile", tmp_path)).place == "web/Dockerfile:3"


@pytest.mark.security
@pytest.mark.parametrize("event", ["pull_request", "merge_group", "push"])
def test_settings_of_linters_are_those_below_a_pull_request(
    git: Git, event: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[Options] = []

    def attempt(options: Options, _: Any) -> None:
        seen.append(options)
        raise KeyboardInterrupt

    monkeypatch.setattr(pipeline, "attempt", attempt)
    jobs = {
        "pull_request": pull_request(git("rev-parse", "work")),
        "merge_group": job("merge_group", merge_group={"base_sha": git("rev-parse", "main^")}),
        "push": job("push"),
    }
    with pytest.raises(KeyboardInterrupt):
        run_gate(OPTIONS, choose_progress(quiet=True, color=False), jobs[event], lambda *_: GONE)
    base = None if event == "push" else git("rev-parse", "main^")
    assert [item.settings_commit for item in seen] == [base]


def test_a_job_that_is_cut_short_has_said_so_before(git: Git, tmp_path: Path) -> None:
    announce(job("schedule"), OPTIONS, tmp_path / "numbers")
    left = from_json(RunReport, (tmp_path / "numbers" / "run.json").read_bytes(), "run.json")
    assert left.failure == CUT_SHORT
    assert left.measured_sha == git("rev-parse", "HEAD")


@pytest.mark.security
def test_the_run_names_services_that_can_reach_the_machine(
    git: Git, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    access = (HostAccess(service="web", reason="privileged: true"),)
    attempt = Attempt(
        report=make_go(),
        budgets=Budgets(path="budgets.yml", compose="compose.yml"),
        stack=replace(stack(None, tmp_path), host_access=access),
        error=None,
    )
    monkeypatch.setattr(pipeline, "attempt", lambda *_: attempt)
    none = Unknown(reason="no baseline")
    gate = run_gate(OPTIONS, Quiet(color=False), job("schedule"), lambda *_: none)
    assert from_json(RunReport, to_json(gate.claim), "run.json").host_access == access


def test_a_mistake_in_budgets_names_its_line() -> None:
    error = ConfigError("b", detail="budgets.yml:3: memory.limit: '90X' is not a size\nx.yml:9: y")
    assert describe(error, None).place == "budgets.yml:3"


def test_an_error_without_a_line_has_no_place() -> None:
    assert describe(ConfigError("no", detail="at 12:30: nothing"), None).place == ""


def test_the_job_is_read_from_its_environment(tmp_path: Path) -> None:
    path = tmp_path / "event.json"
    path.write_text(json.dumps({"repository": {"default_branch": "trunk"}}))
    environment = {
        "GITHUB_EVENT_NAME": "schedule",
        "GITHUB_EVENT_PATH": str(path),
        "GITHUB_REPOSITORY": "owner/stack",
        "GITHUB_RUN_ID": "7",
        "GITHUB_TOKEN": "secret",
        "GITHUB_STEP_SUMMARY": str(tmp_path / "summary.md"),
    }
    result = read_job(environment)
    assert result.base_branch == "trunk"
    assert result.run_url == "https://github.com/owner/stack/actions/runs/7"
    assert result.summary == tmp_path / "summary.md"
    assert "secret" not in repr(result)


@pytest.mark.parametrize(
    "environment",
    [{}, {"GITHUB_EVENT_NAME": "push", "GITHUB_EVENT_PATH": "none", "GITHUB_REPOSITORY": "a/b"}],
)
def test_outside_github_the_option_is_refused(environment: dict[str, str]) -> None:
    with pytest.raises(ConfigError) as caught:
        read_job(environment)
    assert caught.value.advice


TORCH = "RUN pip install torch==2.9.1"
TEXT = f"FROM alpine:3.23\nCOPY runtime /usr/local\nCOPY packages\nCOPY web /app\n{TORCH}\n"


@pytest.fixture
def built(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Stack:
    """One service that is built here."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "Dockerfile").write_text(TEXT)
    web = plain_service("web", builds=True, dockerfile="Dockerfile")
    return Stack(name="s", directory=str(tmp_path), files=(), services=(web,), config_json="{}")


def report(images: ImagesReport) -> Report:
    return make_report(make_memory([make_service("web", 10.0)]), images)


def of_line(line: int) -> dict[str, Place]:
    return {"web": Place(path="Dockerfile", line=line)}


def test_the_fix_that_saves_most_goes_before_the_largest_layer(built: Stack) -> None:
    """5.9 MB of headers and caches above a runtime of 14.6 MB."""
    images = with_layer(make_images(["web"]), "web", TORCH, 13.0)
    (image,) = images.images
    assert isinstance(image.accounting, Accounting)
    bare = tuple(replace(fix, place="") for fix in image.accounting.fixes)
    images = replace(
        images, images=(replace(image, accounting=replace(image.accounting, fixes=bare)),)
    )
    assert find_dockerfiles(report(images), built) == of_line(2)
    placed = place_fixes(images, read_dockerfiles(built))
    assert find_dockerfiles(report(placed), built) == of_line(5)


def test_without_a_fix_worth_it_the_largest_layer_is_to_blame(built: Stack) -> None:
    images = place_fixes(with_layer(make_images(["web"]), "web", TORCH, 0.1), {})
    (image,) = images.images
    assert isinstance(image.accounting, Accounting)
    none = replace(image, accounting=replace(image.accounting, fixes=()))
    assert find_dockerfiles(report(replace(images, images=(none,))), built) == of_line(2)
