"""A start on a machine whose engine stops answering."""

import os
from pathlib import Path
from unittest.mock import Mock

import pytest

from onegig.engine.owned import Run
from onegig.errors import BootError
from onegig.machine.machine import BootPlan
from onegig.machine.project import BoxProject
from onegig.machine.start import start_stack
from onegig.machine.watch import Watch
from onegig.model.budgets import Budgets
from onegig.model.measuring import Measure
from planned import plan_stack

SECONDS = 3.0
# Compose gives up the whole start; what it is asked for one by one never ends.
DOCKER = """\
#!/bin/sh
case $* in *--no-start*) echo "$*" >>{calls}; exec sleep 600 ;; esac
echo "Error response from daemon: context deadline exceeded" >&2
exit 1
"""


def test_an_engine_that_does_not_answer_can_not_start_the_stack(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    docker, calls = tmp_path / "docker", tmp_path / "calls"
    docker.write_text(DOCKER.format(calls=calls))
    docker.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path), prepend=os.pathsep)
    engine = Mock(environment={})
    engine.inspect.return_value = []  # no container
    plan = BootPlan(
        engine=engine,
        run=Run(name="onegig-0", owner="", directory=tmp_path),
        stack=plan_stack({"api": {}, "db": {}, "web": {}}),
        budgets=Budgets(path="", compose="", measure=Measure(healthy_timeout_seconds=SECONDS)),
        cap_bytes=0,
        memtotal_bytes=0,
        sold_bytes=0,
        say=lambda _line: None,
    )
    box = Mock(engine=engine, cap_bytes=0, oom_score_shift=0)
    with pytest.raises(BootError) as caught:
        start_stack(plan, BoxProject(directory=str(tmp_path)), box, Watch())
    assert caught.value.message.startswith("the engine of the stack did not answer within ")
    assert len(calls.read_text().splitlines()) == 1  # it takes all the time that is left
