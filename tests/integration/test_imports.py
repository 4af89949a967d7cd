"""What a service's imports cost, measured in its own image."""

import os
from dataclasses import replace

import pytest
from docker import DockerClient

from booting import MIB, MakeStack
from onegig.engine.engine import Engine
from onegig.engine.owned import new_run, remove_run
from onegig.errors import MeasureError
from onegig.memory.imports import measure_imports

PYTHON = os.environ.get("PYTHON_IMAGE", "onegig-local/python:3.13-alpine")
pytestmark = [pytest.mark.engine]

STARTS = """
import pathlib, sys, time
sys.path.insert(0, "/tmp")
pathlib.Path("/tmp/heavy.py").write_text("HELD = bytearray(b'x') * (20 << 20)")
pathlib.Path("/tmp/light.py").write_text("import heavy; HELD = bytearray(b'x') * (5 << 20)")
import light
time.sleep(600)
"""


def test_imports_of_a_service_in_its_image(client: DockerClient, make_stack: MakeStack) -> None:
    stack = make_stack(
        {
            "app": {"command": ["python", "-c", STARTS], "user": "1234"},
            "shell": {"command": ["echo", "nothing to import"]},
        }
    )
    app, shell = stack.services
    stack = replace(stack, services=(replace(app, image=PYTHON), shell))
    engine = Engine(client)
    with new_run() as run:
        try:
            costs = dict(measure_imports(engine, stack, "app", run, seconds=60))
            with pytest.raises(MeasureError, match="shell imported nothing within 2 s"):
                measure_imports(engine, stack, "shell", run, seconds=2)
            left = client.containers.list(all=True, filters={"name": f"{run.name}-imports"})
        finally:
            remove_run(engine, run)
    assert 20 * MIB <= costs["heavy"] < 22 * MIB
    assert 5 * MIB <= costs["light"] < 7 * MIB
    assert left == []
