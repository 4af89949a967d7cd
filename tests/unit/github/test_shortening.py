"""Reports of large stacks are cut to what is taken: no byte is lost, no verdict changes."""

from collections.abc import Callable
from dataclasses import replace
from datetime import date
from pathlib import Path
from typing import Any

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from accounts import make_scan, part
from factories import make_images
from gate_runs import CLAIM, make_honest_images, make_honest_memory, zip_files
from onegig.config.budgets import parse_budgets
from onegig.github.gate import (
    LENGTHS,
    ROOM,
    TOO_MANY,
    Gate,
    Room,
    abridge,
    shorten_scan,
    write_numbers,
)
from onegig.github.trusted.artifact import read_artifact
from onegig.github.trusted.plausibility import doubt_images
from onegig.judge.baseline import contents_of
from onegig.judge.checks import Case
from onegig.judge.scan import Weight, check_scan, count_findings, weigh_findings
from onegig.model.budgets import Budgets, Waiver
from onegig.model.codec import to_json
from onegig.model.images import Accounting, Cause, Fate, Image, ImagesReport, SizedPath
from onegig.model.measured import Missing, Skipped
from onegig.model.memory import MemoryReport
from onegig.model.report import Failure
from onegig.model.scan import Finding, FindingKind, Scan, Severity
from onegig.model.service import ServiceState
from onegig.model.state import State
from onegig.model.verdict import Baseline, Check, Contents
from onegig.report.images import describe_counts, scan_text, trivy_line
from scenarios import make_go

COUNT = 200
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
        assert "libcrypto3 3.5.4-r0" in {item.name for item in after.accounting.parts}


def test_as_much_is_kept_as_there_is_room_for() -> None:
    report = changed(with_parts(COUNT))
    sizes = [
        len(to_json(abridge(report, {}, Room(bytes=size)))) for size in (2_000_000, 400_000, 90_000)
    ]
    assert sizes[0] > sizes[1] > sizes[2]
    assert [size <= most for size, most in zip(sizes, (2_000_000, 400_000, 90_000), strict=True)]


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
    assert {item.fate for item in account.dead} >= {Fate.DELETED_WITH_DIRECTORY, Fate.OVERWRITTEN}


def _packages(report: ImagesReport) -> list[Any]:
    return [image.scan.packages for image in report.images if isinstance(image.scan, Scan)]


TODAY = date(2026, 11, 23)
VULNERABILITY = FindingKind.VULNERABILITY
NAMES = ("musl", "zlib", "curl")
IDS = tuple(f"CVE-{number}" for number in range(6))


@st.composite
def findings(draw: st.DrawFn) -> Finding:
    kind = draw(st.sampled_from(FindingKind))
    is_package = kind is VULNERABILITY
    return Finding(
        kind=kind,
        id=draw(st.sampled_from(IDS)),
        severity=draw(st.sampled_from(Severity)),
        target=draw(st.sampled_from(NAMES)),
        installed="1.0" if is_package else "",
        fixed=draw(st.sampled_from(("", "1.1"))) if is_package else "",
    )


@st.composite
def budgets(draw: st.DrawFn) -> Budgets:
    """Any limits, and waivers of single findings, in force or not."""
    limit = st.sampled_from(("any", 0, 1, 3))
    lines = [f"  {name}: {draw(limit)}" for name in ("secrets", "vulnerabilities")]
    lines.append(f"  severity: {draw(st.sampled_from(Severity)).value}")
    lines.append(f"  ignore_unfixed: {str(draw(st.booleans())).lower()}")
    waivers = draw(
        st.lists(
            st.builds(
                Waiver,
                check=st.sampled_from(("image.vulnerabilities", "image.secrets")),
                subject=st.none(),
                id=st.sampled_from(IDS),
                reason=st.just("#12"),
                owner=st.just("@ops"),
                expires=st.sampled_from((date(2026, 11, 22), date(2026, 12, 1))),
            ),
            max_size=3,
        )
    )
    text = "\n".join(["version: 1", *(["scan:", *lines] if draw(st.booleans()) else [])])
    return replace(parse_budgets("budgets.yml", text.encode()), waivers=tuple(waivers))


def image_with(*found: Finding) -> Image:
    (image,) = make_images(["web"]).images
    return replace(image, scan=make_scan(*found))


def main_with(*found: Finding, packages: tuple[str, ...]) -> Baseline:
    """A baseline whose image has these findings and packages."""
    created = replace(make_scan(*found), packages=packages)
    report = make_images(["web"])
    contents = contents_of(replace(report, images=(replace(report.images[0], scan=created),)))
    assert not isinstance(contents, Missing)
    return baseline(contents)


def baseline(contents: tuple[Contents, ...]) -> Baseline:
    return Baseline(
        commit="a" * 40,
        created="2026-11-22T00:00:00+00:00",
        state=State.GO,
        metric="rss",
        total_bytes=1,
        limit_bytes=1,
        spread_bytes=(1, 1),
        marks=(),
        services=(),
        environment=make_images(["web"]).environment,
        contents=contents,
    )


def shortened(image: Image, most: int, limits: Budgets, main: Baseline | None) -> Image:
    assert isinstance(image.scan, Scan)
    weights = weigh_findings(limits, image, today=TODAY, main=main)
    return replace(image, scan=shorten_scan(image.scan, most, weights))


def judged(image: Image, limits: Budgets, main: Baseline | None) -> list[Check]:
    memory = Skipped(reason="not measured")
    images = replace(make_images(["web"]), images=(image,))
    case = Case(budgets=limits, images=images, memory=memory, tier=None, today=TODAY, main=main)
    return list(check_scan(case))


many = st.lists(findings(), max_size=25, unique=True)
bases = st.none() | st.builds(
    lambda found, packages: main_with(*found, packages=tuple(packages)),
    st.lists(findings(), max_size=5, unique=True),
    st.lists(st.sampled_from(tuple(f"{name} 1.0" for name in NAMES)), unique=True),
)


@given(found=many, limits=budgets(), main=bases, most=st.integers(1, 20))
def test_no_check_counts_or_judges_otherwise(
    found: list[Finding], limits: Budgets, main: Baseline | None, most: int
) -> None:
    """Where there is room for the names and the packages that let something pass."""
    image = image_with(*found)
    weights = weigh_findings(limits, image, today=TODAY, main=main)
    assume(most >= sum(weight is Weight.NAMED for weight in weights.values()))
    inherited = [item for item, weight in weights.items() if weight is Weight.INHERITED]
    assume(most >= len({each.nameless for each in inherited}))
    for whole, short in _pairs(image, most, limits, main):
        assert (short.state, short.value, short.waived) == (whole.state, whole.value, whole.waived)


@given(found=many, limits=budgets(), main=bases, most=st.integers(1, 20))
def test_no_check_is_ever_better(
    found: list[Finding], limits: Budgets, main: Baseline | None, most: int
) -> None:
    for whole, short in _pairs(image_with(*found), most, limits, main):
        assert short.value == whole.value
        assert short.state.rank >= whole.state.rank


@given(found=many, limits=budgets(), main=bases, most=st.integers(1, 20))
def test_what_decides_stays_longest(
    found: list[Finding], limits: Budgets, main: Baseline | None, most: int
) -> None:
    image = image_with(*found)
    weights = weigh_findings(limits, image, today=TODAY, main=main)
    scan = shortened(image, most, limits, main).scan
    assert isinstance(scan, Scan)
    named = {finding for finding in scan.findings if finding.id}
    gone = set(found) - named
    assert len(named) == min(most, len(found))
    uncounted = max(Weight) + 1
    assert max((weights.get(item, uncounted) for item in named), default=0) <= min(
        (weights.get(each, uncounted) for each in gone), default=uncounted
    )
    assert count_findings(scan.findings) == len(found)
    assert describe_counts(scan.findings) == describe_counts(found)


def _pairs(
    image: Image, most: int, limits: Budgets, main: Baseline | None
) -> list[tuple[Check, Check]]:
    short = judged(shortened(image, most, limits, main), limits, main)
    return list(zip(judged(image, limits, main), short, strict=True))


def cve(number: int, severity: Severity, package: str = "musl", fixed: str = "1.1") -> Finding:
    return Finding(
        kind=VULNERABILITY,
        id=f"CVE-{number}",
        severity=severity,
        target=package,
        installed="1.0",
        fixed=fixed,
    )


LIMITS = parse_budgets("budgets.yml", b"version: 1\nscan: {vulnerabilities: 0, severity: MEDIUM}\n")


def test_what_is_left_out_is_told_by_package_severity_and_fix() -> None:
    result = (
        cve(1, Severity.CRITICAL, fixed=""),  # does not count
        cve(2, Severity.HIGH),
        cve(3, Severity.MEDIUM),
        cve(4, Severity.MEDIUM),
        cve(5, Severity.MEDIUM, "zlib"),
        cve(6, Severity.LOW, "zlib"),
    )
    scan = shortened(image_with(*result), 2, LIMITS, None).scan
    assert isinstance(scan, Scan)
    assert [finding.id for finding in scan.findings if finding.id] == ["CVE-2", "CVE-3"]
    assert scan.nameless == (
        _nameless(Severity.MEDIUM, "musl"),
        _nameless(Severity.MEDIUM, "zlib"),
        _nameless(Severity.CRITICAL, "", fixed=False),
        _nameless(Severity.LOW, ""),
    )
    assert scan_text(scan) == (
        "1 critical, 1 high, 3 medium, 1 low vulnerabilities · 4 of them not listed · "
        "database of 2026-11-23"
    )


def test_the_message_names_what_is_left_out_by_its_number() -> None:
    result = [cve(number, Severity.HIGH) for number in range(100)]
    image = shortened(image_with(*result), 1, LIMITS, None)
    (check,) = [item for item in judged(image, LIMITS, None) if item.id == "image.vulnerabilities"]
    assert check.value == 100
    assert "CVE-0 in musl 1.0 (fixed in 1.1), 99 HIGH with a fix, in musl 1.0; database" in (
        check.message
    )


@pytest.mark.parametrize("kind", [FindingKind.SECRET, FindingKind.MISCONFIGURATION])
def test_an_image_with_secrets_left_out_is_no_base_to_compare_with(kind: FindingKind) -> None:
    report = make_images(["web"])
    created = make_scan(Finding(kind=kind, id="", severity=Severity.LOW, target="", count=2))
    result = contents_of(replace(report, images=(replace(report.images[0], scan=created),)))
    assert isinstance(result, Missing)


def test_findings_of_all_images_are_each_counted_once_whatever_is_listed() -> None:
    report = make_images(["web", "jobs", "cache"])
    result = [cve(number, Severity.HIGH) for number in range(9)]
    result.append(replace(result[0], kind=FindingKind.SECRET, installed="", fixed=""))
    scan, another = make_scan(*result), make_scan(*result[:4])
    images = [replace(image, scan=scan) for image in report.images]
    images[2] = replace(images[2], scan=another)
    whole = trivy_line(replace(report, images=tuple(images)))
    assert whole.startswith("9 high vulnerabilities · 1 high secret · ")
    for most in (1, 3, 5):
        images[0] = replace(images[0], scan=shorten_scan(scan, most, {}))
        text = trivy_line(replace(report, images=tuple(images)))
        assert text.replace("at least ", "") == whole
        assert ("at least" in text) == (most < 9)  # of packages that are not told


def _nameless(severity: Severity, package: str, *, fixed: bool = True) -> Finding:
    version = "1.0" if package else ""
    created = cve(0, severity, package, "1.1" if fixed else "")
    return replace(created.nameless, installed=version)


def test_of_a_log_without_end_the_end_is_handed_on(tmp_path: Path) -> None:
    """A bundled program prints its only line, of 300 kB, before it says what is wrong with it."""
    log = f"{'x' * 300_000}\nError: no such table"
    honest = make_honest_memory()
    failed = replace(honest.services[0], state=ServiceState.CRASHED, log_tail=log, exit_code=1)
    memory = replace(honest, services=(failed, *honest.services[1:]))
    claim = replace(CLAIM, failure=Failure(message="it failed", detail=log, exit_code=3))
    report = replace(make_go(), images=make_honest_images(), memory=memory)
    write_numbers(Gate(report=report, claim=claim, places={}, error=None, weights={}), tmp_path)
    numbers = read_artifact(zip_files({p.name: p.read_bytes() for p in tmp_path.iterdir()}))
    assert isinstance(numbers.memory, MemoryReport)
    assert numbers.memory.services[0].log_tail.endswith("x\nError: no such table")
    assert numbers.run
    assert numbers.run.failure
    assert numbers.run.failure.detail.endswith("x\nError: no such table")
