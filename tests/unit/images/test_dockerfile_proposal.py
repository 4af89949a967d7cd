"""`onegig dockerfile`: whole proposals, each of which keeps to our own rules and hadolint's."""

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from onegig.dockerfiles import policy
from onegig.dockerfiles.policy import Context, check_dockerfile
from onegig.dockerfiles.proposal import Base, Proposal, Source, propose
from onegig.dockerfiles.recipe import Recipe, read_recipe
from onegig.dockerfiles.requirements import Wheels
from onegig.dockerfiles.stages import read_stages
from onegig.errors import ConfigError
from onegig.model.measured import Unknown

DOCKERFILES = Path(__file__).parents[2] / "golden" / "dockerfile"
HASHED = """\
redis==8.1.0 \\
    --hash=sha256:00 \\
    --hash=sha256:01
    # via -r requirements.in
pytest==9.2.0 \\
    --hash=sha256:02
    # via -r requirements.in
iniconfig==2.3.0 \\
    --hash=sha256:03
    # via pytest
packaging==26.0 \\
    --hash=sha256:04
    # via
    #   pytest
    #   redis
"""


@dataclass(frozen=True, kw_only=True)
class Case:
    """What is beside a Dockerfile, and what pip says of wheels."""

    files: dict[str, str] = field(default_factory=dict)
    wheels: Wheels | Unknown = field(default_factory=Wheels)
    base: Base | None = None
    ignored: bool = True
    probes: tuple[str, ...] = ()


CASES = {
    "requirements": Case(
        files={"requirements.txt": "redis==8.1.0\nipython\npytest-asyncio\nblack==26.1\n"},
        ignored=False,
    ),
    "hashes": Case(files={"requirements/base.txt": HASHED}),
    "development-file": Case(
        files={
            "requirements.txt": "redis\n",
            "requirements-dev.txt": "-r requirements.txt\npytest\n",
        }
    ),
    "compiled": Case(
        files={"requirements.txt": "psycopg2==2.9.10\n"}, wheels=Wheels(source_only=("psycopg2",))
    ),
    "glibc-only": Case(wheels=Wheels(glibc_only=("torch",))),
    "compiled-for-musl": Case(wheels=Wheels(glibc_only=("fast",)), base=Base.ALPINE),
    "poetry": Case(files={"poetry.lock": ""}),
    "uv": Case(files={"uv.lock": ""}),
    "project": Case(
        wheels=Unknown(reason="pip failed: no index"),
        probes=("CMD redis-cli -h redis ping",),
    ),
    "debian": Case(),
}


@pytest.fixture(params=tuple(CASES))
def name(request: pytest.FixtureRequest) -> str:
    """Each case in turn."""
    return str(request.param)


def recipe_of(dockerfile: str) -> Recipe:
    return read_recipe(read_stages(dockerfile, {}), "")


def proposed(name: str) -> Proposal:
    case, recipe = CASES[name], recipe_of((DOCKERFILES / f"{name}.Dockerfile").read_text())
    source = Source(
        service="web",
        path="web/Dockerfile",
        recipe=recipe,
        read=case.files.get,
        has_dockerignore=case.ignored,
        probes=case.probes,
    )
    return propose(source, recipe.python, case.wheels, case.base)


def test_whole_proposal(name: str, golden: Callable[[str, str], None]) -> None:
    proposal = proposed(name)
    notes = "".join(f"# note: {remark}\n" for remark in proposal.remarks)
    golden(f"dockerfile/{name}.txt", f"{proposal.text}\n{notes}")


def test_a_proposal_has_nothing_that_we_would_mend(name: str, tmp_path: Path) -> None:
    case = CASES[name]
    proposal = proposed(name)
    context = Context(has_dockerignore=True, read=case.files.get)
    own = check_dockerfile(proposal.text, path="D", target="", arguments={}, context=context)
    allowed = {"small-base"} if proposal.base is Base.SLIM else set()
    assert {remark.rule for remark in own} <= allowed
    file = tmp_path / "Dockerfile"
    file.write_text(proposal.text)
    linter = policy.find_linter()
    assert isinstance(linter, policy.Linter)
    linted = policy.lint(linter, file, path="D")
    assert not isinstance(linted, Unknown)
    theirs = {"DL3025", "DL3013", "DL3064"}  # as it was written
    assert {remark.rule for remark in linted if remark.level.counts} <= theirs


def test_a_dockerignore_is_proposed_where_there_is_none(name: str) -> None:
    assert bool(proposed(name).dockerignore) is not CASES[name].ignored


@pytest.mark.parametrize(
    ("dockerfile", "message"),
    [
        ("FROM python:3.13\nRUN pipenv install --system\n", "pipenv"),
        ("FROM a AS b\nFROM python:3.13\nCOPY --from=b /x /x\n", "several stages already"),
        ("", "no FROM"),
    ],
)
def test_what_can_not_be_rewritten(dockerfile: str, message: str) -> None:
    with pytest.raises(ConfigError, match=message) as caught:
        recipe_of(dockerfile)
    assert caught.value.advice


@pytest.mark.parametrize(
    ("base", "python"),
    [
        ("python:3.13", "3.13"),
        ("python:3.11.9-slim-bookworm", "3.11"),
        ("registry.example/team/python:3.12@sha256:00", "3.12"),
        ("onegig-local/python:3.13", "3.13"),
        ("debian:trixie", "3.13"),
        ("ubuntu:24.04", "3.12"),
        ("python:latest", ""),
        ("node:22", ""),
    ],
)
def test_the_version_of_python(base: str, python: str) -> None:
    assert recipe_of(f"FROM {base}\n").python == python


def test_what_no_build_would_take_still_gets_a_proposal() -> None:
    files = {"dev.txt": "-r test.txt\n", "test.txt": "-r ./dev.txt\n"}  # include each other
    source = Source(
        service="web",
        path="Dockerfile",
        recipe=recipe_of("FROM python:3.13\nCOPY\nRUN pip install -r dev.txt\n"),
        read=files.get,
        has_dockerignore=True,
    )
    proposal = propose(source, "3.13", Wheels(), None)
    assert proposal.left_out == ("dev.txt", "test.txt")
