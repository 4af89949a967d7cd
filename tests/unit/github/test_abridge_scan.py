"""Fewer findings in a report change no verdict: limits judge what is left as they judge all."""

from dataclasses import replace
from datetime import date

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from accounts import make_scan
from factories import make_images
from onegig.config.budgets import parse_budgets
from onegig.github.gate import shorten_scan
from onegig.judge.baseline import contents_of
from onegig.judge.checks import Case
from onegig.judge.scan import Weight, check_scan, count_findings, weigh_findings
from onegig.model.budgets import Budgets, Waiver
from onegig.model.images import Image
from onegig.model.measured import Missing, Skipped
from onegig.model.scan import Finding, FindingKind, Scan, Severity
from onegig.model.state import State
from onegig.model.verdict import Baseline, Check, Contents
from onegig.report.images import describe_counts, scan_text, trivy_line

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
    made = replace(make_scan(*found), packages=packages)
    report = make_images(["web"])
    contents = contents_of(replace(report, images=(replace(report.images[0], scan=made),)))
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
    inherited = [one for one, weight in weights.items() if weight is Weight.INHERITED]
    assume(most >= len({one.nameless for one in inherited}))
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
    kept = {one for one in scan.findings if one.id}
    gone = set(found) - kept
    assert len(kept) == min(most, len(found))
    uncounted = max(Weight) + 1
    assert max((weights.get(one, uncounted) for one in kept), default=0) <= min(
        (weights.get(one, uncounted) for one in gone), default=uncounted
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
    found = (
        cve(1, Severity.CRITICAL, fixed=""),  # does not count
        cve(2, Severity.HIGH),
        cve(3, Severity.MEDIUM),
        cve(4, Severity.MEDIUM),
        cve(5, Severity.MEDIUM, "zlib"),
        cve(6, Severity.LOW, "zlib"),
    )
    scan = shortened(image_with(*found), 2, LIMITS, None).scan
    assert isinstance(scan, Scan)
    assert [one.id for one in scan.findings if one.id] == ["CVE-2", "CVE-3"]
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
    found = [cve(number, Severity.HIGH) for number in range(100)]
    image = shortened(image_with(*found), 1, LIMITS, None)
    (check,) = [one for one in judged(image, LIMITS, None) if one.id == "image.vulnerabilities"]
    assert check.value == 100
    assert "CVE-0 in musl 1.0 (fixed in 1.1), 99 HIGH with a fix, in musl 1.0; database" in (
        check.message
    )


@pytest.mark.parametrize("kind", [FindingKind.SECRET, FindingKind.MISCONFIGURATION])
def test_an_image_with_secrets_left_out_is_no_base_to_compare_with(kind: FindingKind) -> None:
    report = make_images(["web"])
    made = make_scan(Finding(kind=kind, id="", severity=Severity.LOW, target="", count=2))
    found = contents_of(replace(report, images=(replace(report.images[0], scan=made),)))
    assert isinstance(found, Missing)


def test_findings_of_all_images_are_each_counted_once_whatever_is_listed() -> None:
    report = make_images(["web", "jobs", "cache"])
    found = [cve(number, Severity.HIGH) for number in range(9)]
    found.append(replace(found[0], kind=FindingKind.SECRET, installed="", fixed=""))
    one, another = make_scan(*found), make_scan(*found[:4])
    images = [replace(image, scan=one) for image in report.images]
    images[2] = replace(images[2], scan=another)
    whole = trivy_line(replace(report, images=tuple(images)))
    assert whole.startswith("9 high vulnerabilities · 1 high secret · ")
    for most in (1, 3, 5):
        images[0] = replace(images[0], scan=shorten_scan(one, most, {}))
        told = trivy_line(replace(report, images=tuple(images)))
        assert told.replace("at least ", "") == whole
        assert ("at least" in told) == (most < 9)  # of packages that are not told


def _nameless(severity: Severity, package: str, *, fixed: bool = True) -> Finding:
    version = "1.0" if package else ""
    made = cve(0, severity, package, "1.1" if fixed else "")
    return replace(made.nameless, installed=version)
