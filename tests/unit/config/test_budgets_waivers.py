"""Waivers in budgets.yml: what they say, when they end, whose they are."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from onegig.config.budgets import check_against, load_budgets
from onegig.errors import ConfigError
from onegig.model.budgets import Waiver
from onegig.model.stack import Stack

Write = Callable[[str | bytes], Path]
MakeStack = Callable[..., Stack]
Mistakes = Callable[[Path], list[str]]
WAIVER = """\
waivers:
  - check: image.efficiency
    subject: web
    reason: "#12"
    owner: "@ops"
    expires: {expires}
"""


def expiring(days: int) -> str:
    """A waiver whose last day is so many days from now."""
    return WAIVER.format(expires=datetime.now(UTC).date() + timedelta(days=days))


def test_waivers(write: Write) -> None:
    text = expiring(-500) + expiring(300).replace("    subject: web\n", "").split("\n", 1)[1]
    single, every = load_budgets(write(text)).waivers
    last = datetime.now(UTC).date() - timedelta(days=500)
    assert single == Waiver(
        check="image.efficiency", subject="web", reason="#12", owner="@ops", expires=last
    )
    assert every.subject is None


def test_the_old_name_of_a_key_is_read_with_a_note(write: Write, mistakes: Mistakes) -> None:
    budgets = load_budgets(write(expiring(9).replace("check:", "metric:")))
    assert budgets.waivers == load_budgets(write(expiring(9))).waivers
    assert budgets.notes == ("budgets.yml:2: `metric` is now `check`; rename it there",)
    both = expiring(9).replace("    subject", "    metric: image.wasted\n    subject")
    expected = "budgets.yml:3: waivers[0]: has `check` and its old name `metric`; remove `metric`"
    assert mistakes(write(both)) == [expected]


@pytest.mark.parametrize("text", ["waivers: []", "version: 1"])
def test_no_waivers(write: Write, text: str) -> None:
    assert load_budgets(write(text)).waivers == ()


@pytest.mark.parametrize(
    ("old", "new", "line"),
    [
        (
            "image.efficiency",
            "image.eficiency",
            "2: waivers[0].check: 'image.eficiency' is not one of ",
        ),
        ("image.efficiency", "measure.complete", "2: waivers[0].check: 'measure.complete' is not"),
        ('    reason: "#12"\n', "", "2: waivers[0]: lacks reason (write {check: service.memory, "),
        ('    owner: "@ops"\n', "", "2: waivers[0]: lacks owner (write {check: service.memory, "),
        ('"@ops"', '" "', "5: waivers[0].owner: is empty"),
        ('"@ops"', "42", "5: waivers[0].owner: should be text, not the number 42 (write '@ops')"),
        ("    owner:", "    ownr:", "5: waivers[0]: unknown key 'ownr' (did you mean owner?)"),
    ],
)
def test_mistakes_in_waivers(
    write: Write, mistakes: Mistakes, old: str, new: str, line: str
) -> None:
    lines = mistakes(write(expiring(9).replace(old, new)))
    assert any(each.startswith(f"budgets.yml:{line}") for each in lines), lines


@pytest.mark.parametrize(
    ("expires", "message"),
    [
        ("31.12.2026", "'31.12.2026' is not a date (write 2026-12-31)"),
        ("2026-02-30", "'2026-02-30' is not a date (write 2026-12-31)"),
        ("2999-01-01", "2999-01-01 is more than a year away; choose an earlier date"),
        ("[]", "should be text, not a list (write '2026-12-31')"),
    ],
)
def test_the_end_of_a_waiver(write: Write, mistakes: Mistakes, expires: str, message: str) -> None:
    assert mistakes(write(WAIVER.format(expires=expires))) == [
        f"budgets.yml:6: waivers[0].expires: {message}"
    ]


def test_a_waiver_may_last_a_year(write: Write, mistakes: Mistakes) -> None:
    assert load_budgets(write(expiring(366))).waivers
    (line,) = mistakes(write(expiring(368)))  # midnight may pass in between
    assert line.endswith("is more than a year away; choose an earlier date")


def test_a_waiver_written_twice(write: Write, mistakes: Mistakes) -> None:
    assert mistakes(write(expiring(9) + expiring(10).split("\n", 1)[1])) == [
        "budgets.yml:7: waivers[1]: image.efficiency of web is already waived by waivers[0]"
    ]


def test_a_waiver_of_a_single_finding(write: Write, mistakes: Mistakes) -> None:
    text = expiring(9).replace("image.efficiency", "image.secrets\n    id: github-pat")
    (waiver,) = load_budgets(write(text)).waivers
    assert (waiver.check, waiver.id) == ("image.secrets", "github-pat")
    other = expiring(9).replace("image.efficiency", "image.secrets\n    id: aws-key")
    assert len(load_budgets(write(text + other.split("\n", 1)[1])).waivers) == 2
    assert mistakes(write(text + text.split("\n", 1)[1])) == [
        "budgets.yml:8: waivers[1]: image.secrets github-pat of web is already waived by waivers[0]"
    ]


def test_only_findings_have_an_id(write: Write, mistakes: Mistakes) -> None:
    (line,) = mistakes(write(expiring(9).replace("    subject: web", "    id: CVE-2026-1")))
    assert line == (
        "budgets.yml:3: waivers[0].id: only these checks have findings with an id: "
        "image.vulnerabilities, "
        "image.secrets, image.misconfigurations"
    )


def test_a_waiver_of_a_service_the_stack_does_not_have(write: Write, make_stack: MakeStack) -> None:
    budgets = load_budgets(write(expiring(9)))
    check_against(budgets, make_stack("web"))
    check_against(load_budgets(write(expiring(9).replace("web", "stack"))), make_stack("redis"))
    with pytest.raises(ConfigError) as caught:
        check_against(budgets, make_stack("webb"))
    assert caught.value.detail == (
        "budgets.yml:3: waivers[0].subject: the stack has no service 'web' (did you mean webb?)"
    )
