"""Findings of a scan beside a baseline: one by one, not by how many there are.

trivy's database knows more of the same packages every day: a higher count is no sign of a change.
"""

from onegig.judge.contents import Known, known_of, told
from onegig.judge.scan_findings import how_many
from onegig.model.baseline import Baseline, Mark
from onegig.model.images import Image, ImagesReport
from onegig.model.measured import Missing, Skipped
from onegig.model.report import Report
from onegig.model.review import Change, Delta
from onegig.model.scan import Scan
from onegig.model.verdict import Check, State

SCANS = ("image.secrets", "image.vulnerabilities", "image.misconfigurations")
NOT_COUNTED = Skipped(reason="the baseline did not count them")


def scan_delta(check: Check, mark: Mark | None, report: Report, baseline: Baseline) -> Delta | None:
    """The delta of a check that counted findings; None for every other check.

    Nothing is inherited where the baseline does not know what was in the image.
    """
    image = _image(check, report)
    if check.id not in SCANS or image is None or not isinstance(image.scan, Scan):
        return None
    if isinstance(check.value, Missing):
        return None
    known = known_of(image, baseline)
    if mark is None and isinstance(known, Missing):
        return None
    new = None if isinstance(known, Missing) else _introduced(check, image.scan, known)
    return Delta(
        id=check.id,
        subject=check.subject,
        change=Change.NEW if mark is None else Change.CHANGED if new != 0 else Change.SAME,
        before=mark.value if mark else NOT_COUNTED,
        inherited=check.state is not State.GO and new == 0,
    )


def _image(check: Check, report: Report) -> Image | None:
    images = report.images.images if isinstance(report.images, ImagesReport) else ()
    found = (one for one in images if check.subject in (one.reference, *one.services))
    return next(found, None)


def _introduced(check: Check, scan: Scan, known: Known) -> int:
    """How many of the findings that count are not in the baseline."""
    counted = set(check.findings)
    found = (one for one in scan.everything if told(one) in counted)
    return how_many(one for one in found if not known.has(one))
