"""The token reaches the server it is for, and no other one, no argument list and no error."""

import os
import subprocess
from pathlib import Path

import pytest

from git_remotes import BRANCH, Remote
from git_server import CREDENTIAL, TOKEN, serve
from histories import entry
from onegig.errors import ConfigError, ExitCode, GithubPermissionError, OnegigError
from onegig.github.data_branch import MOST_ATTEMPTS, PassingError, Published, Target, publish

pytestmark = pytest.mark.security

TRACES = ("GIT_TRACE", "GIT_TRACE_CURL", "GIT_TRACE_SETUP", "GIT_CURL_VERBOSE", "GIT_TRACE2")
RECORDER = """\
#!/bin/sh
for word; do printf '%s\\n' "$word"; done >> {log}
exec {git} "$@"
"""


class Sleeps:
    def __init__(self) -> None:
        self.count = 0

    def now(self) -> float:
        return 0.0

    def sleep(self, seconds: float) -> None:
        self.count += 1


def push(url: str, *, server: str, token: str = TOKEN, clock: Sleeps | None = None) -> Published:
    target = Target(remote=url, branch=BRANCH, server_url=server, token=token)
    return publish(entry(1), target, clock=clock or Sleeps(), jitter=lambda: 0.5)


def all_text(error: OnegigError) -> str:
    """Everything that could be printed of an error, its chain included."""
    told = [repr(error), error.message, error.command, error.advice, error.detail]
    if error.__cause__ or not error.__suppress_context__:
        told.append(repr(vars(error.__cause__ or error.__context__ or error)))
    return "\n".join(told)


@pytest.fixture
def traced(monkeypatch: pytest.MonkeyPatch) -> None:
    """Git tells all it does, as somebody who looks for a mistake makes it."""
    for name in TRACES:
        monkeypatch.setenv(name, "1")
    monkeypatch.setenv("GIT_TRACE_REDACT", "0")


def test_push_through_a_server_that_wants_the_token(remote: Remote, tmp_path: Path) -> None:
    with serve(tmp_path) as server:
        done = push(f"{server.url}/octo/stack.git", server=server.url)
    assert done.commit == remote.head()
    assert f"{server.url}/octo/stack/raw/onegig-data/badge.svg" in remote.read("README.md")


def test_header_of_the_machine_does_not_double_ours(
    remote: Remote, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with serve(tmp_path) as server:
        config = tmp_path / "gitconfig"
        config.write_text(f'[http "{server.url}/"]\n\textraheader = AUTHORIZATION: basic b2xk\n')
        monkeypatch.setenv("GIT_CONFIG_GLOBAL", str(config))
        push(f"{server.url}/octo/stack.git", server=server.url)
        assert set(server.authorizations) == {f"basic {CREDENTIAL}"}


def test_another_server_does_not_see_the_token(remote: Remote, tmp_path: Path) -> None:
    with serve(tmp_path) as server, pytest.raises(OnegigError):
        push(f"{server.url}/octo/stack.git", server="https://github.com")
    assert set(server.authorizations) == {None}


def test_server_whose_name_only_begins_the_same_does_not_see_the_token(
    remote: Remote, tmp_path: Path
) -> None:
    with serve(tmp_path) as server, pytest.raises(OnegigError):
        push(f"{server.url}/octo/stack.git", server=server.url[:-1])
    assert set(server.authorizations) == {None}


@pytest.mark.usefixtures("traced")
@pytest.mark.parametrize(
    ("status", "said"), [(401, "could not read Username"), (403, "you sent basic *** for ***")]
)
def test_missing_permission_is_told_with_the_yaml_that_grants_it(
    remote: Remote, tmp_path: Path, status: int, said: str
) -> None:
    clock = Sleeps()
    with serve(tmp_path) as server:
        server.status = status
        with pytest.raises(GithubPermissionError, match="does not let onegig") as caught:
            push(f"{server.url}/octo/stack.git", server=server.url, clock=clock)
    assert "contents: write" in caught.value.advice
    assert caught.value.exit_code is ExitCode.CONFIG
    assert clock.count == 0
    assert said in caught.value.detail
    assert TOKEN not in all_text(caught.value)
    assert CREDENTIAL not in all_text(caught.value)


@pytest.mark.usefixtures("traced")
def test_server_in_trouble_is_asked_again_and_the_error_keeps_the_secret(
    remote: Remote, tmp_path: Path
) -> None:
    clock = Sleeps()
    with serve(tmp_path) as server:
        server.status = 502
        with pytest.raises(PassingError) as caught:
            push(f"{server.url}/octo/stack.git", server=server.url, clock=clock)
    assert clock.count == MOST_ATTEMPTS - 1
    assert "502" in caught.value.detail
    assert TOKEN not in all_text(caught.value)
    assert CREDENTIAL not in all_text(caught.value)


@pytest.mark.usefixtures("traced")
def test_server_that_is_not_there_is_told_without_the_token(remote: Remote) -> None:
    with pytest.raises(PassingError) as caught:
        push("http://127.0.0.1:1/octo/stack", server="http://127.0.0.1:1")
    assert TOKEN not in all_text(caught.value)
    assert "127.0.0.1:1" in caught.value.message


def test_token_is_in_no_argument_list(
    remote: Remote, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    log, folder = tmp_path / "arguments", tmp_path / "bin"
    folder.mkdir()
    git = subprocess.run(["which", "git"], capture_output=True, text=True, check=True).stdout
    (folder / "git").write_text(RECORDER.format(log=log, git=git.strip()))
    (folder / "git").chmod(0o755)
    monkeypatch.setenv("PATH", f"{folder}{os.pathsep}{os.environ['PATH']}")
    with serve(tmp_path) as server:
        push(f"{server.url}/octo/stack.git", server=server.url)
    seen = log.read_text()
    assert "push" in seen.splitlines()
    assert TOKEN not in seen
    assert CREDENTIAL not in seen


def test_token_is_not_in_what_is_printed_of_a_target() -> None:
    assert TOKEN not in repr(Target(remote="x", branch=BRANCH, token=TOKEN))


@pytest.mark.parametrize("url", ["https://me:hunter2@github.com/o/r", "HTTPS://:hunter2@host/r"])
def test_password_in_the_url_is_refused_and_not_repeated(url: str, remote: Remote) -> None:
    with pytest.raises(ConfigError, match="holds a password") as caught:
        push(url, server="https://github.com")
    assert "hunter2" not in all_text(caught.value)
    assert "GITHUB_TOKEN" in caught.value.advice
