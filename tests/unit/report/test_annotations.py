"""Failing checks beside the lines that are to blame, as GitHub's runner reads them."""

from dataclasses import replace

import pytest

from factories import (
    SERVICES,
    make_check,
    make_images,
    make_memory,
    make_report,
    make_service,
    with_failures,
)
from onegig.model.report import Failure, Report
from onegig.model.state import State
from onegig.model.verdict import Check
from onegig.report.annotations import Place, annotations, parse_place, render
from scenarios import make_go, make_hostile, make_incomplete, make_many, make_no_go


def commands(report: Report, **places: Place) -> list[str]:
    return render(annotations(report, places)).splitlines()


def failing(**changes: object) -> Report:
    check = make_check("service.image", "web", title="Image of web", state=State.NO_GO)
    check = replace(check, **changes)  # type: ignore[arg-type]  # any field of the dataclass
    return with_checks(check)


def with_checks(*checks: Check) -> Report:
    memory = make_memory([make_service(name, rss) for name, rss in SERVICES.items()])
    return with_failures(make_report(memory, make_images(SERVICES)), checks)


def test_nothing_is_said_of_a_stack_that_fits() -> None:
    assert commands(make_go()) == []


def test_each_failure_is_shown_where_its_limit_is_written() -> None:
    assert commands(make_no_go())[:3] == [
        (
            "::error file=budgets.yml,line=5,title=NO-GO%3A Memory of the stack"
            "::1,159 of 1,024 MB, 135 MB (14 %25) over; aggressor takes 713 MB"
        ),
        (
            "::error file=services/compose.yml,title=NO-GO%3A State of aggressor"
            "::aggressor ran out of memory and was killed twice: the machine was full; "
            "aggressor was the largest: 784 MB"
        ),
        (
            "::error file=budgets.yml,line=13,title=NO-GO%3A Memory of aggressor"
            "::aggressor takes 713 of 24 MB, 689 MB (2871 %25) over"
        ),
    ]


def test_an_image_is_shown_at_its_dockerfile() -> None:
    report = failing(message="the image of web takes 120 of 110 MB", where="budgets.yml:9")
    assert commands(report, web=Place(path="web/Dockerfile", line=4)) == [
        (
            "::error file=web/Dockerfile,line=4,title=NO-GO%3A Image of web"
            "::the image of web takes 120 of 110 MB"
        )
    ]


def test_a_limit_by_default_and_the_catalogue_blame_no_file() -> None:
    first, second = commands(
        with_checks(
            make_check("disk.total", "stack", title="Disk", state=State.NO_GO, message="full"),
            make_check(
                "memory.tier",
                "stack",
                title="Tier",
                state=State.WARN,
                message="w",
                where="tiers.toml",
            ),
        )
    )
    assert first == "::error title=NO-GO%3A Disk::full"
    assert second == "::warning title=WARN%3A Tier::w"


def test_what_could_not_be_measured_is_an_error() -> None:
    assert all(line.startswith("::error ") for line in commands(make_incomplete()))


def test_a_failed_build_is_shown_first_at_its_line() -> None:
    failure = Failure(
        message="the image of web could not be built", exit_code=3, place="web/Dockerfile:2"
    )
    first = commands(replace(make_incomplete(), failure=failure))[0]
    assert first == (
        "::error file=web/Dockerfile,line=2,title=onegig could not answer"
        "::the image of web could not be built"
    )


def test_no_more_than_github_shows_worst_first() -> None:
    lines = commands(make_many())
    assert len([line for line in lines if line.startswith("::error")]) == 10


def test_names_cannot_make_commands_or_properties() -> None:
    lines = commands(make_hostile())
    assert lines
    assert all(line.startswith(("::error ", "::warning ")) for line in lines)
    sly = failing(title="a,line=1::x\n::set-output name=x::y", message="100%0A::error::z\r\n::stop")
    (line,) = commands(sly)
    assert line == (
        "::error title=NO-GO%3A a%2Cline=1%3A%3Ax %3A%3Aset-output name=x%3A%3Ay"
        "::100%250A::error::z ::stop"
    )


@pytest.mark.parametrize(
    ("text", "place"),
    [
        ("budgets.yml:12", Place(path="budgets.yml", line=12)),
        ("services/compose.yml", Place(path="services/compose.yml")),
        ("Dockerfile:3", Place(path="Dockerfile", line=3)),
        ("default", None),
        ("", None),
    ],
)
def test_places_as_the_judge_writes_them(text: str, place: Place | None) -> None:
    assert parse_place(text) == place
