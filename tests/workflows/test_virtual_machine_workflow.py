"""full-stack.yml as it runs by itself: in a virtual machine, which is rebooted in the end."""

import json
import os

import pytest

import events
from act import Act
from twins import NEEDS_TWIN

pytestmark = [
    *NEEDS_TWIN,
    pytest.mark.skipif(os.geteuid() != 0, reason="QEMU is installed by root"),
]


def test_a_long_look_at_a_virtual_machine(act: Act) -> None:
    payload = events.workflow_dispatch(machine="twin", minutes="0.02", repeats="1", reboot="true")
    ran = act.run("full-stack.yml", "workflow_dispatch", payload, act.forge.git("rev-parse", "@"))
    assert ran.jobs == {"measure": "success"}, ran.log
    report = json.loads(ran.artifact("onegig-report")["report.json"])
    assert "--on twin --window 1.2 --repeats 1 --update-database --reboot" in report["reproduce"]
    assert report["memory"]["twin"]["guest"]["accelerator"] in {"kvm", "tcg"}
    assert report["memory"]["reboot"]["peak_bytes"] > 0
    assert "of 512 MB" in ran.summary
