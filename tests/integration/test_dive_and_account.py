"""The real dive on images made by hand, beside the exact account of the same layers."""

from random import Random

import pytest

from fake_engine import FakeEngine, MadeImage, make_image
from layer_entries import directory, file, opaque, whiteout
from looked_at import look, look_at
from onegig.images import dive
from onegig.images.layer import Entry
from onegig.model.images import Accounting, Dive, Image, WastedFile
from random_layers import as_tar

RANDOM_IMAGES = 25
UNSEEN = "it does not see files that were removed with their directory"
TWICE = "it counts every copy of a file, even the one in use"
MB = 1_000_000


def inspected(program: dive.Program, layers: list[list[Entry]]) -> tuple[Image, Dive, Accounting]:
    image = MadeImage(layers=tuple(as_tar(entries) for entries in layers))
    result = look_at(FakeEngine(images={"a:1": image}), "a:1", program)
    assert isinstance(result.dive, Dive), result.dive
    assert isinstance(result.accounting, Accounting)
    return result, result.dive, result.accounting


def test_numbers_of_dive(installed_dive: dive.Program) -> None:
    """By its formulas: sum of the smallest copies over the sum of all, all copies wasted."""
    layers = [[file("kept", 600), file("twice", 100)], [file("twice", 300)]]
    _, opinion, _ = inspected(installed_dive, layers)
    assert opinion == Dive(
        version=installed_dive.version,
        efficiency=700 / 1000,
        wasted_bytes=400,
        user_wasted_share=400 / 300,
        worst=(WastedFile(path="/twice", copies=2, bytes=400),),
    )


@pytest.mark.parametrize(
    ("lower", "upper", "wasted", "dead", "reasons"),
    [
        (
            *([directory("d"), file("d/a", 9 * MB), file("kept", MB)], [whiteout("d")], 0, 9),
            [UNSEEN],
        ),
        (
            [directory("d"), file("d/a", 3 * MB)],
            [directory("d"), opaque("d"), file("d/b")],
            *(0, 3, [UNSEEN]),
        ),
        ([file("a", 2 * MB)], [file("a", 3 * MB)], 5, 2, [TWICE]),
        (
            [file("a", 2 * MB), directory("d"), file("d/a", 6 * MB)],
            [file("a", 3 * MB), whiteout("d")],
            *(5, 8, [UNSEEN, TWICE]),
        ),
        ([file("a", 2 * MB)], [directory("a"), file("a/b")], 0, 2, ["it ignores files"]),
        ([file("a", 2 * MB), file("b")], [whiteout("a")], 2, 2, []),
    ],
)
def test_where_dive_and_the_account_disagree_one_line_says_why(
    installed_dive: dive.Program,
    lower: list[Entry],
    upper: list[Entry],
    wasted: int,
    dead: int,
    reasons: list[str],
) -> None:
    _, opinion, account = inspected(installed_dive, [lower, upper])
    assert (opinion.wasted_bytes, account.dead_bytes) == (wasted * MB, dead * MB)
    assert all(reason in account.remark for reason in reasons)
    assert bool(account.remark) is bool(reasons)


@pytest.mark.parametrize("number", range(RANDOM_IMAGES))
def test_of_plain_files_dive_wastes_the_dead_and_the_copies_in_use(
    installed_dive: dive.Program, number: int
) -> None:
    """Where files are only written, overwritten and removed, both add up to the byte."""
    random = Random(number)
    names = "abcdefgh"
    layers: list[list[Entry]] = []
    sizes: dict[str, int] = {}  # of what is there
    seen: dict[str, int] = {}  # in how many layers
    for _ in range(random.randint(1, 5)):
        layer = []
        for name in random.sample(names, random.randint(1, 6)):
            if name in sizes and random.random() < 0.4:
                layer.append(whiteout(name))
                del sizes[name]
            else:
                sizes[name] = random.choice((1, 512, 9999))
                layer.append(file(name, sizes[name], str(random.randint(1, 2))))
            seen[name] = seen.get(name, 0) + 1
        layers.append(layer)
    _, opinion, account = inspected(installed_dive, layers)
    in_use = sum(size for name, size in sizes.items() if seen[name] > 1)
    assert opinion.wasted_bytes == account.dead_bytes + in_use


@pytest.mark.parametrize("form", ["nested", "docker"])
def test_dive_is_asked_about_every_image(installed_dive: dive.Program, form: str) -> None:
    base = [("bin/sh", b"s" * 4000)]
    images = {name: make_image(base, [(name, b"w" * 100)]) for name in "abc"}
    result = look(FakeEngine(images, form), *images, program=installed_dive)
    efficient = [image.dive.efficiency for image in result.report.images if image.dive]  # type: ignore[union-attr]
    assert efficient == [1.0] * 3
