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
    """A Dockerfile, the files beside it, and what pip says of wheels."""

    dockerfile: str
    files: dict[str, str] = field(default_factory=dict)
    wheels: Wheels | Unknown = field(default_factory=Wheels)
    base: Base | None = None
    ignored: bool = True
    probes: tuple[str, ...] = ()


CASES = {
    "requirements": Case(
        dockerfile="""\
FROM python:3.13
WORKDIR /app
COPY . .
RUN pip install --upgrade pip && pip install -r requirements.txt
ENV PYTHONUNBUFFERED=1
EXPOSE 8080
CMD ["python", "app.py"]
""",
        files={"requirements.txt": "redis==8.1.0\nipython\npytest-asyncio\nblack==26.1\n"},
        ignored=False,
    ),
    "hashes": Case(
        dockerfile="""\
FROM python:3.12-slim
WORKDIR /srv
COPY requirements/base.txt requirements/
RUN --mount=type=cache,target=/root/.cache/pip --mount=type=secret,id=ca \\
    pip install --require-hashes -r requirements/base.txt
COPY src/ ./
USER 1000:1000
ENTRYPOINT ["python", "-m", "service"]
""",
        files={"requirements/base.txt": HASHED},
    ),
    "development-file": Case(
        dockerfile="""\
FROM python:3.13
COPY requirements.txt requirements-dev.txt /app/
WORKDIR /app
RUN pip install -r requirements-dev.txt gunicorn==23 'uvicorn[standard]>=0.30' mypy
COPY app app
CMD gunicorn app:main --bind 0.0.0.0:$PORT
""",
        files={
            "requirements.txt": "redis\n",
            "requirements-dev.txt": "-r requirements.txt\npytest\n",
        },
    ),
    "compiled": Case(
        dockerfile="""\
FROM python:3.13-bookworm
RUN apt-get update \\
    && apt-get install -y --no-install-recommends build-essential libpq-dev curl vim libfoo2 tini \\
    && rm -rf /var/lib/apt/lists/*
RUN useradd --create-home web && mkdir -p /data && chown web /data
WORKDIR /app
COPY requirements.txt .
RUN pip install -r requirements.txt
COPY --chown=web:web . .
USER web
VOLUME /data
EXPOSE 8000
HEALTHCHECK --interval=5s CMD curl -f http://localhost:8000/ || exit 1
ENTRYPOINT ["tini", "--"]
CMD ["python", "-m", "web"]
""",
        files={"requirements.txt": "psycopg2==2.9.10\n"},
        wheels=Wheels(source_only=("psycopg2",)),
    ),
    "glibc-only": Case(
        dockerfile="""\
FROM python:3.13
RUN apt-get update && apt-get install -y gcc libgomp1 && adduser --system me
WORKDIR /app
COPY . /app
RUN pip install torch==2.9 requests
CMD ["python", "model.py"]
""",
        wheels=Wheels(glibc_only=("torch",)),
    ),
    "compiled-for-musl": Case(
        dockerfile="""\
FROM python:3.13
ARG TOKEN
ENV PIP_EXTRA_INDEX_URL=https://x:${TOKEN}@example.org/simple
RUN apt-get update && apt-get install gcc && pip install --pre -i https://example.org/s fast==1
WORKDIR /app
COPY . .
CMD python a.py
""",
        wheels=Wheels(glibc_only=("fast",)),
        base=Base.ALPINE,
    ),
    "poetry": Case(
        dockerfile="""\
FROM python:3.13
ENV POETRY_VIRTUALENVS_CREATE=false
RUN pip install poetry==2.2
WORKDIR /app
COPY pyproject.toml poetry.lock ./
RUN poetry install --no-root
COPY app app
CMD ["uvicorn", "app:main"]
""",
        files={"poetry.lock": ""},
    ),
    "uv": Case(
        dockerfile="""\
FROM python:3.13
COPY --from=ghcr.io/astral-sh/uv:0.9 /uv /bin/uv
WORKDIR /app
COPY . .
RUN uv sync --frozen
CMD ["app"]
""",
        files={"uv.lock": ""},
    ),
    "project": Case(
        dockerfile="""\
FROM python:3.13
WORKDIR /app
COPY . .
RUN pip install -e '.[dev,redis]' && python -m app.assets
CMD ["app"]
""",
        wheels=Unknown(reason="pip could not tell: no index"),
        probes=("CMD redis-cli -h redis ping",),
    ),
    "debian": Case(
        dockerfile="""\
FROM debian:trixie AS system
RUN apt-get update && apt-get install -y python3 python3-pip tzdata
FROM system
ARG VERSION=1
LABEL version=$VERSION
COPY run.py /usr/local/bin/run.py
RUN <<EOF
pip3 install --break-system-packages redis
date > /built
EOF
CMD ["python3", "/usr/local/bin/run.py"]
"""
    ),
}


@pytest.fixture(params=tuple(CASES))
def name(request: pytest.FixtureRequest) -> str:
    """Each case in turn."""
    return str(request.param)


def recipe_of(case: Case) -> Recipe:
    return read_recipe(read_stages(case.dockerfile, {}), "")


def proposed(case: Case) -> Proposal:
    recipe = recipe_of(case)
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
    found = proposed(CASES[name])
    notes = "".join(f"# note: {remark}\n" for remark in found.remarks)
    golden(f"dockerfile/{name}.txt", f"{found.text}\n{notes}")


def test_a_proposal_has_nothing_that_we_would_mend(name: str, tmp_path: Path) -> None:
    case = CASES[name]
    found = proposed(case)
    context = Context(has_dockerignore=True, read=case.files.get)
    own = check_dockerfile(found.text, path="D", target="", arguments={}, context=context)
    allowed = {"small-base"} if found.base is Base.SLIM else set()
    assert {one.rule for one in own} <= allowed
    file = tmp_path / "Dockerfile"
    file.write_text(found.text)
    linter = policy.find_linter()
    assert isinstance(linter, policy.Linter)
    linted = policy.lint(linter, file, path="D")
    assert not isinstance(linted, Unknown)
    theirs = {"DL3025", "DL3013", "DL3064"}  # as it was written
    assert {one.rule for one in linted if one.level.counts} <= theirs


def test_a_dockerignore_is_proposed_where_there_is_none(name: str) -> None:
    case = CASES[name]
    assert bool(proposed(case).dockerignore) is not case.ignored


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
        recipe_of(Case(dockerfile=dockerfile))
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
    assert recipe_of(Case(dockerfile=f"FROM {base}\n")).python == python
