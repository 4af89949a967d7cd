"""Plans that no run can have made of its stack."""

from collections.abc import Iterator

from mutations.changes import Change


def _actions(**values: object) -> Change:
    """All actions with these values."""
    return lambda one: [action.update(values) for action in one["actions"]]


def _option(**values: object) -> Change:
    return lambda one: one["options"][0].update(values)


def _diff(**values: object) -> Change:
    return _option(changes=[{"kind": "diff", "text": "", "path": "a", **values}])


_CHANGES: dict[str, Change] = {
    "another stack's services": _actions(services=["nobody"]),
    "it turns off another stack's": _actions(removes=["nobody"]),
    "one id for all": _actions(id="thp"),
    "a title of a novel": _actions(title="x" * 6_000),
    "a saving beyond its interval": lambda one: one["actions"][0]["saving"].update(low_bytes=2**40),
    "a change of a single action": _actions(changes=[{"kind": "commands", "text": "reboot"}]),
    "too many actions": lambda one: one.update(actions=one["actions"][:1] * 5_001),
    "an action that is not there": _option(actions=["nothing"]),
    "an action twice": _option(actions=["off:risk", "off:risk"]),
    "options of one name": lambda one: one.update(options=one["options"][:1] * 2),
    "eleven options": lambda one: one.update(options=one["options"] * 4),
    "a path above the checkout": _diff(path="a/../../b"),
    "a path with markup": _diff(path="</summary>"),
    "a path of the machine": _diff(path="/etc/passwd"),
    "a diff without end": _diff(text="+" * 60_001),
    "an override": _diff(kind="compose"),
    "an offer": lambda one: one.update(notes=["GO"]),
    "a boot of a long story": _option(
        verified={"total_bytes": 9, "start_bytes": 9, "state": "NO-GO", "problem": "x" * 6_000}
    ),
}


def plans() -> Iterator[tuple[str, str, Change]]:
    """All of them, of plan.json."""
    for what, change in _CHANGES.items():
        yield what, "plan.json", change
