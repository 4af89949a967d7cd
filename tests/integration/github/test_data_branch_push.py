"""Pushes to the data branch: several at once lose nothing, and the token stays secret."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

import onegig
from git_remotes import BRANCH, Remote, Sleeps, baseline, history, publish
from git_server import CREDENTIAL, TOKEN, serve
from histories import entry
from onegig.errors import ConfigError, ExitCode, GithubPermissionError, OnegigError, PublishError
from onegig.github import data_branch
from onegig.github.data_branch import MOST_ATTEMPTS, PassingError, Plumbing, Published, Target
from onegig.model.codec import to_line

REJECT_ONCE = 'test -e refused || { touch refused; echo "not now" >&2; exit 1; }'


def test_push_is_tried_again_and_keeps_what_others_added_meanwhile(remote: Remote) -> None:
    publish(remote, entry(1))
    remote.hook(REJECT_ONCE)
    clock = Sleeps(lambda: publish(remote, entry(2)))
    assert publish(remote, entry(3), clock=clock).attempts == 2
    assert history(remote) == [1, 2, 3]


def test_branch_that_somebody_else_creates_first_is_added_to(remote: Remote) -> None:
    remote.hook(REJECT_ONCE)
    clock = Sleeps(lambda: publish(remote, entry(2)))
    done = publish(remote, entry(1), clock=clock)
    assert (history(remote), done.created, done.attempts) == ([1, 2], False, 2)


@pytest.mark.parametrize("before", [(), (1,)])
def test_what_was_not_read_is_never_pushed_over(
    remote: Remote, before: tuple[int, ...], tmp_path: Path
) -> None:
    for number in before:
        publish(remote, entry(number))
    (tmp_path / "git").mkdir()
    slow = Plumbing(tmp_path / "git", Target(remote=str(remote.path), branch=BRANCH))
    base = slow.fetch()
    ours = slow.commit(base, {"history.jsonl": to_line(entry(3))}, "slow")
    publish(remote, entry(2))
    assert "rejected" in slow.push(ours, base)
    assert history(remote) == [*before, 2]


def test_several_at_once_lose_nothing(remote: Remote, tmp_path: Path) -> None:
    script = (
        "import sys; from pathlib import Path; import random\n"
        "from histories import entry\n"
        "from onegig.github.client import SystemClock\n"
        "from onegig.github.data_branch import publish\n"
        "from onegig.github.data_branch import Target\n"
        "target = Target(remote=sys.argv[1], branch='onegig-data')\n"
        "for n in sys.argv[2:]:\n"
        "    publish(entry(int(n)), target, clock=SystemClock(), jitter=random.random)\n"
    )
    paths = [str(Path(onegig.__file__).parents[1]), str(Path(__file__).parents[2])]
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(paths)}
    running = [
        subprocess.Popen(
            [sys.executable, "-c", script, str(remote.path), *map(str, numbers)], env=environment
        )
        for numbers in ((1, 4), (2, 5), (3, 6))
    ]
    assert [item.wait(timeout=120) for item in running] == [0, 0, 0]
    assert history(remote) == [1, 2, 3, 4, 5, 6]
    assert baseline(remote) == entry(6)


def test_trying_again_ends(remote: Remote) -> None:
    publish(remote, entry(1))
    before = remote.head()
    remote.hook('echo "closed on Sundays" >&2; exit 1')
    clock = Sleeps()
    with pytest.raises(PublishError, match="the push was refused") as caught:
        publish(remote, entry(2), clock=clock)
    assert "closed on Sundays" in caught.value.detail
    assert caught.value.exit_code is ExitCode.INCOMPLETE
    assert len(clock.seconds) == MOST_ATTEMPTS - 1
    assert clock.seconds == sorted(clock.seconds)
    assert sum(clock.seconds) < 120
    assert remote.head() == before


def test_rule_that_forbids_the_push_is_told_at_once(remote: Remote) -> None:
    remote.hook('echo "error: GH013: Repository rule violations found" >&2; exit 1')
    clock = Sleeps()
    with pytest.raises(PublishError, match="a rule of the repository forbids") as caught:
        publish(remote, entry(1), clock=clock)
    assert "force pushes" in caught.value.advice
    assert clock.seconds == []


pytestmark = pytest.mark.security

TRACES = ("GIT_TRACE", "GIT_TRACE_CURL", "GIT_TRACE_SETUP", "GIT_CURL_VERBOSE", "GIT_TRACE2")
RECORDER = """\
#!/bin/sh
for word; do printf '%s\\n' "$word"; done >> {log}
exec {git} "$@"
"""


def push(url: str, *, server: str, token: str = TOKEN, clock: Sleeps | None = None) -> Published:
    target = Target(remote=url, branch=BRANCH, server_url=server, token=token)
    return data_branch.publish(entry(1), target, clock=clock or Sleeps(), jitter=lambda: 0.5)


def all_text(error: OnegigError) -> str:
    """Everything that could be printed of an error, its chain included."""
    text = [repr(error), error.message, error.command, error.advice, error.detail]
    if error.__cause__ or not error.__suppress_context__:
        text.append(repr(vars(error.__cause__ or error.__context__ or error)))
    return "\n".join(text)


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


@pytest.mark.parametrize("name", ["https://github.com", ""], ids=["another", "begins the same"])
def test_another_server_does_not_see_the_token(remote: Remote, tmp_path: Path, name: str) -> None:
    with serve(tmp_path) as server, pytest.raises(OnegigError):
        push(f"{server.url}/octo/stack.git", server=name or server.url[:-1])
    assert set(server.authorizations) == {None}


@pytest.mark.usefixtures("traced")
@pytest.mark.parametrize(
    ("status", "message"), [(401, "could not read Username"), (403, "you sent basic *** for ***")]
)
def test_missing_permission_is_told_with_the_yaml_that_grants_it(
    remote: Remote, tmp_path: Path, status: int, message: str
) -> None:
    clock = Sleeps()
    with serve(tmp_path) as server:
        server.status = status
        with pytest.raises(GithubPermissionError, match="does not let onegig") as caught:
            push(f"{server.url}/octo/stack.git", server=server.url, clock=clock)
    assert "contents: write" in caught.value.advice
    assert caught.value.exit_code is ExitCode.CONFIG
    assert len(clock.seconds) == 0
    assert message in caught.value.detail
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
    assert len(clock.seconds) == MOST_ATTEMPTS - 1
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
