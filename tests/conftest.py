"""What every test may ask for: whole reports, and documents kept to compare with."""

from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import settings

from onegig.model.report import Report
from scenarios import REPORTS

settings.register_profile("onegig", deadline=None)  # a busy machine is not a failure
settings.load_profile("onegig")

GOLDEN = Path(__file__).parent / "golden"
pytest_plugins = ["workers", "fake_engine"]
collect_ignore = ["end_to_end"]  # minutes of whole runs: only when named on the command line


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--update-goldens",
        action="store_true",
        help="write what the tests found over the documents kept in tests/golden",
    )


@pytest.fixture
def golden(request: pytest.FixtureRequest) -> Callable[[str, str], None]:
    """Compare a document with the one kept under tests/golden; write it with --update-goldens."""

    def compare(name: str, document: str) -> None:
        path = GOLDEN / name
        if request.config.getoption("--update-goldens"):
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(document, encoding="utf-8")
        assert path.exists(), f"{path} is not there: run pytest --update-goldens and read it"
        assert document == path.read_text(encoding="utf-8")

    return compare


@pytest.fixture(params=tuple(REPORTS))
def scenario(request: pytest.FixtureRequest) -> str:
    """The name of each kind of report in turn."""
    return str(request.param)


@pytest.fixture
def report(scenario: str) -> Report:
    """Each kind of report in turn."""
    return REPORTS[scenario]()
