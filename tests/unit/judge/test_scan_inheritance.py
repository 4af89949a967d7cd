"""Findings of trivy that the base branch has, too, block nothing."""

from dataclasses import replace

import pytest

from factories import make_memory, make_service
from judging import GO, NO_GO, TODAY, WARN, checks
from onegig.judge.baseline import MOST_ITEMS, make_baseline
from onegig.judge.verdict import judge
from onegig.model.images import Image
from onegig.model.measured import Missing, Skipped, Unknown
from onegig.model.report import Change
from onegig.model.scan import Finding
from onegig.model.verdict import Contents
from scanned import ROOT, SECRET, budgets, check, cve, on_top_of, report, scan


def test_a_vulnerability_that_only_the_newer_database_knows_is_inherited() -> None:
    main = report({"web": scan(packages=["openssl 3.5.1"])})
    assert main.verdict.state is GO
    run, deltas = on_top_of(main, {"web": scan(cve(1))})
    assert run.verdict.state is WARN
    assert "inherited: the baseline has the same" in check(run.verdict).message
    assert deltas["image.vulnerabilities"].inherited
    assert deltas["image.vulnerabilities"].change is Change.SAME


def test_a_package_of_another_release_of_its_system_is_another_one() -> None:
    """What Alpine 3.20 no longer mends was no finding there, and is one in 3.23."""
    old, new = "alpine 3.20", "alpine 3.23"
    main = report({"web": scan(packages=[f"openssl 3.5.1 ({old})", "redis 5.2.1"])})
    same, _ = on_top_of(main, {"web": scan(cve(1, system=old), cve(2, "redis", "5.2.1"))})
    moved, deltas = on_top_of(main, {"web": scan(cve(1, system=new), cve(2, "redis", "5.2.1"))})
    assert (same.verdict.state, moved.verdict.state) == (WARN, NO_GO)
    assert "none allowed: CVE-2026-1 in openssl 3.5.1 (fixed in 3.5.1.1); 1 of them new" in (
        check(moved.verdict).message
    )
    assert not deltas["image.vulnerabilities"].inherited


@pytest.mark.parametrize(
    "finding", [cve(1, version="3.5.0"), cve(1, package="curl"), SECRET, ROOT], ids=str
)
def test_what_the_change_brings_blocks_whatever_was_there(finding: Finding) -> None:
    main = report({"web": scan(packages=["openssl 3.5.1", "musl 1.2.5"])})
    run, deltas = on_top_of(main, {"web": scan(cve(9, "musl", "1.2.5"), finding)})
    assert run.verdict.state is NO_GO
    blocking = [item for item in run.verdict.checks if item.state is NO_GO]
    assert [(item.findings[-1].split()[0]) for item in blocking] == [finding.id]
    assert not deltas[blocking[0].id].inherited
    assert deltas[blocking[0].id].change is Change.CHANGED


def test_a_mix_blocks_and_names_what_is_new() -> None:
    main = report({"web": scan(packages=["openssl 3.5.1"])})
    run, deltas = on_top_of(main, {"web": scan(cve(1), cve(2, "curl", "8.1"))})
    message = check(run.verdict).message
    assert run.verdict.state is NO_GO
    assert "none allowed: CVE-2026-2 in curl 8.1 (fixed in 8.1.1); 1 of them new" in message
    assert not deltas["image.vulnerabilities"].inherited


def test_secrets_and_misconfigurations_of_the_base_are_inherited_by_name() -> None:
    main = report({"web": scan(SECRET, ROOT)})
    assert main.verdict.state is NO_GO
    run, deltas = on_top_of(main, {"web": scan(SECRET, ROOT)})
    assert run.verdict.state is WARN
    assert deltas["image.secrets"].inherited
    assert deltas["image.misconfigurations"].inherited
    moved = replace(SECRET, target="/srv/.env")
    assert on_top_of(main, {"web": scan(moved, ROOT)})[0].verdict.state is NO_GO


@pytest.mark.parametrize(
    "before",
    [Skipped(reason="trivy is not installed"), Unknown(reason="trivy crashed")],
    ids=["absent", "failed"],
)
def test_nothing_is_inherited_from_a_base_that_was_not_scanned(before: Missing) -> None:
    run, deltas = on_top_of(report({"web": before}), {"web": scan(cve(1))})
    assert run.verdict.state is NO_GO
    assert not deltas["image.vulnerabilities"].inherited


def test_an_image_of_a_new_service_inherits_nothing() -> None:
    main = report({"web": scan(packages=["openssl 3.5.1"])})
    run, _ = on_top_of(main, {"web": scan(cve(1)), "new": scan(cve(1))})
    states = {item.subject: item.state for item in checks(run.verdict, "image.vulnerabilities")}
    assert states == {"web": WARN, "new": NO_GO}


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
    contents = make_baseline(report({"web": many}), {}).contents
    assert isinstance(contents, Unknown)


def shared(item: Image) -> Image:
    return replace(item, services=("web", "worker"))


def test_an_image_that_several_services_run_is_judged_once_and_known_by_any_of_them() -> None:
    main = make_baseline(report({"web": scan(packages=["openssl 3.5.1"])}), {})
    run = report({"web": scan(cve(1))})
    assert not isinstance(run.images, Missing)
    images = replace(run.images, images=tuple(map(shared, run.images.images)))
    memory = make_memory([make_service(name, 20) for name in ("web", "worker")])
    verdict = judge(budgets(), images, memory, None, today=TODAY, main=main)
    assert check(verdict).subject == images.images[0].reference
    assert check(verdict).state is WARN
