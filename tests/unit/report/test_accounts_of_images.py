"""Bytes of images added up for people: by cause, over the stack, and what can be eliminated."""

from dataclasses import replace

import pytest

from accounts import BYTECODE, GONE, OVERWRITTEN, part
from factories import MB, SERVICES, make_images
from onegig.model.images import NOT_ACCOUNTED, Accounting, Cause, Fix, Image, ImagesReport
from onegig.model.measured import Skipped, Unknown
from onegig.report import accounts
from reviews import with_layer

STACK = make_images(SERVICES)
TORCH = "RUN pip install torch==2.9.1"


def account(image: Image) -> Accounting:
    assert isinstance(image.accounting, Accounting)
    return image.accounting


def with_fixes(report: ImagesReport, *fixes: Fix) -> ImagesReport:
    """The same fixes, and no others, for every image."""
    saved = sum(fix.bytes for fix in fixes)
    images = (
        replace(image, accounting=replace(account(image), fixes=fixes, eliminable_bytes=saved))
        for image in report.images
    )
    return replace(report, images=tuple(images))


def fix(size: int, layer: int | None, text: str = "do so", place: str = "") -> Fix:
    return Fix(bytes=size, layer=layer, text=text, place=place)


@pytest.mark.parametrize("entry", accounts.splits(STACK), ids=lambda entry: entry.name)
def test_causes_and_dead_bytes_are_the_image(entry: accounts.Split) -> None:
    assert sum(entry.causes.values()) + entry.dead_bytes == entry.size_bytes


def test_the_stack_on_disk_is_its_layers_once() -> None:
    together = accounts.on_disk(STACK)
    assert together is not None
    assert sum(together.causes.values()) + together.dead_bytes == STACK.disk_bytes
    assert together.dead_bytes == OVERWRITTEN + GONE  # all in layers that the images share
    assert together.causes[Cause.CACHE] == BYTECODE
    own = sum(image.layers[-1].size_bytes for image in STACK.images)
    assert together.causes[Cause.APPLICATION] == own


def test_what_one_image_uses_of_a_shared_layer_is_not_dead_on_disk() -> None:
    web, jobs = make_images(["web", "jobs"]).images
    used = replace(
        account(jobs),
        parts=(*account(jobs).parts, part(Cause.RUNTIME, "ensurepip", "path", GONE, 1)),
        live_bytes=account(jobs).live_bytes + GONE,
        deleted_with_directory_bytes=0,
        dead=account(jobs).dead[1:],
    )
    report = make_images(["web", "jobs"])
    together = accounts.on_disk(replace(report, images=(web, replace(jobs, accounting=used))))
    assert together is not None
    assert together.dead_bytes == OVERWRITTEN


def test_without_accounts_of_all_images_nothing_is_said_of_the_whole() -> None:
    first, *others = STACK.images
    report = replace(STACK, images=(replace(first, accounting=NOT_ACCOUNTED), *others))
    assert accounts.on_disk(report) is None
    assert len(accounts.splits(report)) == len(others)


def test_bloat_is_the_size_over_application_and_packages() -> None:
    (entry,) = accounts.splits(make_images(["web"]))
    assert entry.bloat == "17.9\u00d7"


def test_an_image_without_anything_useful_has_no_bloat_factor() -> None:
    (entry,) = accounts.splits(make_images(["web"]))
    assert replace(entry, causes=dict.fromkeys(Cause, 0)).bloat == "\u2013"


def test_a_fix_of_a_shared_layer_saves_once() -> None:
    report = with_fixes(STACK, fix(3 * MB, 1))
    assert accounts.eliminable_bytes(report) == 3 * MB
    (entry,) = accounts.advice(report)
    assert (entry.saving, entry.whose) == ("saves 3.0 MB", "redis-coordinator and 14 more")


def test_a_fix_of_each_images_own_layer_saves_in_each() -> None:
    report = with_fixes(STACK, fix(3 * MB, 3))
    assert accounts.eliminable_bytes(report) == 45 * MB
    (entry,) = accounts.advice(report)
    assert entry.saving == "saves 45 MB"


def test_what_saves_most_comes_first() -> None:
    report = with_fixes(STACK, fix(MB, 1, "a"), fix(5 * MB, 2, "b"), fix(MB // 2, 3, "c"))
    assert [entry.text for entry in accounts.advice(report)] == ["c", "b", "a"]  # 7.5, 5 and 1 MB


def test_dead_bytes_that_no_fix_names_count_once_in_shared_layers() -> None:
    assert accounts.eliminable_bytes(STACK) == BYTECODE + GONE + OVERWRITTEN


@pytest.mark.parametrize(
    ("saved", "worth"), [(2_400_000, False), (2_470_000, True), (5_000_000, True)]
)
def test_little_is_not_worth_an_open_line(saved: int, worth: bool) -> None:
    """10 % of the largest image, which has 24.64 MB, or 5 MB of all."""
    report = with_fixes(make_images(["mean-reversion"]), fix(saved, 1))
    assert bool(accounts.eliminable_line(report)) == worth
    assert not accounts.eliminable_line(with_fixes(STACK, fix(1, 1)))


def test_the_largest_fix_of_an_image_is_told_unless_it_is_next_to_nothing() -> None:
    torch = with_layer(make_images(["web"]), "web", TORCH, 100.0).images[0]
    result = accounts.largest_fix(torch)
    assert result is not None
    assert result.bytes == 25 * MB
    assert accounts.largest_fix(replace(torch, accounting=NOT_ACCOUNTED)) is None
    (small,) = with_fixes(make_images(["web"]), fix(MB, 1)).images
    assert accounts.largest_fix(small) is None


@pytest.mark.parametrize(
    ("reason", "line"),
    [
        (NOT_ACCOUNTED, "jobs and 1 more: bytes by cause: not accounted for"),
        (
            Unknown(reason="layer 2 is no tar"),
            "jobs and 1 more: bytes by cause: not accounted for: layer 2 is no tar",
        ),
    ],
)
def test_a_missing_account_is_told_once_with_its_reason(
    reason: Skipped | Unknown, line: str
) -> None:
    report = make_images(["web", "jobs"])
    images = tuple(replace(image, accounting=reason) for image in report.images)
    assert [entry.line for entry in accounts.not_accounted(replace(report, images=images))] == [
        line
    ]
    assert accounts.splits(replace(report, images=images)) == ()


def test_where_nothing_was_inspected_there_is_nothing_to_say() -> None:
    gap = Unknown(reason="no engine")
    assert accounts.splits(gap) == accounts.advice(gap) == accounts.dive_remarks(gap) == ()
    assert accounts.eliminable_bytes(gap) == 0
