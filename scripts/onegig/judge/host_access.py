"""Find the services that may reach the machine they run on, and name them in a sentence."""

from collections.abc import Sequence

from onegig.judge.words import one_line, shorten
from onegig.model.budgets import Budgets
from onegig.model.host_access import HostAccess

MOST_NAMED = 4
REASON_LENGTH = 60


def unallowed(host_access: Sequence[HostAccess], budgets: Budgets) -> tuple[HostAccess, ...]:
    """Return what services ask for that `allow_host_access` does not list."""
    return tuple(one for one in host_access if one.service not in budgets.allow_host_access)


def describe_host_access(host_access: Sequence[HostAccess]) -> str:
    """Return the sentence that names the services, or "" where there are none."""
    reasons: dict[str, list[str]] = {}
    for one in host_access:
        reasons.setdefault(one.service, []).append(one.reason)
    if not reasons:
        return ""
    named = [_service(name, found) for name, found in list(reasons.items())[:MOST_NAMED]]
    rest = len(reasons) - len(named)
    listed = [*named, f"{rest} more"] if rest else named
    names = " and ".join(filter(None, (", ".join(listed[:-1]), listed[-1])))
    return f"{names} can reach the machine they run on"


def _service(name: str, reasons: Sequence[str]) -> str:
    more = f" and {len(reasons) - 1} more" if len(reasons) > 1 else ""
    return f"{one_line(name)} ({shorten(one_line(reasons[0]), REASON_LENGTH)}{more})"
