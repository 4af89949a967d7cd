"""One shim for all containers: its saving, and the stacks that it is for."""

import json
from dataclasses import replace

import pytest

from factories import MIB
from mergeable import make_case
from onegig.model.measured import Skipped
from onegig.plan.consolidate import merged_services
from onegig.plan.options import effective
from onegig.plan.shim import GROUP, shared_shim


def test_one_shim_saves_what_was_measured() -> None:
    """The reference stack's 15 containers took 66.5 MB less: medians of 329.7 and 263.2 MB."""
    case = make_case()
    (action,) = shared_shim(case)
    assert action.saving.bytes == pytest.approx(66.5 * MIB, rel=0.03)
    assert action.saving.low_bytes < 66.5 * MIB < action.saving.high_bytes
    (change,) = action.changes
    services = json.loads(change.text)["services"]
    assert len(services) == 15
    assert all(each == {"annotations": {GROUP: "crypto-desk"}} for each in services.values())


def test_it_is_not_for_stacks_that_have_it_or_engines_that_can_not() -> None:
    case = make_case()
    annotated = {name.name: {"annotations": {GROUP: "desk"}} for name in case.memory.services}
    assert not list(shared_shim(make_case(configs=annotated | {"bot": {"runtime": "kata"}})))
    old = replace(case.memory.environment, engine_version="23.0.6")
    podman = tuple(part for part in case.memory.engine if part.name != "shim")
    for memory in (replace(case.memory, environment=old), replace(case.memory, engine=podman)):
        assert not list(shared_shim(replace(case, memory=memory)))
    assert not list(shared_shim(replace(case, stack=Skipped(reason="only a report"))))


def test_beside_a_merge_it_saves_the_shims_that_are_left() -> None:
    case = make_case()
    (shim,), (merge,) = shared_shim(case), merged_services(case)
    alone, beside = effective((merge,)), effective((merge, shim))
    assert beside[0] == alone[0]
    assert beside[1].saving.bytes == shim.saving.bytes - 11 * shim.share_bytes
    assert beside[1].saving.bytes == pytest.approx(shim.saving.bytes * 3 / 14, rel=0.01)
