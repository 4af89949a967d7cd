"""The full Debian Python that examples/before starts from, and what the example is pinned to."""

import re

from onegig.dockerfiles.proposal import PINNED
from setup_machine import PROJECT, Machine, refusal

SCRIPT = "scripts/bases/full-python"
IMAGE = "onegig-local/python:3.13"
DOCKER = """
case "$1 $2" in
    "image inspect") cat {root}/recipe 2>/dev/null || exit 1 ;;
    "import --change") printf '%s' "${{@: -2:1}}" | sed 's/.*[/]//; s/[.]tar$//' >{root}/recipe ;;
esac
"""
MMDEBSTRAP = """
for word; do case $word in *.new) : >"$word" ;; esac; done
"""


def prepare(machine: Machine) -> None:
    root = str(machine.root).replace(" ", "\\ ")
    machine.program("docker", DOCKER.format(root=root))
    machine.program("mmdebstrap", MMDEBSTRAP)


def test_it_is_made_once_and_an_engine_that_lost_it_gets_it_again(machine: Machine) -> None:
    prepare(machine)
    first = machine.run(SCRIPT)
    assert first.returncode == 0, first.stderr
    (imported,) = machine.calls("docker import")
    assert imported.endswith(IMAGE)
    assert "LABEL onegig.base='assembled locally'" in imported
    (assembled,) = machine.calls("mmdebstrap")
    assert re.search(r"gcc,.*python3,.* trixie ", assembled)
    again = machine.run(SCRIPT)
    assert (again.returncode, again.stderr) == (0, "")
    assert len(machine.calls("docker import")) == 1
    (machine.root / "recipe").unlink()
    assert machine.run(SCRIPT).returncode == 0
    assert len(machine.calls("docker import")) == 2
    assert len(machine.calls("mmdebstrap")) == 1


def test_what_could_not_be_assembled_leaves_nothing(machine: Machine) -> None:
    prepare(machine)
    machine.program("mmdebstrap", "echo 'E: no mirror' >&2; exit 1")
    message = refusal(machine.run(SCRIPT))
    assert "E: no mirror" in message
    assert "Debian 13 could not be assembled" in message
    assert [*(machine.root / "cache/onegig/full-python").glob("*.tar*")] == []
    assert machine.calls("docker import") == []


def test_only_root_on_debian_can(machine: Machine) -> None:
    prepare(machine)
    script = machine.project / "scripts/setup/packages.sh"
    script.write_text(script.read_text() + "\nis_root() { false; }\n")
    assert "docker pull python:3.13" in refusal(machine.run(SCRIPT))


def test_proposals_and_the_example_are_pinned_to_the_same_images() -> None:
    lines = (PROJECT / "scripts/bases/images.env").read_text().splitlines()
    pins = dict(line.split("=", 1) for line in lines if not line.startswith("#"))
    name, _, digest = pins["PYTHON_IMAGE"].partition("@")
    assert PINNED[name] == digest
    assert pins["VALKEY_IMAGE"] in (PROJECT / "examples/before/compose.yml").read_text()
