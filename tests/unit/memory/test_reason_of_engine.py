"""Why a container could not be started: the cause, without the layers that passed it on."""

import pytest

from onegig.memory.containers import shorten_reason

RUNC = (
    "failed to create task for container: failed to create shim task: OCI runtime create failed: "
    "runc create failed: unable to start container process: "
)
NO_SUCH_FILE = 'exec: "/nope": stat /nope: no such file or directory'


@pytest.mark.parametrize(
    ("reason", "short"),
    [
        (f"{RUNC}{NO_SUCH_FILE}: unknown", NO_SUCH_FILE),
        (
            f"{RUNC}error during container init: error setting rlimit type 7: not permitted",
            "error setting rlimit type 7: not permitted",
        ),
        ("unknown or invalid runtime name: nvidia", "unknown or invalid runtime name: nvidia"),
        ("", ""),
    ],
)
def test_the_cause_comes_first(reason: str, short: str) -> None:
    assert shorten_reason(reason) == short
