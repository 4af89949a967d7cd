"""Remarks about Dockerfiles: what they come to, and where they are shown."""

from dataclasses import replace

import pytest

from factories import make_images, make_memory, make_report, make_service
from judging import BUDGETS, GO, NO_GO, WARN, Judge, checks
from onegig.model.budgets import Budgets, Policy
from onegig.model.images import IGNORED, DockerfilePolicy, ImagesReport, Level, Remark
from onegig.model.measured import Missing, Unknown
from onegig.model.state import State
from onegig.report.advice import steps
from onegig.report.annotations import annotations, render
from onegig.report.inspection import render_images

MEMORY = make_memory([make_service("web", 10)])
NOT_LINTED = Unknown(reason="not linted: hadolint is not installed")


def remark(level: Level, line: int = 3, text: str = "no USER: it runs as root") -> Remark:
    return Remark(rule="non-root", level=level, text=text, path="web/Dockerfile", line=line)


def report(*remarks: Remark, linted: str | Missing = "2.15.1", services: int = 1) -> ImagesReport:
    """One image, built from one Dockerfile."""
    policy = DockerfilePolicy(
        path="web/Dockerfile",
        services=("web", "worker")[:services],
        remarks=remarks,
        hadolint=linted,
    )
    return replace(make_images(["web"]), dockerfiles=(policy,))


def written(policy: Policy) -> Budgets:
    images = replace(BUDGETS.images, policy=policy)
    return replace(BUDGETS, images=images, lines=(("images.policy", 12),))


@pytest.mark.parametrize("level", [Level.ERROR, Level.WARNING])
@pytest.mark.parametrize(
    ("budgets", "state"),
    [
        (BUDGETS, GO),
        (written(Policy.NOTE), GO),
        (written(Policy.WARN), WARN),
        (written(Policy.ERROR), NO_GO),
        (written(Policy.IGNORE), GO),
    ],
)
def test_remarks_block_when_asked_to(
    judged: Judge, budgets: Budgets, state: State, level: Level
) -> None:
    verdict = judged(budgets=budgets, images=report(remark(level)))
    assert verdict.state is state
    results = checks(verdict, "image.dockerfile")
    assert [check.state for check in results] == ([] if state is GO else [state])


def test_by_default_remarks_are_told(judged: Judge) -> None:
    note = "web/Dockerfile: 1 issue (listed in the report)"
    assert judged(images=report(remark(Level.ERROR))).notes == (note,)
    quiet = judged(budgets=written(Policy.IGNORE), images=report(remark(Level.ERROR)))
    assert quiet.notes == ()


def test_a_clean_file_is_fine_and_hints_do_not_count(judged: Judge) -> None:
    hints = remark(Level.INFO), remark(Level.STYLE)
    for images in (report(), report(*hints)):
        verdict = judged(budgets=written(Policy.ERROR), images=images)
        assert verdict.state is GO
        (check,) = checks(verdict, "image.dockerfile")
        assert (check.value, check.message) == (0, "web/Dockerfile: no issues")


@pytest.mark.security
def test_what_comments_ignore_is_told(judged: Judge) -> None:
    images = report(remark(Level.INFO, text=f"{IGNORED}Use arguments JSON notation"))
    verdict = judged(budgets=written(Policy.ERROR), images=images)
    (check,) = checks(verdict, "image.dockerfile")
    assert check.message == "web/Dockerfile: no issues, 1 ignored by comments"


@pytest.mark.parametrize(
    ("budgets", "states"),
    [(BUDGETS, []), (written(Policy.WARN), [WARN]), (written(Policy.ERROR), [WARN])],
)
def test_what_was_not_linted_is_never_clean(
    judged: Judge, budgets: Budgets, states: list[State]
) -> None:
    verdict = judged(budgets=budgets, images=report(linted=NOT_LINTED))
    results = checks(verdict, "image.dockerfile")
    assert [check.state for check in results] == states
    assert all("not linted: hadolint is not installed" in check.message for check in results)


def test_our_own_remarks_count_without_hadolint(judged: Judge) -> None:
    images = report(remark(Level.WARNING), linted=NOT_LINTED)
    verdict = judged(budgets=written(Policy.ERROR), images=images)
    assert verdict.state is NO_GO


def test_the_first_two_are_in_the_message(judged: Judge) -> None:
    many = [remark(Level.WARNING, line, f"what {line}\nsays") for line in (1, 2, 3)]
    budgets = written(Policy.WARN)
    verdict = judged(budgets=budgets, images=report(*many, services=2))
    (check,) = checks(verdict, "image.dockerfile")
    assert (check.subject, check.value) == ("web/Dockerfile", 3)
    assert check.message == (
        "web/Dockerfile: 3 issues: what 1 says (line 1, non-root); what 2 says (line 2, non-root)"
        " and 1 more"
    )


def test_each_remark_is_annotated_at_its_line(judged: Judge) -> None:
    images = report(remark(Level.WARNING, 7), remark(Level.INFO, 8), services=2)
    verdict = judged(budgets=written(Policy.ERROR), images=images)
    whole = replace(make_report(MEMORY, images), verdict=verdict)
    assert render(annotations(whole, {})) == (
        "::error file=web/Dockerfile,line=7,title=NO-GO%3A Dockerfile%2C non-root"
        "::no USER: it runs as root\n"
    )


def test_what_to_do_is_the_worst_remark(judged: Judge) -> None:
    images = report(remark(Level.ERROR, 7), remark(Level.WARNING, 8))
    verdict = judged(budgets=written(Policy.ERROR), images=images)
    whole = replace(make_report(MEMORY, images), verdict=verdict)
    (step,) = steps(whole)
    assert (step.text, step.fix, step.fix_place) == (
        "Fix web/Dockerfile:",
        "no USER: it runs as root",
        "web/Dockerfile:7",
    )


def test_inspect_shows_remarks_and_what_was_not_looked_at() -> None:
    hint = remark(Level.INFO, 9, "a\x1b[31m hint")
    images = report(remark(Level.WARNING), hint, linted=NOT_LINTED)
    text = render_images(images, width=100)
    section = text[text.index("Dockerfiles\n") :].splitlines()[:4]
    assert section == [
        "Dockerfiles",
        "  -  web/Dockerfile:3: warning: no USER: it runs as root (non-root)",
        "  -  web/Dockerfile:9: info: a hint (non-root)",
        "  -  web/Dockerfile: not linted: hadolint is not installed",
    ]
