"""A pull request is not vouched for if it decides how it is measured: by content, not by names."""

from collections.abc import Mapping
from dataclasses import dataclass, field

import pytest

from gate_runs import GATE, HERE, OWN_GATE, Open, Post, open_scene
from github.git_trees import SUBMODULE
from github.stand_in import StandIn
from onegig.github.trusted.gate_files import local_actions, scripts

LINK = "120000"
OWN = OWN_GATE.read_text(encoding="utf-8")
ACTION_GATE = """\
name: gate
on: pull_request
jobs:
  gate:
    runs-on: ubuntu-24.04
    steps:
      - uses: actions/checkout@3d3c42e5aac5ba805825da76410c181273ba90b1
      - uses: octo/onegig@0123456789012345678901234567890123456789
        with: {budgets: budgets.yml}
"""
LOCAL_GATE = f"{ACTION_GATE}      - uses: ./tools/measure\n"
ROOT_GATE = f"{ACTION_GATE}      - uses: ./\n"
MAKE_GATE = f"{ACTION_GATE}      - run: make -s gate\n"
NESTED = {
    "tools/measure/action.yml": "runs: {using: composite, steps: [{uses: ./tools/inner}]}\n",
    "tools/inner/action.yml": "runs: {using: composite, steps: [{run: ./ops/go.sh}]}\n",
    "ops/go.sh": "onegig check\n",
}


@dataclass(frozen=True, kw_only=True, slots=True)
class Case:
    """A change to what measures. `shown` is the path that is named."""

    shown: str
    gate: str = OWN
    before: Mapping[str, str] = field(default_factory=dict)
    before_modes: Mapping[str, str] = field(default_factory=dict)
    files: Mapping[str, str] = field(default_factory=dict)
    modes: Mapping[str, str] = field(default_factory=dict)


CASES = {
    "the workflow": Case(shown=GATE, files={GATE: "on: push\n"}),
    "another workflow": Case(
        shown=".github/workflows/more.yml", files={".github/workflows/more.yml": "on: push\n"}
    ),
    "a script": Case(
        shown="scripts/check", before={"scripts/check": "a"}, files={"scripts/check": "echo GO"}
    ),
    "a module below a script's folder": Case(
        shown="scripts/onegig/judge.py",
        before={"scripts/check": "a", "scripts/onegig/judge.py": "a"},
        files={"scripts/onegig/judge.py": "b"},
    ),
    "a new script": Case(
        shown="scripts/sitecustomize.py",
        before={"scripts/check": "a"},
        files={"scripts/sitecustomize.py": "b"},
    ),
    "the target of a link among the scripts": Case(
        shown="tools/real.py",
        before={"scripts/check": "../tools/real.py", "tools/real.py": "a"},
        before_modes={"scripts/check": LINK},
        files={"tools/real.py": "b"},
    ),
    "the target of a link to a link": Case(
        shown="c/real",
        before={"scripts/a": "../b", "b": "c", "c/real": "a"},
        before_modes={"scripts/a": LINK, "b": LINK},
        files={"c/real": "b"},
    ),
    "a folder of scripts that is a link": Case(
        shown="src/check",
        before={"scripts": "src", "src/check": "a"},
        before_modes={"scripts": LINK},
        files={"src/check": "b"},
    ),
    "a script that becomes a link": Case(
        shown="scripts/check",
        before={"scripts/check": "a"},
        files={"scripts/check": "../evil"},
        modes={"scripts/check": LINK},
    ),
    "a submodule's commit": Case(
        shown="scripts/lib",
        before={"scripts/lib": "a" * 40, ".gitmodules": "x"},
        before_modes={"scripts/lib": SUBMODULE},
        files={"scripts/lib": "b" * 40},
        modes={"scripts/lib": SUBMODULE},
    ),
    "where a submodule comes from": Case(
        shown=".gitmodules",
        before={"scripts/lib": "a" * 40, ".gitmodules": "x"},
        before_modes={"scripts/lib": SUBMODULE},
        files={".gitmodules": "y"},
    ),
    "a local action": Case(
        shown="tools/measure/run.js",
        gate=LOCAL_GATE,
        before={**NESTED, "tools/measure/run.js": "a"},
        files={"tools/measure/run.js": "b"},
    ),
    "a script of an action of a local action": Case(
        shown="ops/lib.sh", gate=LOCAL_GATE, before=NESTED, files={"ops/lib.sh": "b"}
    ),
    "the action at the root": Case(
        shown="action.yml", gate=ROOT_GATE, before={"action.yml": "a"}, files={"action.yml": "b"}
    ),
    "what set-up installs by": Case(
        shown="setup.py", before={"scripts/setup/venv.sh": "a"}, files={"setup.py": "evil()"}
    ),
    "what a script looks like once it is checked out": Case(
        shown=".gitattributes", files={".gitattributes": "scripts/* working-tree-encoding=UTF-7"}
    ),
    "the same for one folder": Case(
        shown=".github/.gitattributes", files={".github/.gitattributes": "* eol=crlf"}
    ),
    "a script behind a wrapper": Case(
        shown="tools/x.sh",
        gate=f"{ACTION_GATE}      - run: timeout 600 tools/x.sh --hard\n",
        before={"tools/x.sh": "a"},
        files={"tools/x.sh": "b"},
    ),
    "a script beside one that runs where a step works": Case(
        shown="tools/lib.sh",
        gate=f"{ACTION_GATE}      - run: cd tools && bash -eu -o pipefail x.sh\n",
        before={"tools/x.sh": "a", "tools/lib.sh": "a"},
        files={"tools/lib.sh": "b"},
    ),
    "what the shell of a step is": Case(
        shown="tools/wrap",
        gate=f"{ACTION_GATE}      - {{run: onegig check, shell: 'bash tools/wrap {{0}}'}}\n",
        before={"tools/wrap": "a"},
        files={"tools/wrap": "b"},
    ),
    "what a variable of a step points to": Case(
        shown="tools/env",
        gate=f"{ACTION_GATE}      - {{run: onegig check, env: {{BASH_ENV: ./tools/env}}}}\n",
        before={"tools/env": "a"},
        files={"tools/env": "b"},
    ),
    "a makefile": Case(shown="Makefile", gate=MAKE_GATE, files={"Makefile": "gate:\n"}),
    "an environment that is committed": Case(
        shown=".venv/bin", files={".venv/bin/onegig": "#!/bin/sh"}
    ),
}


@pytest.mark.security
@pytest.mark.parametrize("name", CASES)
def test_what_measures_has_to_be_the_base_branchs(judged: Open, name: str) -> None:
    case = CASES[name]
    scene = judged(
        head_repository=HERE,
        before={GATE: case.gate, **case.before},
        before_modes=case.before_modes,
        files=case.files,
        modes=case.modes,
    )
    assert f"changes how it is measured:** `{case.shown}" in scene.only_body()
    assert scene.standing() == "pending"


@pytest.mark.security
def test_budgets_behind_a_link(judged: Open) -> None:
    """GitHub answers with the file that a link leads to, which is what changes."""
    scene = judged(head_repository=HERE, files={"budgets.yml": "measure: {hz: 1}\n"})
    assert scene.standing() == "pending"
    assert "this pull request changes how it is measured" in scene.status()


@pytest.mark.security
def test_budgets_that_only_the_gate_can_read(judged: Open) -> None:
    """A link to a file of the runner, say: what the gate found there is not known."""
    scene = judged(head_repository=HERE, files={"budgets.yml": "/tmp/budgets.yml"})
    assert scene.standing() == "pending"


@pytest.mark.security
def test_a_folder_too_large_to_compare_is_not_vouched_for(stand_in: StandIn, tell: Post) -> None:
    scene = open_scene(stand_in, head_repository=HERE)
    scene.state.truncated_trees = True
    scene.upload()
    tell(scene.event())
    assert "what measures could not be compared" in scene.only_body()
    assert scene.standing() == "pending"


@pytest.mark.parametrize(
    "files",
    [
        {"services/app.py": "b"},
        {"compose.yml": "services: {}"},
        {"docs/scripts/check": "b"},
        {"Makefile": "all:\n"},
        {"deploy/compose.yml": "services: {}"},
    ],
)
def test_the_stack_may_change(judged: Open, files: dict[str, str]) -> None:
    gate = f"{ACTION_GATE}      - run: onegig check --compose deploy/compose.yml\n"
    before = {GATE: gate, "deploy/compose.yml": "services: {a: {}}"}
    scene = judged(head_repository=HERE, before=before, files=files)
    assert scene.standing() == "success"


def test_scripts_of_a_repository_whose_gate_runs_none(judged: Open) -> None:
    scene = judged(
        head_repository=HERE,
        before={GATE: ACTION_GATE},
        files={"scripts/deploy.sh": "b", "pyproject.toml": "c"},
    )
    assert scene.standing() == "success"


def test_what_the_base_branch_changed_meanwhile(stand_in: StandIn, tell: Post) -> None:
    """A branch that lags behind is measured by the base branch's scripts anyway."""
    scene = open_scene(stand_in, head_repository=HERE, before={"scripts/check": "old"})
    state, head = scene.state, scene.run.head_sha
    newer = state.commit({"scripts/check": "new"}, branch="main", message="Meanwhile")
    merge = state.commit(parents=(newer, head), message="Merged anew")
    scene.pull.merge_sha = merge
    scene.upload(measured_sha=merge, base_sha=newer)
    tell(scene.event())
    assert scene.standing() == "success"


@pytest.mark.security
def test_a_merge_that_takes_an_old_script(stand_in: StandIn, tell: Post) -> None:
    """Of several merge bases GitHub names one; what counts is what its merge has."""
    scene = open_scene(stand_in, head_repository=HERE, before={"scripts/check": "old"})
    state, head = scene.state, scene.run.head_sha
    newer = state.commit({"scripts/check": "new"}, branch="main", message="Meanwhile")
    merge = state.commit({"scripts/check": "old"}, parents=(newer, head), message="Merged anew")
    scene.pull.merge_sha = merge
    scene.upload(measured_sha=merge, base_sha=newer)
    tell(scene.event())
    assert scene.standing() == "pending"
    assert "`scripts/check`" in scene.only_body()


@pytest.mark.security
def test_a_tag_named_like_the_base_branch_changes_no_limits(stand_in: StandIn, tell: Post) -> None:
    scene = open_scene(stand_in, head_repository=HERE)
    loose = {"budgets.yml": "version: 1\nmemory: {limit: 300MB}\n"}
    scene.state.tags["main"] = scene.state.commit(loose, parents=(scene.base,), message="Tagged")
    scene.upload()
    tell(scene.event())
    assert "GO: 460 of 1,024 MB" in scene.only_body()
    assert scene.standing() == "success"


@pytest.mark.parametrize(
    ("run", "found"),
    [
        ("scripts/check --github", ("scripts",)),
        ('"$GITHUB_ACTION_PATH/scripts/setup/venv.sh" runtime', ("scripts/setup",)),
        ("bash ci/a.sh && ./b.sh", ("ci", "b.sh")),
        ("sudo env A=1 B=2 ops/go", ("ops",)),
        ("python -I -m tools.gate", ("tools/gate.py", "tools")),
        ("if ! just gate; then exit 1; fi", ("justfile", "Justfile", ".justfile")),
        ("cd x\n../y/z.sh\n/opt/tool\n~/tool", ()),
        ("onegig check --compose deploy/compose.yml", ()),
        ("docker run x; echo $(tools/version)", ("tools",)),
    ],
)
def test_scripts_that_a_step_runs(run: str, found: tuple[str, ...]) -> None:
    text = f"jobs: {{a: {{steps: [{{run: {run!r}}}]}}}}".replace("\\n", "\n\n")
    assert scripts("action.yml", text) == found


@pytest.mark.security
def test_what_set_up_installs_by_counts_in_this_repository() -> None:
    """No step names it, and it says what the command onegig is."""
    comment = OWN_GATE.with_name("comment.yml").read_text(encoding="utf-8")
    assert "onegig comment --measuring pyproject.toml" in comment


def test_a_folder_that_steps_work_in_counts() -> None:
    text = "defaults: {run: {working-directory: ops}}\njobs: {a: {steps: [{run: ./x.sh}]}}\n"
    assert set(scripts(GATE, text)) == {"x.sh", "ops/x.sh"}


def test_local_actions_and_workflows() -> None:
    uses = ["./a/b", "$/c", "./.github/workflows/d.yml", "./", "./../e", "f/g@v1", "docker://h"]
    text = f"jobs: {{x: {{steps: {[{'uses': action} for action in uses]}}}}}"
    assert set(local_actions(GATE, text)) == {"a/b", "c", ".github/workflows/d.yml", "."}
