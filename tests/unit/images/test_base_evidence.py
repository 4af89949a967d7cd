"""What is known of an image's base: from its Dockerfile, else from what else the engine has."""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace

import pytest

from onegig.dockerfiles.stages import BuildFile
from onegig.engine.images import EngineImage, ListedImage
from onegig.images.bases import (
    DIGEST_LABEL,
    NAME_LABEL,
    NOTHING_KNOWN,
    Evidence,
    base_evidence,
    familiar,
    names_of,
    repository,
)

DIGEST = f"sha256:{'a' * 64}"
IMAGE = EngineImage(
    reference="shop/web:1",
    image_id="sha256:web",
    diff_ids=("l1", "l2", "l3", "l4"),
    architecture="amd64",
    labels=(("maker", "us"),),
    size_bytes=400,
)
PULLED = ListedImage(
    image_id="sha256:base",
    names=("team/base:1",),
    in_registry=True,
    created_seconds=100,
    size_bytes=200,
    labels=frozenset({"maker"}),
)
OWN = ListedImage(
    image_id=IMAGE.image_id,
    names=(IMAGE.reference, "mirror/web:1"),
    in_registry=False,
    created_seconds=200,
    size_bytes=400,
    labels=frozenset({"maker"}),
)


@dataclass
class Known:
    """An engine's images: layers by reference or id, histories, and the list."""

    layers: dict[str, Sequence[str]] = field(default_factory=dict)
    histories: dict[str, tuple[str, ...]] = field(default_factory=dict)
    images: Sequence[ListedImage] = ()

    def diff_ids(self, reference: str) -> tuple[str, ...]:
        return tuple(self.layers.get(reference, ()))

    def history(self, reference: str) -> tuple[str, ...]:
        return self.histories.get(reference, ())

    @property
    def listed(self) -> Sequence[ListedImage]:
        return self.images


def built(text: str, known: Known, image: EngineImage = IMAGE) -> Evidence:
    return base_evidence(image, BuildFile(text=text), known)


def foreign(*listed: ListedImage, layers: Sequence[str] = ("l1", "l2"), **changes: object) -> int:
    """How many layers of an image that nothing here builds are taken for its base, at least."""
    known = Known(layers={PULLED.image_id: layers}, images=(OWN, *listed))
    evidence = base_evidence(replace(IMAGE, **changes), None, known)  # type: ignore[arg-type]
    assert evidence == Evidence(at_least=evidence.at_least)
    return evidence.at_least


@pytest.mark.parametrize("layers", [1, 3, 4])
def test_the_layers_of_the_base_on_the_engine_are_counted(layers: int) -> None:
    known = Known(layers={"base:1": IMAGE.diff_ids[:layers]}, histories={"base:1": ("x",)})
    text = "ARG A=base:1\nFROM $A AS a\nRUN b\nFROM a\nRUN c"
    assert built(text, known) == Evidence(layers=layers)


@pytest.mark.parametrize("layers", [("l1", "other"), ("l2",), ("l1", "l2", "l3", "l4", "l5")])
def test_a_base_whose_layers_are_others_tells_its_history(layers: tuple[str, ...]) -> None:
    known = Known(layers={"base:1": layers}, histories={"base:1": ("ADD x /", "RUN y")})
    evidence = Evidence(history=("ADD x /", "RUN y"), added=("RUN b",))
    assert built("FROM base:1\nRUN b", known) == evidence


def test_of_a_base_that_is_not_on_the_engine_the_dockerfile_is_known() -> None:
    known = Known(layers={"other:1": ("l1",)}, images=(PULLED,))
    assert built("FROM base:1\nRUN b", known) == Evidence(added=("RUN b",))


@pytest.mark.parametrize("text", ["FROM scratch\nCOPY a /", "FROM $NOTHING\nRUN x"])
def test_without_a_base_nothing_is_known(text: str) -> None:
    known = Known(layers={"scratch": ("l1",), "": ("l1",)})
    assert built(text, known) == NOTHING_KNOWN


def test_an_image_on_its_own_last_version_is_not_its_own_base() -> None:
    known = Known(layers={"shop/web:1": IMAGE.diff_ids}, histories={"shop/web:1": ("x",)})
    assert built("FROM docker.io/shop/web:1\nRUN b", known) == Evidence(added=("RUN b",))


@pytest.mark.parametrize("name", [f"base:1@{DIGEST}", f"base@{DIGEST}", "base:1"])
def test_a_pinned_base_is_known_by_digest_and_by_tag(name: str) -> None:
    known = Known(layers={name: ("l1", "l2")})
    assert built(f"FROM base:1@{DIGEST}\nRUN b", known) == Evidence(layers=2)


def test_a_digest_comes_before_a_tag_that_moved_on() -> None:
    known = Known(layers={"base:1": ("l1",), f"base@{DIGEST}": ("l1", "l2")})
    assert built(f"FROM base:1@{DIGEST}\nRUN b", known) == Evidence(layers=2)


@pytest.mark.parametrize(
    ("reference", "names"),
    [
        ("redis", ["redis"]),
        ("localhost:5000/a", ["localhost:5000/a"]),
        (f"redis@{DIGEST}", [f"redis@{DIGEST}"]),
        (f"h:5000/a@{DIGEST}", [f"h:5000/a@{DIGEST}"]),
        (f"h:5000/a:1@{DIGEST}", [f"h:5000/a:1@{DIGEST}", f"h:5000/a@{DIGEST}", "h:5000/a:1"]),
    ],
)
def test_names_of_one_image(reference: str, names: list[str]) -> None:
    assert list(names_of(reference)) == names


@pytest.mark.parametrize(
    ("reference", "short"),
    [
        ("docker.io/library/redis", "redis:latest"),
        ("library/redis:8", "redis:8"),
        (f"team/a:1@{DIGEST}", "team/a:1"),
        ("localhost:5000/a", "localhost:5000/a:latest"),
    ],
)
def test_a_name_as_a_person_writes_it(reference: str, short: str) -> None:
    assert familiar(reference) == short
    assert repository(reference) == short.rpartition(":")[0]


def test_the_longest_image_of_a_registry_below_another_is_taken_for_its_base() -> None:
    longer = replace(PULLED, image_id="sha256:longer", names=("team/platform:1",))
    known = Known(
        layers={"sha256:base": ("l1",), "sha256:longer": ("l1", "l2", "l3")},
        images=(PULLED, longer, OWN),
    )
    assert base_evidence(IMAGE, None, known) == Evidence(at_least=3)
    assert foreign(PULLED) == 2


@pytest.mark.parametrize("layers", [(), ("l2",), ("l1", "other"), IMAGE.diff_ids])
def test_only_layers_below_others_are_a_base(layers: tuple[str, ...]) -> None:
    assert foreign(PULLED, layers=layers) == 0


@pytest.mark.parametrize(
    "change",
    [
        {"in_registry": False},  # a stage, or an earlier version: built here
        {"names": ("shop/web:0.9",)},
        {"names": ("other:1", "docker.io/mirror/web:0.9")},  # the image's other name
        {"created_seconds": 201},
        {"size_bytes": 401},
        {"labels": frozenset({"maker", "another"})},
    ],
)
def test_what_can_be_no_base_is_none(change: dict[str, object]) -> None:
    assert foreign(replace(PULLED, **change)) == 0  # type: ignore[arg-type]


@pytest.mark.parametrize("name", [NAME_LABEL, DIGEST_LABEL])
def test_a_label_that_names_the_base_is_followed(name: str) -> None:
    labels = {NAME_LABEL: "team/base:2", DIGEST_LABEL: DIGEST, "maker": "us"}
    there = {NAME_LABEL: "team/base:2", DIGEST_LABEL: f"team/base@{DIGEST}"}[name]
    known = Known(layers={there: ("l1", "l2")})
    image = replace(IMAGE, labels=tuple(labels.items()))
    assert base_evidence(image, None, known) == Evidence(at_least=2)
    wrong = Known(layers={there: ("l1", "other")})
    assert base_evidence(image, None, wrong) == NOTHING_KNOWN
