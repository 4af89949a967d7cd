"""Other engines: what a tuned Docker and Podman save, and what does not work there."""

from dataclasses import replace

from mergeable import make_case
from onegig.model.engines import EngineKind
from onegig.model.plan import Letter, Loss
from onegig.plan.engine import PODMAN, TUNED, other_engines
from onegig.plan.podman import find_lacks


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
