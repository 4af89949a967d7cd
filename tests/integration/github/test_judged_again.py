"""Limits and findings are judged again: by the base branch's budgets and its numbers."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import date
from pathlib import Path
from typing import Any

import pytest

from accounts import make_finding, make_scan
from gate_runs import (
    HERE,
    LOOSE,
    TIGHT,
    Open,
    Post,
    Scene,
    make_honest_images,
    make_honest_memory,
    open_scene,
    zip_files,
    zipped,
)
from github.fixtures import CountingClock
from github.stand_in import StandIn
from onegig.config.budgets import parse_budgets
from onegig.errors import ArtifactError, ConfigError
from onegig.github.client import Client
from onegig.github.gate import Gate, write_numbers
from onegig.github.trusted.artifact import read_artifact
from onegig.github.trusted.poster import post
from onegig.github.trusted.runs import Settings
from onegig.judge.baseline import make_baseline
from onegig.judge.scan import weigh_findings
from onegig.judge.verdict import judge
from onegig.model.codec import to_json, to_line
from onegig.model.images import ImagesReport
from onegig.model.measured import Missing
from onegig.model.scan import Finding, FindingKind, Scan, Severity
from onegig.model.verdict import Baseline, Verdict
from scenarios import make_go

pytestmark = pytest.mark.security

LIMIT = "version: 1\nimages: {max_growth: 10%}\n"


@pytest.mark.parametrize(("was", "conclusion"), [(1.0, "success"), (0.5, "failure")])
def test_an_image_that_grew(
    stand_in: StandIn, client: Client, clock: CountingClock, was: float, conclusion: str
) -> None:
    scene = open_scene(stand_in, head_repository=HERE)
    scene.state.commit({"budgets.yml": LIMIT}, branch="main", message="Limits of growth")
    now = make_honest_images()
    scene.upload(zipped(scene.claim(), images=now, memory=make_honest_memory()))
    before: Any = tuple(
        replace(image, size_bytes=int(image.size_bytes * was)) for image in now.images
    )
    baseline = make_baseline(replace(make_go(), images=replace(now, images=before)), {})
    line = to_line(replace(baseline, commit=scene.base, created="2026-01-01T00:00:00+00:00"))
    scene.state.commit({"history.jsonl": line}, branch="onegig-data", message="Data")
    post(client, scene.event(), Settings(), clock)
    (body,) = scene.bodies()
    assert scene.standing() == conclusion
    assert ("against main" in body) is (conclusion == "failure")


@pytest.mark.parametrize(
    ("keys", "mib", "own", "why"),
    [
        ("max_growth: 10%", 50.0, "limit: 1025MB", "growth of memory could not be judged"),
        ("max_growth: 10%", 50.0, "limit: 1024MB", ""),
        ("headroom: 0%", 50.0, "limit: 2048MB", "not squeezed"),
    ],
)
def test_limits_of_its_own_keep_nothing_from_being_judged(
    stand_in: StandIn, tell: Post, keys: str, mib: float, own: str, why: str
) -> None:
    """By them the stack is measured on another machine, without what the base's would ask for."""
    base, changed = (f"version: 1\nmemory: {{{size}, {keys}}}\n" for size in ("limit: 1024MB", own))
    scene = open_scene(
        stand_in,
        head_repository=HERE,
        before={"budgets.yml": base},
        files={"budgets.yml": changed},
    )
    memory = make_honest_memory(mib)
    room = parse_budgets("budgets.yml", changed.encode()).memory.room_bytes
    memory = replace(memory, box=replace(memory.box, cap_bytes=room))
    scene.upload(zipped(scene.claim(), memory=memory))
    on_top_of(scene, make_honest_images())
    tell(scene.event())
    assert scene.standing() == ("pending" if why else "failure")
    assert why in scene.status()


BUDGETS = "version: 1\nscan: {vulnerabilities: 0}\n"
FOUND = make_finding("CVE-2026-77", Severity.HIGH, "openssl")  # in 1.0.0


def images(*findings: Finding, packages: tuple[str, ...] = ()) -> ImagesReport:
    """All images with these findings and packages."""
    report = make_honest_images()
    scan: Scan = replace(
        make_scan(*findings),
        packages=tuple(f"{name} 1.0.0" for name in packages),
    )
    return replace(report, images=tuple(replace(image, scan=scan) for image in report.images))


def on_top_of(scene: Scene, base: ImagesReport) -> None:
    """The base branch's numbers are on the data branch."""
    baseline = replace(make_baseline(replace(make_go(), images=base), {}), commit=scene.base)
    line = to_line(replace(baseline, created="2026-01-01T00:00:00+00:00"))
    scene.state.commit({"history.jsonl": line}, branch="onegig-data", message="Data")


def scene_of(stand_in: StandIn, now: ImagesReport) -> Scene:
    """A pull request whose gate found that, by a budgets.yml that lets no vulnerability pass."""
    scene = open_scene(stand_in, head_repository=HERE)
    scene.state.commit({"budgets.yml": BUDGETS}, branch="main", message="Limits of findings")
    scene.upload(zipped(scene.claim(), images=now, memory=make_honest_memory()))
    return scene


def test_a_new_vulnerability_in_old_packages_fails_nobody(stand_in: StandIn, tell: Post) -> None:
    scene = scene_of(stand_in, images(FOUND, packages=("openssl", "left")))
    on_top_of(scene, images(packages=("openssl",)))
    tell(scene.event())
    (body,) = scene.bodies()
    assert "inherited" in body
    assert scene.standing() == "success"


def test_a_vulnerable_package_that_is_brought_in_fails(stand_in: StandIn, tell: Post) -> None:
    scene = scene_of(stand_in, images(FOUND, packages=("openssl", "left")))
    on_top_of(scene, images(packages=("left",)))
    tell(scene.event())
    (body,) = scene.bodies()
    assert "NO-GO" in body
    assert "CVE-2026-77" in body
    assert scene.standing() == "failure"


def test_without_a_baseline_everything_counts(stand_in: StandIn, tell: Post) -> None:
    scene = scene_of(stand_in, images(FOUND, packages=("openssl",)))
    tell(scene.event())
    assert scene.standing() == "failure"


PACKAGES = 900
COUNT = 100_000
WAIVED = (
    "version: 1\n"
    "scan: {vulnerabilities: 0, secrets: 0}\n"
    "waivers: [{check: image.vulnerabilities, id: CVE-2026-7, reason: r, owner: '@o', "
    "expires: 2026-12-24}]\n"
)
LIMITS = parse_budgets("budgets.yml", WAIVED.encode())
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


def spread_images(found: Sequence[Finding], *, spread: bool) -> ImagesReport:
    """These findings in one image, or a part of them in each; every one has all the packages."""
    report = make_honest_images()
    count = len(report.images) if spread else 1
    scans = [
        replace(make_scan(*found[place::count]), packages=NAMES) if place < count else make_scan()
        for place in range(len(report.images))
    ]
    pairs = zip(report.images, scans, strict=True)
    return replace(report, images=tuple(replace(pair, scan=scan) for pair, scan in pairs))


def base_of(report: ImagesReport) -> Baseline:
    """The base branch has the packages and the secret, and no finding was known then."""
    scans = [
        replace(make_scan(SECRET), packages=image.scan.packages)
        for image in report.images
        if isinstance(image.scan, Scan)
    ]
    pairs = zip(report.images, scans, strict=True)
    known = replace(report, images=tuple(replace(pair, scan=scan) for pair, scan in pairs))
    created = make_baseline(replace(make_go(), images=known), {})
    return replace(created, created="2026-01-01T00:00:00+00:00")


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
            image.reference: weigh_findings(LIMITS, image, today=TODAY, main=main)
            for image in report.images
        },
    )
    write_numbers(gate, folder)
    return zip_files({path.name: path.read_bytes() for path in folder.iterdir()})


@pytest.fixture
def scene(stand_in: StandIn) -> Scene:
    """A pull request of a repository with these limits."""
    result = open_scene(stand_in, head_repository=HERE)
    result.state.commit({"budgets.yml": WAIVED}, branch="main", message="Limits of findings")
    return result


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
    report = spread_images((*more, *OLD), spread=spread)
    main = replace(base_of(report), commit=scene.base)
    scene.state.commit({"history.jsonl": to_line(main)}, branch="onegig-data", message="Data")
    whole = judged(report, main)
    data = handed_on(report, main, scene, tmp_path / "numbers")
    numbers = read_artifact(data).images
    assert isinstance(numbers, ImagesReport)
    short = judged(numbers, main)
    assert [(check.state, check.value) for check in short.checks] == [
        (item.state, item.value) for item in whole.checks
    ]
    assert _of_all(numbers) == _of_all(report)
    scene.upload(data)
    tell(scene.event())
    assert scene.standing() == conclusion
    assert (NEW.id in scene.only_body()) == (NEW in more)
    assert "not listed" in scene.only_body()


def test_the_largest_report_would_be_refused_as_it_is(scene: Scene) -> None:
    """Else the tests above show nothing."""
    texts = {
        "run.json": to_json(scene.claim()),
        "images.json": to_json(spread_images(OLD, spread=True)),
    }
    with pytest.raises(ArtifactError):
        read_artifact(zip_files(texts))


def _of_all(report: ImagesReport) -> dict[str, int]:
    """How many findings of each severity there are."""
    result = {severity.value: 0 for severity in Severity}
    for image in report.images:
        assert isinstance(image.scan, Scan)
        for finding in image.scan.findings:
            result[finding.severity] += finding.count
    return result


def test_forged_numbers_are_judged_by_the_base_branch(stand_in: StandIn, tell: Post) -> None:
    """A fork's gate that says success, with numbers over the limit of main."""
    scene = open_scene(stand_in, files={"budgets.yml": LOOSE})
    scene.upload(zipped(scene.claim(), memory=make_honest_memory(90.0)))
    tell(scene.event())
    assert "### ❌ NO-GO: " in scene.only_body()
    assert scene.standing() == "failure"


def test_what_the_pull_request_proposes_is_shown_but_does_not_judge(
    stand_in: StandIn, tell: Post
) -> None:
    scene = open_scene(stand_in, head_repository=HERE, files={"budgets.yml": TIGHT})
    scene.run.conclusion = "failure"  # by its own limits it is a NO-GO
    scene.upload()
    tell(scene.event())
    body = scene.only_body()
    assert "GO: 460 of 1,024 MB" in body
    assert "NO-GO: 460 of 300 MB" in body
    assert "`memory.limit`: 1,024 MB → 300 MB" in body
    assert scene.standing() == "failure"


def test_limits_that_main_changed_meanwhile_are_not_the_pull_requests(
    stand_in: StandIn, tell: Post
) -> None:
    scene = open_scene(stand_in, files={"budgets.yml": LOOSE})
    scene.state.commit({"budgets.yml": TIGHT}, branch="main", message="Tighter")
    scene.upload()
    tell(scene.event())
    body = scene.only_body()
    assert "NO-GO: 460 of 300 MB" in body
    assert "`memory.limit`: 1,024 MB → 4,096 MB (looser)" in body
    assert "1 commit behind" in body


def test_a_budgets_file_of_the_pull_request_that_is_broken_is_said(
    stand_in: StandIn, tell: Post
) -> None:
    for text in ("version: [", "version: 1\n" + "#" * 1_100_000, "&a [*a, *a]", "x: 1\n"):
        scene = open_scene(stand_in, files={"budgets.yml": text})
        scene.upload()
        tell(scene.event())
        assert "GO: 460 of 1,024 MB" in scene.bodies()[-1]
        assert "none: budgets.yml of this pull request can't be read" in scene.bodies()[-1]


def test_a_base_without_budgets_is_judged_by_the_defaults(measured: Open, tell: Post) -> None:
    scene = measured(files={"limits.yml": TIGHT})
    tell(scene.event(), budgets="limits.yml")
    assert "GO: 460 of 1,024 MB" in scene.only_body()
    assert "1,024 MB → 300 MB" in scene.only_body()


def test_a_broken_budgets_file_of_the_base_is_an_error_that_the_status_tells(
    stand_in: StandIn, tell: Post
) -> None:
    scene = open_scene(stand_in)
    scene.state.commit({"budgets.yml": "version: 7\n"}, branch="main", message="Broken")
    scene.upload()
    with pytest.raises(ConfigError, match=r"budgets\.yml"):
        tell(scene.event())
    assert scene.bodies() == []
    assert scene.status().startswith("error: #7 into main: INCOMPLETE: budgets.yml")
