"""From a push to main to the comment on the next pull request: every workflow's real output."""

import re

import pytest

import events
from act import Act, Ran
from examples import EXAMPLES, filled_in
from forge import FILES, MAIN
from gate_runs import event
from github.stand_in import StandIn
from github.state import Commit

pytestmark = pytest.mark.engine

LARGER = FILES["Dockerfile"] + "COPY more.bin /more.bin\n"


@pytest.fixture(params=["here", "elsewhere"])
def act(act: Act, request: pytest.FixtureRequest) -> Act:
    """act in this repository, then in another one that copied the examples."""
    if request.param == "elsewhere":
        act.forge.move_out({name: filled_in(name) for name in EXAMPLES})
    return act


def tell(act: Act, github: StandIn) -> None:
    """GitHub knows the commits and branches that were pushed."""
    git = act.forge.git
    git("fetch", "--quiet", "origin", "+refs/*:refs/origin/*")
    for line in git("rev-list", "--parents", "--glob=refs/origin").splitlines():
        sha, *parents = line.split()
        names = [n for n in git("ls-tree", "--name-only", sha).splitlines() if "." in n[1:]]
        files = {name: git("show", f"{sha}:{name}") + "\n" for name in names}
        github.state.commits[sha] = Commit(sha=sha, parents=tuple(parents), files=files)
    for line in git("for-each-ref", "--format=%(refname) %(objectname)").splitlines():
        if branch := re.fullmatch(r"refs/origin/heads/(\S+) (\S+)", line):
            github.state.branches[branch[1]] = branch[2]


def finish(act: Act, github: StandIn, gate: Ran, **run: str) -> Ran:
    """What follows the gate's run: its artifact is kept, its end is told."""
    tell(act, github)
    known = github.state.run(conclusion=gate.jobs["gate"], **run)
    archive = gate.artifacts / "onegig-numbers.zip"
    github.state.artifact(known, "onegig-numbers", archive.read_bytes())
    payload = events.workflow_run(event(github.state, known))
    return act.run("comment.yml", "workflow_run", payload, act.forge.git("rev-parse", MAIN))


def test_a_pull_request_is_compared_with_main(act: Act, github: StandIn) -> None:
    before, after = act.forge.push({"hello.txt": "hi\n"})
    pushed = act.run("gate.yml", "push", events.push(before, after), after)
    assert pushed.jobs["gate"] == "success", pushed.log
    data = finish(act, github, pushed, event="push", head_branch=MAIN, head_sha=after)
    assert data.jobs == {"data": "success"}, data.log

    pull = act.forge.open_pull({"more.bin": "x" * 2_000_000, "Dockerfile": LARGER})
    tell(act, github)
    checked = act.run("gate.yml", "pull_request", events.pull_request(pull), pull.merge_sha)
    assert checked.jobs["gate"] == "success", checked.log
    assert after[:10] in checked.summary

    github.state.pull(head_sha=pull.head_sha, base_sha=pull.base_sha, head_ref=pull.branch)
    told = finish(act, github, checked, head_sha=pull.head_sha, head_branch=pull.branch)
    assert told.jobs == {"comment": "success"}, told.log
    ((comment,), status) = github.state.comments.values(), github.state.statuses[-1]
    assert "| ✅ Disk | 11 MB | +2 MB |" in comment.body.replace("\N{NO-BREAK SPACE}", " ")
    assert (status.sha, status.state) == (pull.head_sha, "success")
