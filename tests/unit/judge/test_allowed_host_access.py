"""Which services' reach the budgets allow, and how the report names them."""

from dataclasses import replace

import pytest

from onegig.config.budgets import parse_budgets
from onegig.judge.limits import describe_host_access, disallowed
from onegig.model.stack import HostAccess, Stack
from onegig.pipeline import warn_of_host_access
from onegig.progress import Plain

SOCKET = HostAccess(service="traefik", reason="mounts /var/run/docker.sock")
PRIVILEGED = HostAccess(service="netdata", reason="privileged: true")
PID = HostAccess(service="netdata", reason="pid: host")


@pytest.mark.security
@pytest.mark.parametrize(
    ("text", "rest"),
    [
        ("version: 1", (SOCKET, PRIVILEGED, PID)),
        ("allow_host_access: [traefik]", (PRIVILEGED, PID)),
        ("allow_host_access: [netdata]", (SOCKET,)),
        ("allow_host_access: [traefik, netdata]", ()),
    ],
)
def test_only_listed_services_may(text: str, rest: tuple[HostAccess, ...]) -> None:
    budgets = parse_budgets("budgets.yml", text.encode())
    assert disallowed((SOCKET, PRIVILEGED, PID), budgets) == rest


def test_the_sentence_names_services_and_reasons() -> None:
    assert describe_host_access(()) == ""
    assert describe_host_access((SOCKET,)) == (
        "traefik (mounts /var/run/docker.sock) can access the machine they run on"
    )
    assert describe_host_access((SOCKET, PRIVILEGED, PID)) == (
        "traefik (mounts /var/run/docker.sock) and netdata (privileged: true and 1 more) "
        "can access the machine they run on"
    )


def test_the_sentence_is_one_short_line() -> None:
    many = tuple(HostAccess(service=f"s{n}", reason="pid:\nhost" + "x" * 500) for n in range(30))
    text = describe_host_access(many)
    assert "and 26 more can access" in text
    assert len(text) < 500
    assert text.isprintable()


def test_one_line_is_printed_before_the_boot_and_none_without_a_reason() -> None:
    lines: list[str] = []
    progress = Plain(color=False, write=lines.append)
    stack = Stack(name="s", directory="/s", files=(), services=(), config_json="{}")
    warn_of_host_access(stack, progress)
    assert lines == []
    warn_of_host_access(replace(stack, host_access=(PRIVILEGED, SOCKET)), progress)
    (line,) = lines
    assert "netdata (privileged: true) and traefik (mounts /var/run/docker.sock) can access" in line
