"""What images share, and what the stack takes."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from onegig.images.manifests import chain_ids
from onegig.images.sharing import disk_bytes, own_bytes, users_by_chain
from onegig.model.images import Layer

SIZES = {f"sha256:{number:064x}": number * 1000 for number in range(6)}


def layers(*numbers: int) -> tuple[Layer, ...]:
    diff_ids = [f"sha256:{number:064x}" for number in numbers]
    return tuple(
        Layer(
            diff_id=diff_id,
            chain_id=chain_id,
            size_bytes=SIZES[diff_id],
            compressed_bytes=SIZES[diff_id] // 2,
            instruction="",
        )
        for diff_id, chain_id in zip(diff_ids, chain_ids(diff_ids), strict=True)
    )


def size(image: tuple[Layer, ...]) -> int:
    return sum(layer.size_bytes for layer in image)


images = st.lists(st.integers(0, 5), max_size=5).map(lambda numbers: layers(*numbers))
stacks = st.lists(images, max_size=6)


@pytest.mark.parametrize(
    ("stack", "own", "disk"),
    [
        ([layers(1, 2), layers(1, 3), layers(4)], [2000, 3000, 4000], 10_000),
        ([layers(1, 5), layers(2, 5)], [6000, 7000], 13_000),  # on another base, so not shared
        ([layers(3, 4), layers(3, 4)], [0, 0], 7000),  # one image under two names
    ],
)
def test_shared_layers_count_once(
    stack: list[tuple[Layer, ...]], own: list[int], disk: int
) -> None:
    users = users_by_chain(stack)
    assert [own_bytes(image, users) for image in stack] == own
    assert disk_bytes(stack) == disk


@given(stack=stacks)
def test_the_disk_holds_at_most_the_sum_and_at_least_the_largest(
    stack: list[tuple[Layer, ...]],
) -> None:
    total = sum(size(image) for image in stack)
    assert max((size(image) for image in stack), default=0) <= disk_bytes(stack) <= total


@given(stack=stacks)
def test_own_bytes_are_what_leaving_an_image_out_frees(stack: list[tuple[Layer, ...]]) -> None:
    users = users_by_chain(stack)
    for place, image in enumerate(stack):
        others = stack[:place] + stack[place + 1 :]
        assert own_bytes(image, users) == disk_bytes(stack) - disk_bytes(others)
        assert 0 <= own_bytes(image, users) <= size(image)
