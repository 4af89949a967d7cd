"""What a program gets of the environment, and where programs are looked for."""

import os
import sys
from pathlib import Path

import pytest

from onegig.config.budgets import parse_budgets
from onegig.config.stack import load_stack
from onegig.errors import ConfigError
from onegig.process import CommandError, find_program, run
from onegig.variables import NAMED, choose_variables, explain_held_back

JOB = {
    "GITHUB_ACTIONS": "true",
    "GITHUB_TOKEN": "ghs_secret-of-the-job",
    "ACTIONS_RUNTIME_TOKEN": "eyJ-secret-of-the-cache",
    "ACTIONS_RESULTS_URL": "https://results.example/",
    "ACTIONS_ID_TOKEN_REQUEST_TOKEN": "id-token",
    "ACTIONS_ID_TOKEN_REQUEST_URL": "https://id.example/",
    "ACTIONS_CACHE_URL": "https://cache.example/",
    "GITHUB_ENV": "/runner/env",
    "GITHUB_OUTPUT": "/runner/output",
    "GITHUB_PATH": "/runner/path",
    "GITHUB_STEP_SUMMARY": "/runner/summary",
    "INPUT_TOKEN": "input",
    "RUNNER_TEMP": "/runner/temp",
    "NPM_TOKEN": "npm",
    "AWS_SECRET_ACCESS_KEY": "aws",
    "DEPLOY": "https://me:ghs_secret-of-the-job@github.com",  # no telling name
}
PLAIN = {"TAG": "7", "MONKEY": "x", "GITHUB_SHA": "abc", "COMPOSE_PROFILES": "debug"}


def program(path: Path, text: str = "exit 0") -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(f"#!/bin/sh\n{text}\n")
    path.chmod(0o755)
    return path


@pytest.mark.security
@pytest.mark.parametrize("name", sorted(JOB.keys() - {"GITHUB_ACTIONS"}))
def test_what_is_the_jobs_reaches_no_container(
    name: str, checkout: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for variable, value in {**JOB, **PLAIN}.items():
        monkeypatch.setenv(variable, value)
    reference = f"${{{name}:-}}"
    (checkout / "compose.yml").write_text(
        "services:\n"
        "  web:\n"
        "    image: web:${TAG}\n"
        f"    environment: {{A: '{reference}', {name}: }}\n"
        f"    build: {{context: ., args: {{B: '{reference}', {name}: }}}}\n"
    )
    stack = load_stack()
    assert JOB[name] not in stack.config_json
    assert stack.images == ("web:7",)


def test_in_a_job_compose_gets_what_a_step_sets(
    checkout: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for variable, value in {**JOB, **PLAIN, "DB_PASSWORD": "pw", NAMED: "DB_PASSWORD"}.items():
        monkeypatch.setenv(variable, value)
    (checkout / "compose.yml").write_text(
        "services: {web: {image: 'web:${TAG}-${MONKEY}-${GITHUB_SHA}-${DB_PASSWORD}'}}"
    )
    assert load_stack().images == ("web:7-x-abc-pw",)


@pytest.mark.security
def test_what_belongs_to_the_job_can_not_be_named(monkeypatch: pytest.MonkeyPatch) -> None:
    environment = {**JOB, NAMED: "GITHUB_TOKEN ACTIONS_RUNTIME_TOKEN NPM_TOKEN"}
    chosen = choose_variables(["docker", "compose"], environment)
    assert not {"GITHUB_TOKEN", "ACTIONS_RUNTIME_TOKEN"} & chosen.keys()
    assert chosen["NPM_TOKEN"] == "npm"


def test_a_variable_that_is_held_back_is_explained(
    checkout: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GITHUB_ACTIONS", "true")
    monkeypatch.setenv("DB_PASSWORD", "pw")
    (checkout / "compose.yml").write_text("services: {web: {image: 'web:1${DB_PASSWORD}'}}")
    (warning,) = load_stack().warnings
    assert warning.endswith(
        "DB_PASSWORD looks like a secret and is not passed to compose; list it in "
        "ONEGIG_COMPOSE_VARIABLES to pass it"
    )
    (checkout / "compose.yml").write_text("services: {web: {image: 'web:${DB_PASSWORD:?}'}}")
    with pytest.raises(ConfigError) as caught:
        load_stack()
    assert "ONEGIG_COMPOSE_VARIABLES" in caught.value.advice
    assert explain_held_back("OTHER is not set", os.environ) == ""


def test_at_the_prompt_compose_gets_the_shells_variables(
    checkout: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("GITHUB_ACTIONS", raising=False)
    monkeypatch.setenv("GITHUB_TOKEN", "mine")
    (checkout / ".env").write_text("GITHUB_TOKEN=file\nTAG=file\n")
    (checkout / "compose.yml").write_text("services: {web: {image: '${GITHUB_TOKEN}:${TAG}'}}")
    assert load_stack().images == ("mine:file",)
    assert load_stack(env={"TAG": "load"}).images == ("mine:load",)


@pytest.mark.security
@pytest.mark.parametrize(
    "argv",
    [["docker", "buildx", "bake"], ["docker", "pull"], ["git"], ["dive"], ["trivy"], ["python3"]],
    ids=" ".join,
)
def test_no_other_program_gets_more_than_it_needs(argv: list[str]) -> None:
    environment = {**JOB, **PLAIN, "HOME": "/root", "HTTPS_PROXY": "http://proxy"}
    environment |= {"TRIVY_IGNOREFILE": "x", "HADOLINT_IGNORE": "x", "PYTHONPATH": "."}
    chosen = choose_variables(argv, environment)
    logins = {"AWS_SECRET_ACCESS_KEY"} if argv[0] == "docker" else set()  # to a registry
    assert chosen.keys() == {"HOME", "HTTPS_PROXY", *logins}


def test_docker_gets_its_own_settings() -> None:
    environment = {"DOCKER_HOST": "tcp://x", "DOCKER_CONFIG": "/c", "SSH_AUTH_SOCK": "/s"}
    assert choose_variables(["docker", "save"], environment) == environment


@pytest.mark.security
@pytest.mark.parametrize("entry", ["", ".", "bin", "{}/bin", "{}/../checkout/bin", "{}/deep/.."])
@pytest.mark.parametrize("name", ["docker", "git", "dive", "trivy", "hadolint"])
def test_a_checkout_brings_no_program(
    name: str, entry: str, checkout: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for place in (checkout, checkout / "bin"):
        program(place / name, "echo the checkout's")
    own = program(tmp_path / "own" / name, "echo ours")
    path = os.pathsep.join((entry.format(checkout), str(own.parent), "/usr/bin", "/bin"))
    monkeypatch.setenv("PATH", path)
    monkeypatch.setattr(sys, "executable", str(tmp_path / "nowhere/python"))
    assert run([name]).stdout == "ours\n"
    assert find_program(name) == str(own)
    own.unlink()
    monkeypatch.setenv("PATH", f"{entry.format(checkout)}{os.pathsep}/nowhere")
    with pytest.raises(CommandError, match="not installed or not on PATH"):
        run([name])


@pytest.mark.security
def test_a_link_into_the_checkout_is_the_checkout(
    checkout: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    program(checkout / "bin" / "dive")
    (tmp_path / "link").symlink_to(checkout / "bin")
    monkeypatch.setenv("PATH", str(tmp_path / "link"))
    with pytest.raises(CommandError, match="not installed or not on PATH"):
        run(["dive"])


def test_a_home_that_is_a_repository_is_no_checkout(
    checkout: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    own = program(checkout / ".local/bin" / "dive")
    monkeypatch.setenv("HOME", str(checkout))
    monkeypatch.setenv("PATH", str(own.parent))
    (checkout / "deep").mkdir()
    monkeypatch.chdir(checkout / "deep")
    assert run(["dive"]).code == 0


def test_a_user_without_a_home_runs_programs_all_the_same(
    checkout: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Path, "home", lambda: (_ for _ in ()).throw(RuntimeError))
    monkeypatch.chdir(checkout)
    assert run(["true"]).code == 0


@pytest.mark.security
@pytest.mark.parametrize(
    "name",
    [
        *("PATH", "HOME", "TMPDIR", "LD_PRELOAD", "DYLD_INSERT_LIBRARIES", "DOCKER_HOST"),
        *("COMPOSE_FILE", "BUILDX_BUILDER", "BUILDKIT_HOST", "GIT_SSH_COMMAND", "PYTHONPATH"),
        *("XDG_CONFIG_HOME", "SSL_CERT_FILE", "http_proxy", "NO_PROXY", "GITHUB_TOKEN", "Path"),
        *("ACTIONS_RUNTIME_TOKEN", "RUNNER_TEMP", "TRIVY_CONFIG", "DIVE_CONFIG", "HADOLINT_IGNORE"),
        *("BASH_ENV", "ENV", "GCONV_PATH", "GODEBUG", "SSH_AUTH_SOCK", "ONEGIG_BOX"),
    ],
)
def test_budgets_set_no_variable_that_steers_programs(name: str) -> None:
    text = f"version: 1\nload:\n  service: a\n  command: [x]\n  environment:\n    {name}: x\n"
    with pytest.raises(ConfigError) as caught:
        parse_budgets("budgets.yml", text.encode())
    assert caught.value.detail == (
        f"budgets.yml:6: load.environment.{name}: would affect programs on this "
        "machine; use another name in the compose file"
    )


@pytest.mark.parametrize("name", ["MARKET_URL", "NODE_ENV", "TZ", "PATHS", "HOMEPAGE", "TARGET"])
def test_budgets_set_what_only_a_stack_reads(name: str) -> None:
    text = f"version: 1\nload: {{service: a, command: [x], environment: {{{name}: y}}}}\n"
    load = parse_budgets("budgets.yml", text.encode()).load
    assert load is not None
    assert load.environment == ((name, "y"),)
