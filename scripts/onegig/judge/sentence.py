"""The verdict in one sentence: the figures and, where it is not a GO, the first cause."""

import re

from onegig.judge.words import compare, shorten
from onegig.model.measured import Missing
from onegig.model.verdict import CHECK_IDS, Check, State

# What the layers of an engine put before a cause that each passes on: the headline does without.
_LAYERS = re.compile(
    r"(?:(?:failed to create task for container|failed to create shim task"
    r"|OCI runtime create failed|runc create failed|unable to start container process"
    r"|error during container init): )+"
)
CAUSE_LENGTH = 300  # of a cause within the sentence; the list of what is wrong has it whole
_REST = {State.NO_GO: "failure", State.INCOMPLETE: "gap", State.WARN: "warning"}


def make_sentence(state: State, checks: tuple[Check, ...]) -> str:
    """Return the headline: "GO: 612 of 1,024 MB, 412 MB (40 %) to spare".

    It always says how memory stands.
    """
    total = next(check for check in checks if check.id == "memory.total")
    causes = _causes(state, checks)
    if not causes or causes[0] == _short(total):
        parts = [total.message, _more(state, len(causes) - 1)]
    elif state is State.WARN:
        parts = [total.message, causes[0], _more(state, len(causes) - 1)]
    else:
        parts = [causes[0], _more(state, len(causes) - 1), _memory(total)]
    return f"{state}: {'; '.join(part for part in parts if part)}"


def _causes(state: State, checks: tuple[Check, ...]) -> list[str]:
    """Return the causes of the verdict, each once, the most important first."""
    if state is State.GO:
        return []
    order = {identity: place for place, identity in enumerate(CHECK_IDS)}
    found = [check for check in checks if check.state is state]
    found.sort(key=lambda check: (order.get(check.id, len(order)), _room(check)))
    return list(dict.fromkeys(_short(check) for check in found))


def _short(check: Check) -> str:
    """Return a cause as the headline has it; the list of what is wrong has it whole."""
    return shorten(_LAYERS.sub("", check.message, count=1), CAUSE_LENGTH)


def _room(check: Check) -> float:
    """Return what is left as a share of the limit: the worst of a kind comes first."""
    return check.headroom / check.limit if check.headroom is not None and check.limit else 0.0


def _more(state: State, count: int) -> str:
    if count <= 0:
        return ""
    return f"{count:,} more {_REST[state]}{'s' if count > 1 else ''}"


def _memory(total: Check) -> str:
    if isinstance(total.value, Missing) or total.limit is None:
        return "memory was not measured"
    return f"memory {compare(int(total.value), int(total.limit)).of}"
