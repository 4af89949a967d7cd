"""Whatever drawing dies of, the verdict and its numbers are there."""

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from onegig import cli, pipeline
from onegig.cli import main
from onegig.drawing import draw_page
from onegig.errors import DrawingError, ExitCode
from onegig.model.codec import from_json, to_json
from onegig.model.report import Report
from onegig.report import html, markdown
from scenarios import make_go, make_no_go

SCRIPTS = Path(cli.__file__).parents[1]
DEATHS = {
    "SIGILL": "import os, signal\nos.kill(os.getpid(), signal.SIGILL)\n",
    "SIGKILL": "import os, signal\nos.kill(os.getpid(), signal.SIGKILL)\n",
    "no such processor": "raise RuntimeError('no such processor')\n",
}
Break = Callable[[str], None]


@pytest.fixture
def break_drawing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Break:
    """Make matplotlib's import die, in child processes only."""

    def stub(program: str) -> None:
        package = tmp_path / "stub" / "matplotlib"
        package.mkdir(parents=True)
        (package / "__init__.py").write_text(program)
        monkeypatch.setenv("PYTHONPATH", str(package.parent))

    return stub


@pytest.fixture
def check(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Result]:
    """Run `onegig check` on a stack that was measured before."""

    def run(report: Report, *options: str) -> Result:
        monkeypatch.setattr(pipeline, "check", lambda *_: report)
        folder = str(tmp_path / "report")
        return CliRunner().invoke(main, ["check", "--report", folder, "--quiet", *options])

    return run


@pytest.mark.parametrize("death", DEATHS)
@pytest.mark.parametrize(
    ("make", "code"), [(make_go, ExitCode.OK), (make_no_go, ExitCode.NO_GO)], ids=["go", "no-go"]
)
def test_a_page_that_cannot_be_drawn_takes_nothing_with_it(
    check: Callable[..., Result],
    break_drawing: Break,
    tmp_path: Path,
    make: Callable[[], Report],
    code: ExitCode,
    death: str,
) -> None:
    break_drawing(DEATHS[death])
    folder = tmp_path / "report"
    folder.mkdir()
    (folder / "report.html").write_text("of an earlier run")
    result = check(make())
    assert result.exit_code == code
    assert make().verdict.sentence in result.stdout
    assert (folder / "comment.md").read_text() == markdown.render(make())
    assert from_json(Report, (folder / "report.json").read_text(), "report.json") == make()
    assert not (folder / "report.html").exists()
    assert "report.html could not be drawn" in result.stderr
    assert death in result.stderr


def test_json_is_whole_when_drawing_dies(
    check: Callable[..., Result], break_drawing: Break
) -> None:
    break_drawing(DEATHS["SIGILL"])
    result = check(make_go(), "--json")
    assert json.loads(result.stdout)["verdict"]["state"] == "GO"


def test_the_page_of_the_child_is_the_page(check: Callable[..., Result], tmp_path: Path) -> None:
    assert check(make_go()).exit_code == ExitCode.OK
    assert (tmp_path / "report/report.html").read_text() == html.render(make_go())


def test_a_folder_of_the_user_shadows_no_library(
    check: Callable[..., Result], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "jinja2.py").write_text("raise SystemExit('the user has a file of that name')")
    monkeypatch.chdir(tmp_path)
    assert check(make_go()).exit_code == ExitCode.OK
    assert (tmp_path / "report/report.html").exists()


def test_a_page_that_cannot_be_drawn_says_why(break_drawing: Break) -> None:
    break_drawing(DEATHS["SIGKILL"])
    with pytest.raises(DrawingError, match=r"report\.html could not be drawn: .* SIGKILL"):
        draw_page(make_go())


def test_check_itself_imports_nothing_that_draws(tmp_path: Path) -> None:
    (tmp_path / "report.json").write_text(to_json(make_go()))
    program = """
import sys
from pathlib import Path
from onegig import cli, pipeline
from onegig.model.codec import from_json
from onegig.model.report import Report
report = from_json(Report, Path("report.json").read_bytes(), "report.json")
pipeline.check = lambda *_: report
try:
    cli.main(["check", "--quiet", "--report", "out"])
except SystemExit as end:
    assert end.code == 0, end.code
assert Path("out/report.html").exists()
print(sorted({"matplotlib", "numpy"} & set(sys.modules)))
"""
    done = subprocess.run(
        [sys.executable, "-c", program],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(SCRIPTS)},
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout.splitlines()[-1] == "[]"
