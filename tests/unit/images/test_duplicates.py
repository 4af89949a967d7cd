"""Contents that a stack holds more than once."""

import pytest

from hand_made import made_layer
from onegig.images.sharing import MOST, find_duplicates
from onegig.model.images import Duplicate

BASE = made_layer({"bin/sh": "s" * 100})


def test_the_same_content_under_other_paths_in_other_layers_and_images() -> None:
    duplicates = find_duplicates(
        {
            "a": [BASE, made_layer({"app/x": "x" * 50, "app/y": "x" * 50})],
            "b": [BASE, made_layer({"srv/caf\udce9": "x" * 50})],
        }
    )
    assert duplicates == (
        Duplicate(
            bytes=50,
            copies=3,
            wasted_bytes=100,
            places=("a: /app/x", "a: /app/y", "b: /srv/caf\\xe9"),
        ),
    )


def test_a_shared_layer_is_there_once() -> None:
    same = made_layer({"opt/sh": "s" * 100})
    duplicates = find_duplicates({name: [BASE, same] for name in "abc"})
    assert duplicates == (
        Duplicate(
            bytes=100,
            copies=2,
            wasted_bytes=100,
            places=("a and 2 more: /bin/sh", "a and 2 more: /opt/sh"),
        ),
    )
    assert find_duplicates({"a": [BASE, BASE], "b": [BASE]}) == ()


def test_hard_links_and_empty_files_are_no_duplicates() -> None:
    layer = made_layer({"a": "x" * 50, "b": "", "c": ""}, links={"d": "a"})
    assert find_duplicates({"image": [layer]}) == ()


def test_what_a_later_layer_deletes_takes_room_all_the_same() -> None:
    layers = [made_layer({"a": "x"}), made_layer({"b": "x"}, gone=["a"])]
    assert [item.wasted_bytes for item in find_duplicates({"image": layers})] == [1]


def test_what_wastes_most_comes_first_and_the_list_has_an_end() -> None:
    texts = {f"{number}": "x" * (10 + number) for number in range(MOST + 20)}
    copies = {f"copy/{name}": text for name, text in texts.items()}
    duplicates = find_duplicates({"image": [made_layer(texts | copies)]})
    assert [item.bytes for item in duplicates] == list(range(MOST + 29, 29, -1))[:MOST]


@pytest.mark.parametrize("copies", [6, 9])
def test_five_places_are_named(copies: int) -> None:
    (duplicates,) = find_duplicates({"i": [made_layer({str(n): "x" for n in range(copies)})]})
    assert (duplicates.copies, len(duplicates.places)) == (copies, 5)
