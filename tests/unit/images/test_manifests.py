"""A layer's chain id and instruction."""

import hashlib

import pytest

from onegig.images.manifests import chain_ids, instructions


def test_a_chain_id_names_a_layer_with_all_below_it() -> None:
    """ChainID(L0|...|Ln) = Digest(ChainID(L0|...|Ln-1) + " " + DiffID(Ln)), OCI image-spec."""
    first, second, third = (f"sha256:{letter * 64}" for letter in "abc")
    pair = hashlib.sha256(f"{first} {second}".encode()).hexdigest()
    triple = hashlib.sha256(f"sha256:{pair} {third}".encode()).hexdigest()
    assert list(chain_ids([first, second, third])) == [first, f"sha256:{pair}", f"sha256:{triple}"]
    assert list(chain_ids([])) == []


@pytest.mark.parametrize(
    ("recorded", "shown"),
    [
        ({"created_by": "RUN /bin/sh -c apk add curl # buildkit"}, "RUN apk add curl"),
        ({"created_by": "/bin/sh -c apk add curl"}, "RUN apk add curl"),
        ({"created_by": "/bin/sh -c #(nop) COPY dir:1 in /srv "}, "COPY dir:1 in /srv"),
        ({"created_by": "|1 A=b /bin/sh -c make"}, "RUN make"),
        ({"created_by": "RUN |2 A=b C=d /bin/sh -c make # buildkit"}, "RUN make"),
        ({"created_by": "COPY . / # buildkit"}, "COPY . /"),
        ({"created_by": "ADD rootfs.tar.gz / # buildkit"}, "ADD rootfs.tar.gz /"),
        ({"created_by": "", "comment": "Imported from -"}, "Imported from -"),
        ({"created_by": "bazel build ..."}, "bazel build ..."),
        ({}, ""),
    ],
)
def test_instructions_read_as_the_dockerfile_had_them(recorded: dict[str, str], shown: str) -> None:
    empty = {"created_by": "ENV A=b", "empty_layer": True}
    assert instructions([empty, recorded, empty], 1) == (shown,)


def test_a_history_of_another_length_names_no_instruction() -> None:
    """A wrong instruction would be worse than none."""
    history = [{"created_by": "COPY a /"}, {"created_by": "COPY b /"}]
    assert instructions(history, 3) == ("", "", "")
    assert instructions([], 1) == ("",)
