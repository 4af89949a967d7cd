"""Figures drawn in a child process, so that no verdict is lost with them.

numpy and matplotlib are compiled for recent processors: on an older one their import ends the
process with SIGILL. Only the child imports them, and whatever it dies of is a DrawingError here.
"""

import os
import sys
import sysconfig
from pathlib import Path
from tempfile import TemporaryDirectory

from onegig.errors import DrawingError
from onegig.model.codec import from_json, to_json
from onegig.model.report import Report
from onegig.process import CommandError, run
from onegig.report import html

DRAW_SECONDS = 300.0
PAGE = "report.html"


def draw_page(report: Report) -> str:
    """Return the HTML report. Raises DrawingError."""
    with TemporaryDirectory(prefix="onegig-draw-") as folder:
        source, target = Path(folder) / "source.json", Path(folder) / PAGE
        source.write_text(to_json(report), encoding="utf-8")
        argv = [sys.executable, "-P", "-m", "onegig.drawing", str(source), str(target)]
        try:
            run(argv, env=_package_path(), timeout_seconds=DRAW_SECONDS)
            return target.read_text(encoding="utf-8")
        except CommandError as error:
            last = error.detail.rpartition("\n")[2]
            raise DrawingError(
                f"{target.name} could not be drawn: {error.message}{f': {last}' if last else ''}",
                command=error.command,
                advice="all numbers are in report.json; `onegig render` draws it elsewhere",
            ) from error


def _package_path() -> dict[str, str]:
    """Return the variable that lets the child import this very onegig, where it is not installed.

    An installed package needs none, and its folder must not come before the standard library. Only
    absolute folders count: others are where the checkout can put modules.
    """
    root = str(Path(__file__).parents[1])
    if root in (sysconfig.get_path("purelib"), sysconfig.get_path("platlib")):
        return {}
    known = os.environ.get("PYTHONPATH", "").split(os.pathsep)
    return {"PYTHONPATH": os.pathsep.join((root, *filter(os.path.isabs, known)))}


def _main(source: Path, target: Path) -> None:
    """Draw in this process: the child's part."""
    report = from_json(Report, source.read_text(encoding="utf-8"), str(source))
    target.write_text(html.render(report), encoding="utf-8")


if __name__ == "__main__":
    _main(Path(sys.argv[1]), Path(sys.argv[2]))
