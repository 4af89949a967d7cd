"""What an engine's layers put before a cause is left out of the headline, and of that alone."""

import pytest

from factories import make_images
from judging import MIB, TODAY, checks, limits, measured, service
from onegig.judge.verdict import judge
from onegig.model.memory import ServiceState

LAYERS = (
    "failed to create task for container: failed to create shim task: OCI runtime create failed: "
    "runc create failed: unable to start container process: "
)


@pytest.mark.parametrize(
    ("reason", "cause"),
    [
        (f'{LAYERS}exec: "/x": no such file: unknown', 'exec: "/x": no such file: unknown'),
        (f"{LAYERS}error during container init: mount /a: denied", "mount /a: denied"),
        ("unknown or invalid runtime name: nvidia", "unknown or invalid runtime name: nvidia"),
    ],
)
def test_the_headline_has_the_cause_and_the_list_the_whole_reason(reason: str, cause: str) -> None:
    web = service("web", MIB, state=ServiceState.REFUSED, reason=reason)
    verdict = judge(limits(1024 * MIB), make_images(["web"]), measured([web]), None, today=TODAY)
    assert verdict.sentence.startswith(f"NO-GO: web could not be started: {cause}; memory")
    (check,) = checks(verdict, "service.state")
    assert check.message == f"web could not be started: {reason}"
