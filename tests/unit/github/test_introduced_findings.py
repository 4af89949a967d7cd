"""Vulnerabilities of a pull request: only what its base does not have fails it, at every date."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from accounts import make_finding, make_scan
from gate_runs import Scene, make_honest_images, make_honest_memory, open_scene, zipped
from github.fixtures import CountingClock
from github.stand_in import StandIn
from onegig.github.client import Client
from onegig.github.trusted.poster import Outcome, post
from onegig.github.trusted.runs import Settings
from onegig.judge.baseline import make_baseline
from onegig.model.codec import to_line
from onegig.model.images import ImagesReport
from onegig.model.scan import Finding, Scan, Severity
from scenarios import make_go

HERE = "octo/stack"
Post = Callable[..., Outcome]
BUDGETS = "version: 1\nscan: {vulnerabilities: 0}\n"
FOUND = make_finding("CVE-2026-77", Severity.HIGH, "openssl")  # in 1.0.0


@pytest.fixture
def tell(client: Client, clock: CountingClock) -> Post:
    """Run the poster for a payload."""

    def run(event: dict[str, Any]) -> Outcome:
        return post(client, event, Settings(), clock)

    return run


def images(*findings: Finding, packages: tuple[str, ...] = ()) -> ImagesReport:
    """All images with these findings and packages."""
    report = make_honest_images()
    scan: Scan = replace(
        make_scan(*findings),
        packages=tuple(f"{name} 1.0.0" for name in packages),
    )
    return replace(report, images=tuple(replace(one, scan=scan) for one in report.images))


def on_top_of(scene: Scene, base: ImagesReport) -> None:
    """The base branch's numbers are on the data branch."""
    kept = replace(make_baseline(replace(make_go(), images=base), {}), commit=scene.base)
    line = to_line(replace(kept, created="2026-01-01T00:00:00+00:00"))
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
