"""A hundred thousand findings: handed on by the gate, taken by the trusted half, judged as all."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import date
from pathlib import Path

import pytest

from accounts import make_scan
from gate_runs import (
    Post,
    Scene,
    make_honest_images,
    make_honest_memory,
    open_scene,
    zip_files,
)
from github.stand_in import StandIn
from onegig.config.budgets import parse_budgets
from onegig.errors import ArtifactError
from onegig.github.gate import Gate, write_numbers
from onegig.github.trusted.artifact import read_artifact
from onegig.judge.baseline import make_baseline
from onegig.judge.scan import weigh_findings
from onegig.judge.verdict import judge
from onegig.model.codec import to_json, to_line
from onegig.model.images import ImagesReport
from onegig.model.measured import Missing
from onegig.model.scan import Finding, FindingKind, Scan, Severity
from onegig.model.verdict import Baseline, Verdict
from scenarios import make_go

HERE = "octo/stack"
PACKAGES = 900
COUNT = 100_000
BUDGETS = (
    "version: 1\n"
    "scan: {vulnerabilities: 0, secrets: 0}\n"
    "waivers: [{check: image.vulnerabilities, id: CVE-2026-7, reason: r, owner: '@o', "
    "expires: 2026-12-24}]\n"
)
LIMITS = parse_budgets("budgets.yml", BUDGETS.encode())
TODAY = date(2026, 11, 25)
SEVERITIES = (Severity.HIGH, Severity.MEDIUM, Severity.CRITICAL, Severity.LOW)
SYSTEM = "debian 13"
NEW = Finding(
    kind=FindingKind.VULNERABILITY,
    id="CVE-2026-NEW",
    severity=Severity.HIGH,
    target="brought-in",
    installed="2.0",
    fixed="2.1",
)
SECRET = Finding(
    kind=FindingKind.SECRET, id="github-pat", severity=Severity.HIGH, target="/app/.env"
)


def old_finding(number: int) -> Finding:
    return Finding(
        kind=FindingKind.VULNERABILITY,
        id=f"CVE-2026-{number}",
        severity=SEVERITIES[number % 4],
        target=f"lib{number % PACKAGES}",
        installed="1.2.3-4",
        fixed="1.2.3-5" if number % 3 else "",
        title=f"lib{number % PACKAGES}: something that should not be, the {number}th of its kind",
        system=SYSTEM,
    )


OLD = tuple(map(old_finding, range(COUNT)))
NAMES = tuple(f"lib{number} 1.2.3-4 ({SYSTEM})" for number in range(PACKAGES))


def images(found: Sequence[Finding], *, spread: bool) -> ImagesReport:
    """These findings in one image, or a part of them in each; every one has all the packages."""
    report = make_honest_images()
    count = len(report.images) if spread else 1
    scans = [
        replace(make_scan(*found[place::count]), packages=NAMES) if place < count else make_scan()
        for place in range(len(report.images))
    ]
    pairs = zip(report.images, scans, strict=True)
    return replace(report, images=tuple(replace(one, scan=scan) for one, scan in pairs))


def base_of(report: ImagesReport) -> Baseline:
    """The base branch has the packages and the secret, and no finding was known then."""
    scans = [
        replace(make_scan(SECRET), packages=one.scan.packages)
        for one in report.images
        if isinstance(one.scan, Scan)
    ]
    pairs = zip(report.images, scans, strict=True)
    known = replace(report, images=tuple(replace(one, scan=scan) for one, scan in pairs))
    made = make_baseline(replace(make_go(), images=known), {})
    return replace(made, created="2026-01-01T00:00:00+00:00")


def judged(report: ImagesReport | Missing, main: Baseline) -> Verdict:
    return judge(LIMITS, report, make_honest_memory(), None, today=TODAY, main=main)


def handed_on(report: ImagesReport, main: Baseline, scene: Scene, folder: Path) -> bytes:
    """The artifact that the gate leaves."""
    gate = Gate(
        report=replace(make_go(), images=report, memory=make_honest_memory()),
        claim=scene.claim(),
        places={},
        error=None,
        weights={
            one.reference: weigh_findings(LIMITS, one, today=TODAY, main=main)
            for one in report.images
        },
    )
    write_numbers(gate, folder)
    return zip_files({path.name: path.read_bytes() for path in folder.iterdir()})


@pytest.fixture
def scene(stand_in: StandIn) -> Scene:
    """A pull request of a repository with these limits."""
    found = open_scene(stand_in, head_repository=HERE)
    found.state.commit({"budgets.yml": BUDGETS}, branch="main", message="Limits of findings")
    return found


@pytest.mark.parametrize("spread", [False, True], ids=["one image", "all images"])
@pytest.mark.parametrize(
    ("more", "conclusion"),
    [((), "success"), ((SECRET,), "success"), ((NEW,), "failure")],
    ids=["old ones", "a secret of the base", "a new one"],
)
def test_a_hundred_thousand_findings_are_judged_as_they_are(
    scene: Scene,
    tell: Post,
    tmp_path: Path,
    more: tuple[Finding, ...],
    conclusion: str,
    spread: bool,
) -> None:
    report = images((*more, *OLD), spread=spread)
    main = replace(base_of(report), commit=scene.base)
    scene.state.commit({"history.jsonl": to_line(main)}, branch="onegig-data", message="Data")
    whole = judged(report, main)
    data = handed_on(report, main, scene, tmp_path / "numbers")
    numbers = read_artifact(data).images
    assert isinstance(numbers, ImagesReport)
    short = judged(numbers, main)
    assert [(one.state, one.value) for one in short.checks] == [
        (one.state, one.value) for one in whole.checks
    ]
    assert _of_all(numbers) == _of_all(report)
    scene.upload(data)
    tell(scene.event())
    assert scene.standing() == conclusion
    assert (NEW.id in scene.only_body()) == (NEW in more)
    assert "not listed" in scene.only_body()


def test_the_largest_report_would_be_refused_as_it_is(scene: Scene) -> None:
    """Else the tests above show nothing."""
    texts = {"run.json": to_json(scene.claim()), "images.json": to_json(images(OLD, spread=True))}
    with pytest.raises(ArtifactError):
        read_artifact(zip_files(texts))


def _of_all(report: ImagesReport) -> dict[str, int]:
    """How many findings of each severity there are."""
    found = {severity.value: 0 for severity in Severity}
    for image in report.images:
        assert isinstance(image.scan, Scan)
        for one in image.scan.findings:
            found[one.severity] += one.count
    return found
