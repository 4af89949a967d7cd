"""Reports of large stacks are shortened without a byte getting lost."""

from dataclasses import replace

import pytest

from accounts import part
from factories import make_images
from onegig.images.accounts.abridge import FEWEST, abridge
from onegig.model.accounting import Accounting, Cause
from onegig.model.images import ImagesReport
from onegig.publish.trusted.plausible import doubt_images

COUNT = 200


def report() -> ImagesReport:
    """Two images with 200 packages and 200 losses each."""
    images = make_images(["web", "jobs"])
    return replace(
        images, images=tuple(replace(one, accounting=_long(one)) for one in images.images)
    )


def _long(image: object) -> Accounting:
    (one,) = make_images(["web"]).images
    account = one.accounting
    assert isinstance(account, Accounting)
    assert image
    packages = [part(Cause.BASE, f"p{i}", "apk", 100 + i, i % 2) for i in range(COUNT)]
    return replace(
        account,
        live_bytes=account.live_bytes + sum(one.bytes for one in packages),
        parts=(*account.parts, *packages),
        dead=(
            *account.dead,
            *(replace(account.dead[0], bytes=i, largest=()) for i in range(COUNT)),
        ),
    )


def test_what_is_short_stays_as_it_is() -> None:
    assert abridge(report(), most=2 * (2 * COUNT + 10)) == report()


@pytest.mark.parametrize("most", [400, 250, 1])
def test_sums_by_cause_stay_and_the_largest_are_kept(most: int) -> None:
    each = max(FEWEST, most // 4)
    for before, after in zip(report().images, abridge(report(), most).images, strict=True):
        assert isinstance(before.accounting, Accounting)
        assert isinstance(after.accounting, Accounting)
        for cause in Cause:
            assert after.accounting.bytes_of(cause) == before.accounting.bytes_of(cause)
        assert after.accounting.dead_bytes == before.accounting.dead_bytes
        assert len(after.accounting.dead) == each
        assert after.accounting.dead[0] == before.accounting.dead[0]
        assert each <= len(after.accounting.parts) <= each + 2 * len(Cause)
        assert "libcrypto3 3.5.4-r0" in {one.name for one in after.accounting.parts}


def test_an_abridged_report_is_as_plausible_as_the_whole() -> None:
    def about_accounts(one: ImagesReport) -> list[str]:
        return [text for text in doubt_images(one) if "parts" in text or "dead" in text]

    assert about_accounts(abridge(report(), most=1)) == about_accounts(report())
