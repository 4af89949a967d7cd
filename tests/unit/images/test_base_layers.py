"""How many layers came with FROM: what is known comes before what is guessed."""

import json
from collections.abc import Sequence
from typing import Any

import pytest

from hand_made import made_layer
from onegig.images.bases import NOTHING_KNOWN, Evidence, count_base_layers
from onegig.images.examine import account_for, make_accounting
from onegig.images.layer import LayerIndex
from onegig.images.manifests import ArchivedImage
from onegig.model.images import Accounting, Cause

PLATFORM = (  # a team's own base: the guess takes its first layer alone
    "ADD alpine-minirootfs-3.22.0-x86_64.tar.gz / # buildkit",
    'CMD ["/bin/sh"]',
    "ENV VERSION=1.2.3",
    "RUN /bin/sh -c apk add --no-cache ca-certificates # buildkit",
    "COPY tools/ /usr/local/bin/ # buildkit",
)
OWN = (
    "ARG WHAT=web",
    "WORKDIR /srv/app",
    "RUN |1 WHAT=web /bin/sh -ec pip install --no-cache-dir -r requirements.txt # buildkit",
    "COPY --chmod=755 web/ /srv/app # buildkit",
    'CMD ["web"]',
)
ADDED = ("WORKDIR app", "RUN pip install --no-cache-dir -r requirements.txt", "COPY web/ /srv/app")
OTHER_VERSION = (
    "ADD alpine-minirootfs-3.23.1-x86_64.tar.gz / # buildkit",
    'CMD ["/bin/sh"]',
    "ENV VERSION=1.10.0",
    *PLATFORM[3:],
)
PLATFORM_LAYERS, LAYERS, GUESS = 3, 6, 1


def history(*entries: str) -> list[dict[str, Any]]:
    """As a config has it; what only changes the config made no layer."""
    config_only = ("CMD", "ENV", "ARG")
    return [{"created_by": item, "empty_layer": item.startswith(config_only)} for item in entries]


def count(evidence: Evidence, *entries: str, layers: int = LAYERS) -> int:
    return count_base_layers(evidence, history(*(entries or (*PLATFORM, *OWN))), layers)


def test_without_evidence_it_is_guessed() -> None:
    assert count(NOTHING_KNOWN) == GUESS


@pytest.mark.parametrize("layers", [0, 2, 3, 6])
def test_layers_that_are_known_are_all_that_counts(layers: int) -> None:
    assert count(Evidence(layers=layers)) == layers
    assert count(Evidence(layers=layers, history=OTHER_VERSION, added=ADDED)) == layers
    assert count_base_layers(Evidence(layers=layers), [], LAYERS) == layers


def test_another_version_of_the_base_has_the_same_instructions() -> None:
    assert count(Evidence(history=OTHER_VERSION)) == PLATFORM_LAYERS


@pytest.mark.parametrize(
    "other",
    [
        (*OTHER_VERSION[:3], "RUN /bin/sh -c apk add --no-cache curl # buildkit"),
        (OTHER_VERSION[0], *OTHER_VERSION[2:]),
        ("", *OTHER_VERSION[1:]),
        (*PLATFORM, *OWN, "RUN more"),
        ("", "", ""),
    ],
)
def test_another_base_of_that_name_is_not_believed(other: tuple[str, ...]) -> None:
    assert count(Evidence(history=other)) == GUESS


def test_nameless_entries_are_like_no_others() -> None:
    assert count(Evidence(history=("", "")), "", "", "COPY a /", layers=3) == GUESS


def test_the_dockerfile_s_own_instructions_end_the_history() -> None:
    assert count(Evidence(added=ADDED)) == PLATFORM_LAYERS


@pytest.mark.parametrize(
    "added",
    [
        (*ADDED[:2], "COPY worker/ /opt/worker"),  # edited since
        (ADDED[0], ADDED[2], ADDED[1]),
        ("RUN apk add gcc", *ADDED[1:]),
        ("COPY a /", "COPY b /", "COPY c /", *ADDED),  # more than there are
        (),
    ],
)
def test_instructions_that_do_not_fit_are_not_believed(added: tuple[str, ...]) -> None:
    assert count(Evidence(added=added)) == GUESS


def test_of_two_answers_the_shorter_holds() -> None:
    below = OTHER_VERSION[:4]  # an older base, without its last layer
    assert count(Evidence(history=below, added=ADDED)) == 2
    assert count(Evidence(history=OTHER_VERSION, added=ADDED[1:])) == PLATFORM_LAYERS


@pytest.mark.parametrize(
    ("written", "recorded"),
    [
        ("RUN <<EOF set -e\necho hello > /h\n", "|1 A=b /bin/sh -c set -e\necho hello > /h\n"),
        ("RUN <<EOF cat > /k text\n", "RUN <<EOF cat > /k\ntext\nEOF"),
        ("RUN touch /y", "|1 A=b touch /y"),
        ('RUN echo   "a  b"', 'RUN /bin/bash -o pipefail -c echo "a b"'),
        ("COPY a b /x y", "COPY a b /x y"),
        ("COPY <<EOF /cfg", "COPY <<EOF /cfg"),
        ("ADD https://example.org/a.tar /", "ADD https://example.org/a.tar /"),
        ("WORKDIR sub", "WORKDIR /srv/x/sub"),
    ],
)
def test_instructions_are_known_again_in_all_their_forms(written: str, recorded: str) -> None:
    assert count(Evidence(added=(written,)), *PLATFORM, f"{recorded} # buildkit", layers=4) == 3


def test_a_pulled_image_counts_where_it_goes_further_than_the_guess() -> None:
    assert count(Evidence(at_least=PLATFORM_LAYERS)) == PLATFORM_LAYERS
    assert count(Evidence(at_least=GUESS)) == GUESS
    official = ("RUN set -eux; savedAptMark=1", "RUN set -eux; for src in pip3; do :; done")
    image = (PLATFORM[0], *official, "COPY a /a")
    assert count(Evidence(at_least=1), *image, layers=4) == 3


def test_what_copies_a_whole_folder_is_an_application_and_no_base() -> None:
    image = (PLATFORM[0], "COPY . /srv", "COPY extra /srv/extra")
    assert count(Evidence(at_least=2), *image, layers=3) == GUESS


@pytest.mark.parametrize("evidence", [Evidence(added=ADDED), Evidence(at_least=2)])
def test_a_history_that_does_not_fit_says_nothing(evidence: Evidence) -> None:
    assert count(evidence, *OWN) == GUESS
    assert count_base_layers(evidence, [], LAYERS) == GUESS


def test_each_evidence_has_a_key_of_its_own() -> None:
    several = [NOTHING_KNOWN, *(Evidence(layers=count) for count in (0, 1)), Evidence(at_least=1)]
    several += [Evidence(history=ADDED), Evidence(added=ADDED), Evidence(added=ADDED[1:])]
    assert len({item.key for item in several}) == len(several)
    assert NOTHING_KNOWN.key == Evidence().key == ""
    assert Evidence(added=ADDED).key == Evidence(added=(*ADDED[:1], *ADDED[1:])).key


def account(layers: Sequence[LayerIndex], evidence: Evidence, *entries: str) -> Accounting:
    diff_ids = [layer.diff_id for layer in layers]
    config = json.dumps({"history": history(*entries), "rootfs": {"diff_ids": diff_ids}})
    image = ArchivedImage(digests=frozenset(), config=config.encode(), diff_ids=tuple(diff_ids))
    return account_for(layers, image, evidence)


BIG, SMALL = "usr/lib/big", "etc/small"


@pytest.mark.parametrize(("base_layers", "of_base"), [(0, 0), (1, 0), (2, 500), (3, 500), (4, 570)])
def test_only_what_was_dead_in_the_base_is_the_bases(base_layers: int, of_base: int) -> None:
    """Killing a file of the base is the image's own doing."""
    layers = [
        made_layer({BIG: 500, SMALL: 70, "bin/sh": 10}),
        made_layer({"bin/ls": 5}, gone=[BIG]),
        made_layer({"app/main": 30}),
        made_layer({"app/other": 1}, gone=[SMALL]),
        made_layer({"app/last": 1}, gone=["app/main"]),
    ]
    accounting = make_accounting(
        layers, ["ADD rootfs /", *["RUN it"] * 4], base_layers=base_layers, workdir="/"
    )
    assert (accounting.base_dead_bytes, accounting.own_dead_bytes) == (of_base, 600 - of_base)
    listed = sum(item.bytes for item in accounting.dead if accounting.is_of_base(item))
    assert (accounting.base_layers, listed) == (base_layers, of_base)


def test_a_base_of_which_nothing_tells_has_no_dead_bytes() -> None:
    layers = [made_layer({BIG: 500}), made_layer({"bin/ls": 5}, gone=[BIG])]
    unknown = account(layers, NOTHING_KNOWN)
    assert (unknown.base_layers, unknown.base_dead_bytes, unknown.own_dead_bytes) == (None, 0, 500)
    known = account(layers, Evidence(layers=2))
    assert (known.base_layers, known.base_dead_bytes, known.own_dead_bytes) == (2, 500, 0)


def test_what_a_base_brings_is_no_application() -> None:
    layers = [made_layer({"bin/busybox": 800}), made_layer({"usr/bin/tool": 7_000})]
    layers.append(made_layer({"srv/app/main": 90}))
    entries = (PLATFORM[0], "COPY tools/ /usr/bin/ # buildkit", "COPY main /srv/app")
    assert account(layers, NOTHING_KNOWN, *entries).bytes_of(Cause.APPLICATION) == 7_090
    known = account(layers, Evidence(layers=2), *entries)
    assert (known.bytes_of(Cause.APPLICATION), known.bytes_of(Cause.BASE)) == (90, 7_800)
