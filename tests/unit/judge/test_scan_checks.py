"""Findings of trivy against the limits of budgets.yml: what counts, blocks or is let pass."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import date, timedelta
from typing import Any

import pytest

from factories import make_images, make_memory, make_service
from judging import BUDGETS, TODAY, checks
from onegig.judge.baseline import make_baseline
from onegig.judge.compare import compare
from onegig.judge.contents import MOST_ITEMS
from onegig.judge.verdict import judge
from onegig.load.budgets import parse_budgets
from onegig.model.baseline import Baseline, Contents
from onegig.model.budgets import Budgets
from onegig.model.codec import from_json, to_json
from onegig.model.images import Image
from onegig.model.measured import Missing, Skipped, Unknown
from onegig.model.report import Report
from onegig.model.review import Change, Delta
from onegig.model.scan import Finding, FindingKind, Scan, Severity
from onegig.model.verdict import Check, State, Verdict

NO_DATABASE = Skipped(reason="no database")
WRITTEN = "scan: {vulnerabilities: 0, secrets: 0, misconfigurations: 0}"
IDS = ("image.secrets", "image.vulnerabilities", "image.misconfigurations")


def budgets(text: str = WRITTEN) -> Budgets:
    return parse_budgets("budgets.yml", f"version: 1\n{text}\n".encode())


def cve(number: int, package: str = "openssl", version: str = "3.5.1", **changes: Any) -> Finding:
    fields: dict[str, Any] = {
        "kind": FindingKind.VULNERABILITY,
        "id": f"CVE-2026-{number}",
        "severity": Severity.HIGH,
        "target": package,
        "installed": version,
        "fixed": f"{version}.1",
    }
    return Finding(**fields | changes)


def other(kind: FindingKind, identity: str, target: str, severity: Severity) -> Finding:
    return Finding(kind=kind, id=identity, severity=severity, target=target)


SECRET = other(FindingKind.SECRET, "github-pat", "/app/.env", Severity.CRITICAL)
ROOT = other(FindingKind.MISCONFIGURATION, "DS-0002", "image config", Severity.HIGH)


def scan(*findings: Finding, packages: Sequence[str] = (), database: str | Missing = "") -> Scan:
    """A scan that lists the packages of its findings, and more."""
    vulnerable = {one.package for one in findings if one.installed}
    return Scan(
        trivy_version="0.74.0",
        findings=findings,
        scanners=("vuln", "secret", "misconfig"),
        database=database or "2026-11-24T06:20:00Z",
        packages=tuple(sorted({*vulnerable, *packages})),
    )


def report(
    scans: dict[str, Scan | Missing], limits: Budgets | None = None, main: Baseline | None = None
) -> Report:
    """A run of services that fit, whose images were scanned so."""
    images = make_images(scans)
    found = tuple(replace(one, scan=scans[one.services[0]]) for one in images.images)
    images = replace(images, images=found)
    memory = make_memory([make_service(name, 20) for name in scans])
    verdict = judge(limits or budgets(), images, memory, None, today=TODAY, main=main)
    return Report(
        stack="desk",
        created="2026-11-23T20:44:00+00:00",
        commit="1f0c3e5a",
        verdict=verdict,
        images=images,
        memory=memory,
        reproduce="onegig check",
    )


def judged(found: Scan | Missing, limits: Budgets | None = None) -> Verdict:
    return report({"web": found}, limits).verdict


def check(verdict: Verdict, identity: str = "image.vulnerabilities") -> Check:
    (found,) = checks(verdict, identity)
    return found


def test_an_image_without_findings_is_a_go_for_every_kind() -> None:
    verdict = judged(scan())
    assert verdict.state is State.GO
    assert [
        (one.id, one.value, one.limit, one.state) for one in verdict.checks if one.id in IDS
    ] == [(identity, 0, 0, State.GO) for identity in IDS]
    assert check(verdict).message == (
        "the image of web has no fixable vulnerability of severity HIGH or above; "
        "database of 2026-11-24"
    )


@pytest.mark.parametrize(
    ("finding", "identity"),
    [
        (cve(1), "image.vulnerabilities"),
        (SECRET, "image.secrets"),
        (ROOT, "image.misconfigurations"),
    ],
)
def test_a_written_limit_blocks_and_a_default_warns(finding: Finding, identity: str) -> None:
    default_limits = replace(BUDGETS, scan=replace(BUDGETS.scan, misconfigurations=0))
    written, default = judged(scan(finding)), judged(scan(finding), default_limits)
    assert (check(written, identity).state, written.state) == (State.NO_GO, State.NO_GO)
    assert (check(default, identity).state, default.state) == (State.WARN, State.WARN)
    assert {one.state for one in written.checks if one.id != identity} == {State.GO}


@pytest.mark.parametrize(
    ("policy", "counted"),
    [
        ("severity: LOW, ignore_unfixed: false", 5),
        ("severity: LOW", 4),
        ("severity: HIGH", 2),
        ("severity: HIGH, ignore_unfixed: false", 3),
        ("severity: CRITICAL", 1),
    ],
)
def test_what_counts_is_said_by_severity_and_fix(policy: str, counted: int) -> None:
    found = scan(
        cve(1, severity=Severity.LOW),
        cve(2, severity=Severity.MEDIUM),
        cve(3),
        cve(4, severity=Severity.CRITICAL),
        cve(5, fixed=""),
    )
    limits = budgets(f"scan: {{{policy}, vulnerabilities: 0}}")
    assert check(judged(found, limits)).value == counted


def test_the_message_names_the_gravest_first_and_what_mends_them() -> None:
    found = scan(cve(1), cve(2, "musl", "1.2.5"), cve(3, severity=Severity.CRITICAL, fixed=""))
    limits = budgets("scan: {ignore_unfixed: false, vulnerabilities: 1}")
    assert check(judged(found, limits)).message == (
        "the image of web has 3 vulnerabilities of severity HIGH or above, at most 1 allowed: "
        "CVE-2026-3 in openssl 3.5.1, CVE-2026-1 in openssl 3.5.1 (mended in 3.5.1.1) and 1 more; "
        "database of 2026-11-24"
    )
    assert check(judged(found, limits)).where == "budgets.yml:2"


@pytest.mark.parametrize(
    ("made", "told"),
    [
        ("2026-11-23T06:20:00Z", "database of 2026-11-23"),
        ("2026-11-22T06:20:00Z", "database of 2026-11-22 (1 day old)"),
        ("2026-10-23T06:20:00Z", "database of 2026-10-23 (31 days old)"),
        ("yesterday\n", "database of yesterday"),
    ],
)
def test_the_age_of_the_database_is_told(made: str, told: str) -> None:
    assert check(judged(scan(database=made))).message.endswith(f"; {told}")


def test_misconfigurations_are_judged_only_where_a_limit_is_written() -> None:
    assert judged(scan(ROOT), BUDGETS).state is State.GO
    assert not checks(judged(scan(ROOT), BUDGETS), "image.misconfigurations")


def test_as_many_as_allowed_pass_and_any_has_no_check() -> None:
    two = scan(cve(1), cve(2))
    assert check(judged(two, budgets("scan: {vulnerabilities: 2}"))).state is State.GO
    assert check(judged(two, budgets("scan: {vulnerabilities: 1}"))).state is State.NO_GO
    assert not checks(judged(two, budgets("scan: {vulnerabilities: any}")), "image.vulnerabilities")


def test_no_database_is_never_zero_vulnerabilities() -> None:
    default, written = (judged(scan(database=NO_DATABASE), one) for one in (BUDGETS, budgets()))
    assert not checks(default, "image.vulnerabilities")
    assert check(default, "image.secrets").value == 0  # that one needs none
    assert not checks(written, "image.vulnerabilities")
    assert default.notes == ()
    assert written.notes == (
        "images were not scanned for vulnerabilities: no database (budgets.yml:2)",
    )


def test_no_trivy_is_told_once_for_all_images() -> None:
    absent = Skipped(reason="trivy is not installed")
    verdict = report({"web": absent, "redis": absent}).verdict
    assert not [one for one in verdict.checks if one.id in IDS]
    assert [note.partition(" (")[0] for note in verdict.notes] == [
        f"images were not scanned for {kind}: trivy is not installed"
        for kind in ("secrets", "vulnerabilities", "misconfigurations")
    ]
    assert report({"web": absent, "redis": absent}, BUDGETS).verdict.state is State.GO


def test_a_scan_that_failed_is_incomplete_where_the_limit_is_written() -> None:
    broken = Unknown(reason="trivy took longer than 300 s")
    assert judged(broken).state is State.INCOMPLETE
    assert judged(broken, BUDGETS).state is State.WARN
    assert check(judged(scan(database=broken))).state is State.INCOMPLETE
    assert "the image of web could not be scanned for vulnerabilities: trivy took" in (
        check(judged(broken)).message
    )


def with_java(database: Missing, *findings: Finding) -> Scan:
    return replace(scan(*findings), java_database=database)


def test_java_archives_that_were_left_out_are_told_with_what_was_counted() -> None:
    left_out = with_java(Skipped(reason="no Java database"))
    default, written = judged(left_out, BUDGETS), judged(left_out)
    for verdict in (default, written):
        assert check(verdict).state is State.GO
        assert check(verdict).message.endswith("; Java archives not scanned: no Java database")
        assert "Java" not in check(verdict, "image.secrets").message
    assert default.notes == ()
    (note,) = written.notes
    what = "images were not scanned for vulnerabilities of Java archives"
    assert note == f"{what}: no Java database (budgets.yml:2)"


def test_java_archives_that_could_not_be_scanned_are_incomplete_where_the_limit_is_written() -> (
    None
):
    failed = Unknown(reason="no Java database: trivy failed with code 1")
    assert check(judged(with_java(failed))).state is State.INCOMPLETE
    assert check(judged(with_java(failed), BUDGETS)).state is State.WARN
    assert check(judged(with_java(failed, cve(1)))).state is State.NO_GO
    waived = check(judged(with_java(failed, cve(1)), budgets(waiver(LATER))))
    assert (waived.state, waived.waived) == (State.INCOMPLETE, "")


def waiver(expires: date, identity: str = "CVE-2026-1", subject: str = "") -> str:
    about = f"subject: {subject}, " if subject else ""
    return (
        f"{WRITTEN}\nwaivers:\n  - {{metric: image.vulnerabilities, id: {identity}, {about}"
        f"reason: '#12', owner: '@ops', expires: {expires}}}"
    )


LATER, YESTERDAY = TODAY + timedelta(days=90), TODAY - timedelta(days=1)


def test_a_waiver_of_one_finding_lets_that_one_pass_and_no_other() -> None:
    one, two = scan(cve(1)), scan(cve(1), cve(2))
    waived = check(judged(one, budgets(waiver(LATER))))
    assert (waived.state, waived.value) == (State.WARN, 1)
    assert waived.waived == f"until {LATER} by @ops: #12"
    assert "1 of them waived" in waived.message
    still = check(judged(two, budgets(waiver(LATER))))
    assert (still.state, still.waived) == (State.NO_GO, "")
    assert "none allowed: CVE-2026-2 in openssl" in still.message  # what is left to do
    assert check(judged(one, budgets(waiver(LATER, subject="redis")))).state is State.NO_GO


def test_a_waiver_holds_until_its_last_day_is_over() -> None:
    found = scan(cve(1))
    assert check(judged(found, budgets(waiver(TODAY)))).state is State.WARN
    late = check(judged(found, budgets(waiver(YESTERDAY))))
    assert late.state is State.NO_GO
    assert f"the waiver of CVE-2026-1 expired on {YESTERDAY}" in late.message


def test_waivers_that_end_soon_or_are_not_needed_are_told() -> None:
    soon, unused = TODAY + timedelta(days=3), waiver(LATER, "CVE-2026-9")
    (ends,) = judged(scan(cve(1)), budgets(waiver(soon))).notes
    assert ends.startswith("the waiver of image.vulnerabilities CVE-2026-1 by @ops ends on")
    (idle,) = judged(scan(cve(1)), budgets(unused)).notes
    assert idle.startswith("the waiver of image.vulnerabilities CVE-2026-9 by @ops is unused")
    (left_out,) = judged(scan(database=NO_DATABASE), budgets(unused)).notes  # nobody looked
    assert "waiver" not in left_out


def on_top_of(main: Report, now: dict[str, Scan | Missing]) -> tuple[Report, dict[str, Delta]]:
    """A pull request's run beside what was kept of its base, in words and as read back."""
    baseline = from_json(Baseline, to_json(make_baseline(main, {})), "baseline.json", strict=True)
    run = report(now, main=baseline)
    return run, {one.id: one for one in compare(run, baseline, 0).deltas}


def test_a_vulnerability_that_only_the_newer_database_knows_is_inherited() -> None:
    main = report({"web": scan(packages=["openssl 3.5.1"])})
    assert main.verdict.state is State.GO
    run, deltas = on_top_of(main, {"web": scan(cve(1))})
    assert run.verdict.state is State.WARN
    assert "inherited: the baseline has the same" in check(run.verdict).message
    assert deltas["image.vulnerabilities"].inherited
    assert deltas["image.vulnerabilities"].change is Change.SAME


def test_a_package_of_another_release_of_its_system_is_another_one() -> None:
    """What Alpine 3.20 no longer mends was no finding there, and is one in 3.23."""
    old, new = "alpine 3.20", "alpine 3.23"
    main = report({"web": scan(packages=[f"openssl 3.5.1 ({old})", "redis 5.2.1"])})
    same, _ = on_top_of(main, {"web": scan(cve(1, system=old), cve(2, "redis", "5.2.1"))})
    moved, deltas = on_top_of(main, {"web": scan(cve(1, system=new), cve(2, "redis", "5.2.1"))})
    assert (same.verdict.state, moved.verdict.state) == (State.WARN, State.NO_GO)
    assert "none allowed: CVE-2026-1 in openssl 3.5.1 (mended in 3.5.1.1); 1 of them new" in (
        check(moved.verdict).message
    )
    assert not deltas["image.vulnerabilities"].inherited


@pytest.mark.parametrize(
    "found", [cve(1, version="3.5.0"), cve(1, package="curl"), SECRET, ROOT], ids=str
)
def test_what_the_change_brings_blocks_whatever_was_there(found: Finding) -> None:
    main = report({"web": scan(packages=["openssl 3.5.1", "musl 1.2.5"])})
    run, deltas = on_top_of(main, {"web": scan(cve(9, "musl", "1.2.5"), found)})
    assert run.verdict.state is State.NO_GO
    blocking = [one for one in run.verdict.checks if one.state is State.NO_GO]
    assert [(one.findings[-1].split()[0]) for one in blocking] == [found.id]
    assert not deltas[blocking[0].id].inherited
    assert deltas[blocking[0].id].change is Change.CHANGED


def test_a_mix_blocks_and_names_what_is_new() -> None:
    main = report({"web": scan(packages=["openssl 3.5.1"])})
    run, deltas = on_top_of(main, {"web": scan(cve(1), cve(2, "curl", "8.1"))})
    message = check(run.verdict).message
    assert run.verdict.state is State.NO_GO
    assert "none allowed: CVE-2026-2 in curl 8.1 (mended in 8.1.1); 1 of them new" in message
    assert not deltas["image.vulnerabilities"].inherited


def test_secrets_and_misconfigurations_of_the_base_are_inherited_by_name() -> None:
    main = report({"web": scan(SECRET, ROOT)})
    assert main.verdict.state is State.NO_GO
    run, deltas = on_top_of(main, {"web": scan(SECRET, ROOT)})
    assert run.verdict.state is State.WARN
    assert deltas["image.secrets"].inherited
    assert deltas["image.misconfigurations"].inherited
    moved = replace(SECRET, target="/srv/.env")
    assert on_top_of(main, {"web": scan(moved, ROOT)})[0].verdict.state is State.NO_GO


@pytest.mark.parametrize(
    "before",
    [Skipped(reason="trivy is not installed"), Unknown(reason="trivy crashed")],
    ids=["absent", "failed"],
)
def test_nothing_is_inherited_from_a_base_that_was_not_scanned(before: Missing) -> None:
    run, deltas = on_top_of(report({"web": before}), {"web": scan(cve(1))})
    assert run.verdict.state is State.NO_GO
    assert not deltas["image.vulnerabilities"].inherited


def test_an_image_of_a_new_service_inherits_nothing() -> None:
    main = report({"web": scan(packages=["openssl 3.5.1"])})
    run, _ = on_top_of(main, {"web": scan(cve(1)), "new": scan(cve(1))})
    states = {one.subject: one.state for one in checks(run.verdict, "image.vulnerabilities")}
    assert states == {"web": State.WARN, "new": State.NO_GO}


def test_what_is_kept_of_a_stack_names_every_package_once() -> None:
    shared = ["musl 1.2.5", "zlib 1.3"]
    main = report(
        {
            "web": scan(SECRET, packages=[*shared, "curl 8.1"]),
            "redis": scan(packages=shared),
            "bare": scan(),
        }
    )
    assert make_baseline(main, {}).contents == (
        Contents(services=("bare",), packages=(), findings=()),
        Contents(services=("redis",), packages=(), findings=()),
        Contents(services=("web",), packages=("curl 8.1",), findings=("github-pat in /app/.env",)),
        Contents(services=("web", "redis"), packages=("musl 1.2.5", "zlib 1.3"), findings=()),
    )


def test_more_than_can_be_kept_is_unknown_and_not_cut_off() -> None:
    many = scan(packages=[f"p{number} 1" for number in range(MOST_ITEMS + 1)])
    kept = make_baseline(report({"web": many}), {}).contents
    assert isinstance(kept, Unknown)


def test_names_of_strangers_stay_on_one_line() -> None:
    hostile = cve(1, package="evil\n::error::\x1b[31m")
    found = check(judged(scan(hostile)))
    assert all(text.isprintable() for text in (found.message, *found.findings))


def shared(one: Image) -> Image:
    return replace(one, services=("web", "worker"))


def test_an_image_that_several_services_run_is_judged_once_and_known_by_any_of_them() -> None:
    main = make_baseline(report({"web": scan(packages=["openssl 3.5.1"])}), {})
    run = report({"web": scan(cve(1))})
    assert not isinstance(run.images, Missing)
    images = replace(run.images, images=tuple(map(shared, run.images.images)))
    memory = make_memory([make_service(name, 20) for name in ("web", "worker")])
    verdict = judge(budgets(), images, memory, None, today=TODAY, main=main)
    assert check(verdict).subject == images.images[0].reference
    assert check(verdict).state is State.WARN
