"""Reports of large stacks are shortened to what the trusted half takes, no byte getting lost."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from accounts import make_scan, part
from gate_runs import make_honest_images, zip_files
from onegig.github.gate import LENGTHS, ROOM, TOO_MANY, Room, abridge
from onegig.github.trusted.artifact import read_artifact
from onegig.github.trusted.plausibility import doubt_images
from onegig.model.codec import to_json
from onegig.model.images import Accounting, Cause, Fate, Image, ImagesReport, SizedPath
from onegig.model.measured import Missing
from onegig.model.report import RunReport
from onegig.model.scan import Scan

COUNT = 200
CLAIM = RunReport(
    event="pull_request",
    head_sha="a" * 40,
    measured_sha="b" * 40,
    base_sha="c" * 40,
    onegig_version="0.1.0",
    reproduce="onegig check",
)
Change = Callable[[Image], Image]


def changed(change: Change, count: int = 15) -> ImagesReport:
    """The honest report with other images of the same layers."""
    report = make_honest_images()
    images = tuple(map(change, report.images[:count]))
    return replace(report, images=images)


def with_parts(count: int) -> Change:
    """So many packages of no bytes and so many files that nobody sees, each with five paths."""
    paths = tuple(SizedPath(path=f"/usr/lib/python3.13/a/{i}.pyc", bytes=0) for i in range(5))

    def change(image: Image) -> Image:
        account = image.accounting
        assert isinstance(account, Accounting)
        packages = (part(Cause.BASE, f"p{i}", "apk", 0, i % 2) for i in range(count))
        loss = replace(account.dead[0], bytes=0, files=5, largest=paths)
        account = replace(
            account,
            parts=(*account.parts, *packages),
            dead=(*account.dead, *[loss] * count),
        )
        return replace(image, accounting=account)

    return change


def with_packages(count: int) -> Change:
    names = tuple(f"libsomething-{i}-common 2.41.{i}-5+deb13u1 (debian 13)" for i in range(count))
    return lambda image: replace(image, scan=replace(make_scan(), packages=names))


def read_back(report: ImagesReport) -> ImagesReport | Missing:
    """What the trusted half makes of it; ArtifactError where it refuses it."""
    texts = {"run.json": to_json(CLAIM), "images.json": to_json(report)}
    return read_artifact(zip_files(texts)).images


@pytest.mark.parametrize("change", [with_parts(COUNT), with_packages(COUNT)])
def test_what_fits_stays_as_it_is(change: Change) -> None:
    report = changed(change)
    assert abridge(report, {}) == report


@pytest.mark.parametrize("objects", [6_000, 3_000, 1_500])
def test_sums_by_cause_stay_and_the_largest_are_kept(objects: int) -> None:
    report = changed(with_parts(COUNT))
    short = abridge(report, {}, Room(objects=objects))
    assert to_json(short).count("{") <= objects
    for before, after in zip(report.images, short.images, strict=True):
        assert isinstance(before.accounting, Accounting)
        assert isinstance(after.accounting, Accounting)
        for cause in Cause:
            assert after.accounting.bytes_of(cause) == before.accounting.bytes_of(cause)
        assert after.accounting.dead_bytes == before.accounting.dead_bytes
        assert after.accounting.dead[:2] == before.accounting.dead[:2]
        assert after.accounting.fixes[:2] == before.accounting.fixes[:2]
        assert "libcrypto3 3.5.4-r0" in {one.name for one in after.accounting.parts}


def test_as_much_is_kept_as_there_is_room_for() -> None:
    report = changed(with_parts(COUNT))
    kept = [
        len(to_json(abridge(report, {}, Room(bytes=size)))) for size in (2_000_000, 400_000, 90_000)
    ]
    assert kept[0] > kept[1] > kept[2]
    assert [size <= most for size, most in zip(kept, (2_000_000, 400_000, 90_000), strict=True)]


@pytest.mark.parametrize("most", [0, 300, 20_000])
def test_an_abridged_report_is_as_plausible_as_the_whole(most: int) -> None:
    report = changed(with_parts(COUNT))
    whole = list(doubt_images(report))
    assert list(doubt_images(abridge(report, {}, Room(objects=most)))) == whole


@pytest.mark.parametrize(
    "change",
    [with_parts(3_000), with_parts(20_001), with_packages(7_000), with_packages(20_001)],
    ids=["225,000 paths", "too many parts of one", "105,000 packages", "too many packages of one"],
)
def test_whatever_is_large_is_taken_by_the_trusted_half(change: Change) -> None:
    short = abridge(changed(change), {})
    assert ROOM.holds(to_json(short))
    assert read_back(short) == short


def test_packages_stay_whole_or_are_said_to_be_missing() -> None:
    """What is compared with half a list would find the other half to be new."""
    report = changed(with_packages(COUNT))
    for values, packages in ((4_800, _packages(report)), (4_000, [TOO_MANY] * 15)):
        short = abridge(report, {}, Room(values=values))
        assert short != report
        assert _packages(short) == packages


def test_what_cannot_fit_is_as_short_as_can_be() -> None:
    short = abridge(changed(with_parts(COUNT)), {}, Room(bytes=0))
    account = short.images[0].accounting
    assert isinstance(account, Accounting)
    assert len(account.dead) == LENGTHS[-1]
    assert {one.fate for one in account.dead} >= {Fate.DELETED_WITH_DIRECTORY, Fate.OVERWRITTEN}


def _packages(report: ImagesReport) -> list[Any]:
    return [one.scan.packages for one in report.images if isinstance(one.scan, Scan)]
