"""Finding, starting and installing a Docker Engine; which versions are new enough."""

import subprocess

import pytest

from setup_machine import Machine, refusal

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


def ensure_as_root(
    machine: Machine,
    available: dict[str, str] | None = None,
    distribution: str = "debian",
    *,
    before: str = "",
    **environment: str,
) -> subprocess.CompletedProcess[str]:
    """Set up an engine on a machine with these packages, those of Debian 13 by default."""
    packages = with_packages(machine, DEBIAN_13 if available is None else available, distribution)
    return machine.source("engine.sh", f"{AS_ROOT}{packages}{before}\nensure_engine", **environment)


def test_an_engine_that_answers_is_left_alone(machine: Machine) -> None:
    machine.program("docker", docker())
    machine.program("apt-get", "exit 1")
    result = machine.source("engine.sh", AS_ROOT + "ensure_engine")
    assert (result.returncode, result.stderr) == (0, "")
    assert machine.calls("apt-get") == []


@pytest.fixture
def answers_once_installed(machine: Machine) -> None:
    machine.program("docker", docker(f'[ -f "{machine.root}/installed" ] && echo 26.1.5'))


@pytest.mark.usefixtures("answers_once_installed")
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
    result = ensure_as_root(machine, available, distribution)
    assert result.returncode == 0, result.stderr
    assert machine.calls("apt-get")[-1].endswith(f" {installed} iptables ca-certificates")
    assert "installing" in result.stderr
    assert "Docker Engine 26.1.5 answers" in result.stderr
    assert (machine.root / "trixie.sources").exists() is ("trixie" in installed)


@pytest.mark.usefixtures("answers_once_installed")
def test_debian_12_gets_trixie_at_a_priority_that_upgrades_nothing(machine: Machine) -> None:
    (machine.root / "lists").mkdir()
    (machine.root / "lists/bookworm_InRelease").touch()
    ensure_as_root(machine, DEBIAN_12)
    assert "Pin-Priority: 100\n" in (machine.root / "trixie.pin").read_text()
    sources = (machine.root / "trixie.sources").read_text()
    assert "URIs: http://mirror.example/debian\nSuites: trixie\n" in sources
    assert "Signed-By: /usr/share/keyrings/debian-archive-keyring.gpg\n" in sources
    updates = [call for call in machine.calls("apt-get") if call.endswith(" update")]
    assert len(updates) == 1, "fresh lists are not read twice, changed sources are read once"


@pytest.mark.parametrize(
    ("found", "owner", "plugins"),
    [
        ({"compose": "1.29.2"}, "docker.io", "docker-compose docker-buildx"),
        ({"compose": ""}, "docker.io", "docker-compose docker-buildx"),
        ({"buildx": ""}, "docker.io", "docker-compose docker-buildx"),
        ({"compose": ""}, "docker-ce", "docker-compose-plugin docker-buildx-plugin"),
    ],
)
def test_an_old_or_missing_plugin_is_installed_without_the_engine(
    machine: Machine, found: dict[str, str], owner: str, plugins: str
) -> None:
    condition = f'[ -f "{machine.root}/installed" ]'
    machine.program("docker", f"if {condition}; then {docker()}\nelse {docker(**found)}\nfi")
    before = f'dpkg() {{ [ "$*" = "-s {owner}" ]; }}'
    result = ensure_as_root(machine, before=before)
    assert result.returncode == 0, result.stderr
    installs = [call for call in machine.calls("apt-get") if " install " in call]
    assert [call.partition(" install ")[2] for call in installs] == [plugins]


@pytest.mark.parametrize(
    ("engine", "available", "message"),
    [
        ("echo 20.10.24", DEBIAN_13, "Engine 20.10.24 is too old: 24.0 or later is needed"),
        (NO_ENGINE, {"docker-compose": "1.25"}, "compose and buildx are too old"),
    ],
)
def test_where_nothing_is_new_enough_nothing_is_installed(
    machine: Machine, engine: str, available: dict[str, str], message: str
) -> None:
    machine.program("docker", docker(engine))
    assert message in refusal(ensure_as_root(machine, available, "linuxmint"))
    assert not [call for call in machine.calls("apt-get") if "install" in call]


def test_a_user_without_plugins_learns_what_to_install(machine: Machine) -> None:
    machine.program("docker", docker(compose="1.29.2"))
    message = refusal(machine.source("engine.sh", AS_USER + "ensure_engine"))
    assert "docker compose (found: 1.29.2)" in message
    assert "install compose 2.20 and buildx 0.11 or later" in message


@pytest.mark.parametrize(
    ("before", "message"),
    [
        (AS_USER, "no Docker Engine answers, and this user can neither start nor install"),
        (AS_USER, "next: as root: scripts/setup/engine.sh"),
        (AS_ROOT + "has() { false; }\n", "this system has no apt-get to install one"),
    ],
)
def test_where_no_engine_can_be_installed(machine: Machine, before: str, message: str) -> None:
    machine.program("docker", docker(NO_ENGINE))
    body = f"{before}ENGINE_SOCKET='{machine.root}/none'\nensure_engine"
    assert message in refusal(machine.source("engine.sh", body))


def test_an_engine_that_installs_but_never_answers(machine: Machine) -> None:
    machine.program("docker", docker(NO_ENGINE))
    machine.program("pgrep", "exit 0")  # it runs, but says nothing
    packages = with_packages(machine, DEBIAN_13).replace("start_engine() { :; }\n", "")
    result = machine.source(
        "engine.sh",
        f"{AS_ROOT}{packages}START_SECONDS=0 ENGINE_LOG='{machine.root}/log'\n"
        'echo "failed to start daemon: no disk" >"$ENGINE_LOG"; systemctl() { :; }\nensure_engine',
    )
    assert "failed to start daemon: no disk" in refusal(result)
    assert "did not answer within 0 s" in result.stderr


def test_an_installation_that_fails_shows_its_log(machine: Machine) -> None:
    machine.program("docker", docker(NO_ENGINE))
    packages = with_packages(machine, DEBIAN_13)
    machine.program("apt-get", 'case "$*" in *install*) echo "E: no space left"; exit 100 ;; esac')
    message = refusal(machine.source("engine.sh", f"{AS_ROOT}{packages}ensure_engine"))
    assert "E: no space left" in message
    assert "next: fix 'apt-get install" in message


def test_a_foreign_engine_that_is_silent_is_not_replaced_by_a_local_one(machine: Machine) -> None:
    machine.program("docker", docker(NO_ENGINE))
    result = ensure_as_root(machine, DOCKER_HOST="tcp://127.0.0.1:1")
    assert "no Docker Engine answers at DOCKER_HOST=tcp://127.0.0.1:1" in refusal(result)
    assert machine.calls("apt-get") == []


@pytest.mark.parametrize(
    ("version", "minimum", "enough"),
    [
        ("26.1.5+dfsg1", "24.0", True),
        ("24.0.0", "24.0", True),
        ("20.10.24+dfsg1", "24.0", False),
        ("v2.38.2", "2.20", True),
        ("2.26.1-4", "2.20", True),
        ("2.9.0", "2.20", False),
        ("0.13.1+ds1", "0.11", True),
        ("1.2.3-1", "1.2.5", False),
        ("1.2.5-3.1~deb13u1", "1.2.5", True),
        ("0", "0.11", False),
        ("", "2.20", False),
        ("not a version", "1.0", False),
    ],
)
def test_versions_are_compared_as_numbers(
    machine: Machine, version: str, minimum: str, enough: bool
) -> None:
    result = machine.source("common.sh", f"if at_least '{version}' {minimum}; then echo yes; fi")
    assert (result.returncode, result.stdout) == (0, "yes\n" if enough else ""), result.stderr
