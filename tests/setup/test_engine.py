"""Finding, starting and installing a Docker Engine."""

import pytest

from setup_machine import Machine

NO_ENGINE = "exit 1"
PLUGINS = """
case "$1 $2" in
    "version --format") {engine} ;;
    "compose version") echo {compose} ;;
    "buildx version") echo "github.com/docker/buildx {buildx} abc" ;;
esac
"""
# What apt would install on the distributions of the README; the names are those of their archives.
DEBIAN_13 = {
    "docker.io": "26.1.5+dfsg1-9",
    "docker-cli": "26.1.5+dfsg1-9",
    "docker-compose": "2.26.1-4",
    "docker-buildx": "0.13.1+ds1-3",
}
DEBIAN_12 = {"docker.io": "20.10.24+dfsg1-1", "docker-compose": "1.29.2-3"}
UBUNTU_24 = {
    "docker.io": "28.2.2-0ubuntu1",
    "docker-compose": "1.29.2-6",
    "docker-compose-v2": "2.37.1",
    "docker-buildx": "0.20.1",
}
AS_ROOT = "is_root() { true; }; has() { [ $1 != dockerd ] && command -v $1 >/dev/null; }\n"
AS_USER = "is_root() { false; }\n"


def docker(engine: str = "echo 26.1.5", compose: str = "2.26.1-4", buildx: str = "0.13.1") -> str:
    return PLUGINS.format(engine=engine, compose=compose, buildx=buildx)


def with_packages(machine: Machine, available: dict[str, str], distribution: str = "debian") -> str:
    """apt and dpkg that know these packages and after an installation let the engine answer."""
    answers = "\n".join(
        f"{name}) printf '{name}:\\n  Installed: (none)\\n  Candidate: 5:{version}\\n' ;;"
        for name, version in available.items()
    )
    machine.program("apt-cache", f'case "$2" in\n{answers}\nesac')
    machine.program("apt-get", f'case "$*" in *install*) touch "{machine.root}/installed" ;; esac')
    machine.program("dpkg", "exit 1")
    return (
        f"distribution() {{ echo {distribution}; }}\n"
        f"APT_LISTS='{machine.root}/lists'\n"
        f"TRIXIE_SOURCES='{machine.root}/trixie.sources' TRIXIE_PIN='{machine.root}/trixie.pin'\n"
        "debian_mirror() { echo http://mirror.example/debian; }\n"
        "start_engine() { :; }\n"
    )


def answering_once_installed(machine: Machine) -> str:
    return docker(engine=f'[ -f "{machine.root}/installed" ] && echo 26.1.5')


def test_an_engine_that_answers_is_left_alone(machine: Machine) -> None:
    machine.program("docker", docker())
    machine.program("apt-get", "exit 1")
    result = machine.source("engine.sh", AS_ROOT + "ensure_engine")
    assert (result.returncode, result.stderr) == (0, "")
    assert machine.calls("apt-get") == []


@pytest.mark.parametrize(
    ("available", "distribution", "installed"),
    [
        (DEBIAN_13, "debian", "docker.io docker-cli docker-compose docker-buildx"),
        (UBUNTU_24, "ubuntu", "docker.io docker-compose-v2 docker-buildx"),
        (DEBIAN_12, "debian", "-t trixie docker.io docker-compose docker-buildx"),
    ],
)
def test_root_gets_the_packages_of_the_distribution(
    machine: Machine, available: dict[str, str], distribution: str, installed: str
) -> None:
    machine.program("docker", answering_once_installed(machine))
    packages = with_packages(machine, available, distribution)
    result = machine.source("engine.sh", f"{AS_ROOT}{packages}ensure_engine")
    assert result.returncode == 0, result.stderr
    (call,) = [call for call in machine.calls("apt-get") if " install " in call]
    assert call.endswith(f" install {installed} iptables ca-certificates")
    assert "installing" in result.stderr
    assert "Docker Engine 26.1.5 answers" in result.stderr


def test_debian_12_gets_trixie_at_a_priority_that_upgrades_nothing(machine: Machine) -> None:
    machine.program("docker", answering_once_installed(machine))
    packages = with_packages(machine, DEBIAN_12)
    machine.source("engine.sh", f"{AS_ROOT}{packages}ensure_engine")
    assert "Pin-Priority: 100\n" in (machine.root / "trixie.pin").read_text()
    sources = (machine.root / "trixie.sources").read_text()
    assert "URIs: http://mirror.example/debian\nSuites: trixie\n" in sources
    assert "Signed-By: /usr/share/keyrings/debian-archive-keyring.gpg\n" in sources


def test_the_lists_are_read_again_after_trixie_was_added(machine: Machine) -> None:
    (machine.root / "lists").mkdir()
    (machine.root / "lists/bookworm_InRelease").touch()
    machine.program("docker", answering_once_installed(machine))
    packages = with_packages(machine, DEBIAN_12)
    machine.source("engine.sh", f"{AS_ROOT}{packages}ensure_engine")
    updates = [call for call in machine.calls("apt-get") if call.endswith(" update")]
    assert len(updates) == 1, "fresh lists are not read twice, changed sources are read once"


def test_debian_13_needs_no_other_release(machine: Machine) -> None:
    machine.program("docker", answering_once_installed(machine))
    packages = with_packages(machine, DEBIAN_13)
    machine.source("engine.sh", f"{AS_ROOT}{packages}ensure_engine")
    assert not (machine.root / "trixie.sources").exists()


@pytest.mark.parametrize("missing", [{"compose": "1.29.2"}, {"compose": ""}, {"buildx": ""}])
def test_an_old_or_missing_plugin_is_installed_without_the_engine(
    machine: Machine, missing: dict[str, str]
) -> None:
    old, new = docker(**missing), docker()
    machine.program("docker", f'if [ -f "{machine.root}/installed" ]; then {new}\nelse {old}\nfi')
    packages = with_packages(machine, DEBIAN_13)
    result = machine.source("engine.sh", f"{AS_ROOT}{packages}ensure_engine")
    assert result.returncode == 0, result.stderr
    (call,) = [call for call in machine.calls("apt-get") if " install " in call]
    assert call.endswith(" install docker-compose docker-buildx")


def test_dockers_own_packages_get_their_own_plugins(machine: Machine) -> None:
    machine.program("docker", docker(compose=""))
    packages = with_packages(machine, DEBIAN_13)
    machine.program("dpkg", '[ "$*" = "-s docker-ce" ]')
    machine.source("engine.sh", f"{AS_ROOT}{packages}ensure_engine")
    (call,) = [call for call in machine.calls("apt-get") if " install " in call]
    assert call.endswith(" install docker-compose-plugin docker-buildx-plugin")


def test_an_old_engine_that_answers_is_not_replaced(machine: Machine) -> None:
    machine.program("docker", docker(engine="echo 20.10.24"))
    packages = with_packages(machine, DEBIAN_13)
    result = machine.source("engine.sh", f"{AS_ROOT}{packages}ensure_engine")
    assert result.returncode == 3
    assert "Docker Engine 20.10.24 is too old: 24.0 or later is needed" in result.stderr
    assert machine.calls("apt-get") == []


def test_a_user_without_plugins_is_told_what_to_install(machine: Machine) -> None:
    machine.program("docker", docker(compose="1.29.2"))
    result = machine.source("engine.sh", AS_USER + "ensure_engine")
    assert result.returncode == 3
    assert "docker compose (found: 1.29.2)" in result.stderr
    assert "install compose 2.20 and buildx 0.11 or later" in result.stderr


def test_a_distribution_with_nothing_new_enough(machine: Machine) -> None:
    machine.program("docker", docker(engine=NO_ENGINE))
    packages = with_packages(machine, {"docker-compose": "1.25"}, "linuxmint")
    result = machine.source("engine.sh", f"{AS_ROOT}{packages}ensure_engine")
    assert result.returncode == 3
    assert "no compose and buildx that are new enough" in result.stderr


def test_no_engine_and_no_root(machine: Machine) -> None:
    machine.program("docker", docker(engine=NO_ENGINE))
    socket = f"ENGINE_SOCKET='{machine.root}/none'\n"
    result = machine.source("engine.sh", f"{AS_USER}{socket}ensure_engine")
    assert result.returncode == 3
    assert "no Docker Engine answers, and this user can neither start nor install" in result.stderr
    assert "next: as root: scripts/setup/engine.sh" in result.stderr


def test_root_of_another_system(machine: Machine) -> None:
    machine.program("docker", docker(engine=NO_ENGINE))
    body = "is_root() { true; }; has() { false; }\nensure_engine"
    result = machine.source("engine.sh", body)
    assert result.returncode == 3
    assert "this system has no apt-get to install one with" in result.stderr


def test_an_engine_that_installs_but_never_answers(machine: Machine) -> None:
    machine.program("docker", docker(engine=NO_ENGINE))
    machine.program("pgrep", "exit 0")  # it runs, but says nothing
    packages = with_packages(machine, DEBIAN_13).replace("start_engine() { :; }\n", "")
    result = machine.source(
        "engine.sh",
        f"{AS_ROOT}{packages}START_SECONDS=0 ENGINE_LOG='{machine.root}/log'\n"
        'echo "failed to start daemon: no disk" >"$ENGINE_LOG"; systemctl() { :; }\nensure_engine',
    )
    assert result.returncode == 3
    assert "failed to start daemon: no disk" in result.stderr
    assert "did not answer within 0 s" in result.stderr


def test_an_installation_that_fails_shows_its_log(machine: Machine) -> None:
    machine.program("docker", docker(engine=NO_ENGINE))
    packages = with_packages(machine, DEBIAN_13)
    machine.program("apt-get", 'case "$*" in *install*) echo "E: no space left"; exit 100 ;; esac')
    result = machine.source("engine.sh", f"{AS_ROOT}{packages}ensure_engine")
    assert result.returncode == 3
    assert "E: no space left" in result.stderr
    assert "next: mend 'apt-get install" in result.stderr


def test_a_foreign_engine_that_is_silent_is_not_replaced_by_a_local_one(machine: Machine) -> None:
    machine.program("docker", docker(engine=NO_ENGINE))
    packages = with_packages(machine, DEBIAN_13)
    result = machine.source(
        "engine.sh", f"{AS_ROOT}{packages}ensure_engine", DOCKER_HOST="tcp://127.0.0.1:1"
    )
    assert result.returncode == 3
    assert "no Docker Engine answers at DOCKER_HOST=tcp://127.0.0.1:1" in result.stderr
    assert machine.calls("apt-get") == []
