"""Official base images where a registry answers, stand-ins where none does."""

import os
import re
import signal
import subprocess
from pathlib import Path

import pytest

from setup_machine import PROJECT, Machine, refusal

ENSURE = "scripts/bases/ensure"
STAND_INS = {
    "ONEGIG_BASES": "assembled locally",
    "ALPINE_IMAGE": "onegig-local/alpine:3.23",
    "PYTHON_IMAGE": "onegig-local/python:3.13-alpine",
    "VALKEY_IMAGE": "onegig-local/valkey:8-alpine",
}
# An engine whose images are lines of a file, and a registry that does what $PULL says.
DOCKER = """
images={root}/images
case "$1 $2" in
    "version --format") echo 26.1.5 ;;
    "compose version" | "buildx version") echo v2.26.1 v2.26.1 ;;
    "image inspect")
        shift 2
        [ "$1" != --format ] || {{ label=1; shift 2; }}
        for image; do
            grep -qxF "$image" "$images" 2>/dev/null || exit 1
            [ -z "$label" ] || cat {root}/recipe
        done ;;
    "pull "*) {pull} ;;
    "load --input") printf '%s\\n' {stand_ins} >>"$images" ;;
esac
"""
ANSWERS = 'echo "Pulling from library"; echo "${@: -1}" >>"$images"'
NO_SUCH_HOST = 'echo "Error response from daemon: no such host" >&2; exit 1'
SILENT = "exec sleep 50"


def official() -> dict[str, str]:
    """The pinned references of images.env."""
    lines = (PROJECT / "scripts/bases/images.env").read_text().splitlines()
    return dict(line.split("=", 1) for line in lines if not line.startswith("#"))


def prepare(machine: Machine, pull: str, *images: str) -> None:
    """An engine with these images; the stand-ins' layers are in the cache already."""
    stand_ins = " ".join(value for key, value in STAND_INS.items() if key != "ONEGIG_BASES")
    root = str(machine.root).replace(" ", "\\ ")
    machine.program("docker", DOCKER.format(root=root, pull=pull, stand_ins=stand_ins))
    (machine.root / "images").write_text("".join(f"{image}\n" for image in images))
    body = f'''BASES="{machine.project}/scripts/bases"; . "$BASES/assemble.sh"; recipe
        mkdir -p "$CACHE"; for p in alpine python valkey; do : >"$(layer $p)"; done'''
    result = machine.source("common.sh", body)
    assert result.returncode == 0, result.stderr
    (machine.root / "recipe").write_text(result.stdout)
    machine.make_venv()
    (machine.project / "scripts/setup/venv.sh").write_text("")


def chosen(machine: Machine) -> dict[str, str]:
    """What a shell that reads bases.env sees."""
    names = " ".join(STAND_INS)
    shown = machine.run(
        "bash", "-c", f'. "{machine.state}/bases.env"; for n in {names}; do echo "${{!n}}"; done'
    )
    return dict(zip(STAND_INS, shown.stdout.splitlines(), strict=True))


def test_official_images_on_the_engine_are_used_without_asking_a_registry(machine: Machine) -> None:
    prepare(machine, NO_SUCH_HOST, *official().values())
    result = machine.run(ENSURE)
    assert (result.returncode, result.stderr) == (0, "")
    assert chosen(machine) == {"ONEGIG_BASES": "official", **official()}
    assert machine.calls("docker pull") == []


def test_a_registry_that_answers_gives_all_three(machine: Machine) -> None:
    prepare(machine, ANSWERS)
    result = machine.run(ENSURE)
    assert result.returncode == 0, result.stderr
    assert chosen(machine) == {"ONEGIG_BASES": "official", **official()}
    assert len(machine.calls("docker pull")) == 3


@pytest.mark.parametrize(
    ("pull", "reason"),
    [(NO_SUCH_HOST, "Error response from daemon: no such host"), (SILENT, "it was silent for 1 s")],
)
def test_without_a_registry_stand_ins_are_used(machine: Machine, pull: str, reason: str) -> None:
    prepare(machine, pull)
    result = machine.run(ENSURE, ONEGIG_REGISTRY_SECONDS="1")
    assert result.returncode == 0, result.stderr
    assert f"no container registry answers: {reason}" in result.stderr
    assert chosen(machine) == STAND_INS
    assert len(machine.calls("docker pull")) == 1, "the others are not tried"


def test_a_silent_registry_is_asked_again_the_next_day_and_stand_ins_are_kept(
    machine: Machine,
) -> None:
    prepare(machine, NO_SUCH_HOST)
    machine.run(ENSURE)
    again = machine.run(ENSURE)
    assert (again.returncode, again.stderr) == (0, "")
    assert len(machine.calls("docker pull")) == 1
    os.utime(machine.root / "cache/onegig/bases/no-registry", (0, 0))
    assert machine.run(ENSURE).returncode == 0
    assert len(machine.calls("docker pull")) == 2
    assert len(machine.calls("docker load")) == 1


def test_a_registry_that_comes_back_is_preferred(machine: Machine) -> None:
    prepare(machine, f'[ -f "$images.up" ] || {{ {NO_SUCH_HOST}; }}; {ANSWERS}')
    machine.run(ENSURE)
    (machine.root / "images.up").touch()
    os.utime(machine.root / "cache/onegig/bases/no-registry", (0, 0))
    machine.run(ENSURE)
    assert chosen(machine)["ONEGIG_BASES"] == "official"


def test_stand_ins_of_another_recipe_are_replaced(machine: Machine) -> None:
    prepare(machine, NO_SUCH_HOST, *STAND_INS.values())
    current = (machine.root / "recipe").read_text().strip()
    (machine.root / "recipe").write_text("0123456789abcdef\n")
    docker = machine.root / "bin/docker"
    loaded = f'"load --input") echo "{current}" >"{machine.root}/recipe"; '
    docker.write_text(docker.read_text().replace('"load --input") ', loaded))
    result = machine.run(ENSURE)
    assert result.returncode == 0, result.stderr
    assert len(machine.calls("docker load")) == 1


def test_images_of_the_environment_come_first(machine: Machine) -> None:
    prepare(machine, NO_SUCH_HOST)
    mine = {name: f"mirror.example/{name.lower()}:1" for name in official()}
    assert machine.run(ENSURE, **mine).returncode == 0
    assert chosen(machine) == {"ONEGIG_BASES": "given", **mine}
    assert machine.calls("docker") == []


def test_neither_registry_nor_root(machine: Machine) -> None:
    prepare(machine, NO_SUCH_HOST)
    for layer in (machine.root / "cache/onegig/bases").glob("*.tar"):
        layer.unlink()
    script = machine.project / "scripts/setup/packages.sh"
    script.write_text(script.read_text() + "\nis_root() { false; }\n")
    message = refusal(machine.run(ENSURE))
    assert "stand-ins are assembled on Debian and Ubuntu as root only" in message
    assert "set ALPINE_IMAGE, PYTHON_IMAGE and VALKEY_IMAGE to a mirror's" in message
    assert not (machine.state / "bases.env").exists()


def start(machine: Machine, **environment: str) -> subprocess.Popen[bytes]:
    return subprocess.Popen(
        [machine.project / ENSURE],
        cwd=machine.project,
        env=machine.environment(**environment),
        stderr=subprocess.PIPE,
        start_new_session=True,
    )


def test_two_at_once_load_the_stand_ins_once(machine: Machine) -> None:
    prepare(machine, f"sleep 0.5; {NO_SUCH_HOST}")
    both = [start(machine) for _ in range(2)]
    ends = [entry.communicate(timeout=60) for entry in both]
    assert [entry.returncode for entry in both] == [0, 0], ends
    assert len(machine.calls("docker load")) == 1


def test_interrupted_while_pulling_it_leaves_nothing(machine: Machine) -> None:
    prepare(machine, f"touch '{machine.root}/pulling'; {SILENT}")
    child = start(machine, ONEGIG_REGISTRY_SECONDS="50")
    while not (machine.root / "pulling").exists():
        assert child.poll() is None
    os.killpg(child.pid, signal.SIGTERM)  # SIGINT is ignored in what runs in the background
    child.communicate(timeout=20)
    assert child.returncode != 0
    assert not (machine.state / "bases.env").exists()


def test_the_services_are_pinned_to_the_same_images() -> None:
    pins = official()
    result: dict[str, set[str]] = {name: set() for name in pins}
    for path in ("Dockerfile", "redis-coordinator/Dockerfile", "compose.yml"):
        text = (PROJECT / "services" / path).read_text()
        for name, value in re.findall(rf"({'|'.join(pins)})(?:=|:-)([^\s}}]+)", text):
            result[name].add(value)
    assert result == {name: {value} for name, value in pins.items()}
    for reference in pins.values():
        assert re.fullmatch(r"[a-z0-9/.-]+:[a-z0-9.-]+@sha256:[0-9a-f]{64}", reference)


def test_nothing_of_this_host_goes_into_a_stand_in() -> None:
    """The host's certificates reach builds as a secret, never as a layer."""
    for script in Path(PROJECT / "scripts/bases").glob("*.sh"):
        assert "SSL_CERT_FILE" not in script.read_text()
        assert "/etc/ssl/certs" not in script.read_text()
