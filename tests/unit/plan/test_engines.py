"""Other engines: what a tuned Docker and Podman save, and what does not work there."""

from dataclasses import replace

import pytest

from factories import MIB
from mergeable import make_case
from onegig.model.engines import EngineKind
from onegig.model.memory import EnginePart
from onegig.model.plan import Letter, Loss
from onegig.plan.engine import PODMAN, TUNED, other_engines
from onegig.plan.podman import find_lacks
from twins import make_twin


def test_each_excludes_what_it_replaces() -> None:
    tuned, podman = other_engines(make_case())
    assert (tuned.id, podman.id) == (TUNED, PODMAN)
    assert tuned.excludes == (PODMAN,)
    assert set(podman.excludes) == {TUNED, "engine:shim"}
    assert {each.option for each in (tuned, podman)} == {Letter.ENGINE}
    assert tuned.loss < podman.loss == Loss.FEATURE


def test_no_engine_is_proposed_to_one_that_was_changed() -> None:
    case = make_case()
    tuned = replace(case.memory, engine_kind=EngineKind.TUNED)
    assert not list(other_engines(replace(case, memory=tuned)))
    alone = replace(case.memory, engine=())
    assert not list(other_engines(replace(case, memory=alone)))


def test_what_does_not_work_is_said_by_key_with_its_services() -> None:
    services = {
        "a": {"healthcheck": {"start_interval": "1s"}, "logging": {"driver": "json-file"}},
        "b": {"healthcheck": {"start_interval": "1s"}, "logging": {"driver": "gelf"}},
        "c": {"networks": {"n": None}, "links": ["a"], "storage_opt": {"size": "1G"}},
        "d": {"networks": {"n": {"interface_name": "x"}}, "volumes": [{"type": "image"}]},
        "e": {"annotations": {"io.containerd.runc.v2.group": "x"}},
    }
    lacks = find_lacks(services)
    assert {text.partition(" ")[0]: text.rpartition("(")[2] for text in lacks} == {
        "healthcheck.start_interval": "a, b)",
        "logging.driver": "b)",
        "links": "c)",
        "storage_opt": "c)",
        "networks.interface_name": "d)",
        "volumes": "d)",
        "annotations": "e)",
    }
    assert not find_lacks({"f": {"logging": {"driver": "journald"}, "healthcheck": {}}})


def test_savings_follow_what_was_measured_of_the_reference_stack() -> None:
    """A tuned Docker took 304 instead of 321 MB in a box, by the medians of a window."""
    parts = {"dockerd": 96, "containerd": 59, "proxy": 4, "shim": 66}
    case = make_case()
    engine = tuple(
        EnginePart(name=name, processes=1, rss_bytes=size * MIB, pss_bytes=size * MIB)
        for name, size in parts.items()
    )
    tuned, _ = other_engines(replace(case, memory=replace(case.memory, engine=engine)))
    assert tuned.saving.bytes == pytest.approx((4 + 16) * MIB, rel=0.05)
    assert tuned.saving.low_bytes < (4 + 10) * MIB < tuned.saving.high_bytes


def test_on_a_twin_podman_costs_what_available_memory_falls_by() -> None:
    """At the peak 344 MB under Docker, counted, and 210 under Podman, lost."""
    case = make_case()
    memory = replace(case.memory, twin=make_twin())
    total = sum(part.pss_bytes for part in memory.engine)
    (_, on_twin), (_, in_box) = (
        list(other_engines(replace(case, memory=each))) for each in (memory, case.memory)
    )
    assert 0 < on_twin.saving.bytes < in_box.saving.bytes < total + memory.box.kernel_bytes
    assert in_box.saving.bytes - on_twin.saving.bytes == 66 * MIB
