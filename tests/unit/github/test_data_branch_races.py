"""Several publish to the data branch at once, or are refused: nothing of anybody's is lost."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

import onegig
from git_remotes import BRANCH, Remote, Sleeps, baseline, history, publish
from histories import entry
from onegig.errors import ExitCode, PublishError
from onegig.github.data_branch import MOST_ATTEMPTS, Plumbing, Target
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
    assert [one.wait(timeout=120) for one in running] == [0, 0, 0]
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
