"""What an installed onegig brings besides its modules."""

import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

from onegig.commands.init import NAMES

ROOT = Path(__file__).parents[2]
PINS = "onegig/images/trivy.env"


def test_a_wheel_has_the_workflows_and_the_pins(tmp_path: Path) -> None:
    source = tmp_path / "source"
    source.mkdir()
    for name in ("pyproject.toml", "README.md"):
        shutil.copy(ROOT / name, source)
    ignored = shutil.ignore_patterns("__pycache__", "*.egg-info")
    for name in ("scripts", "examples"):  # with links as links: they lead from one to the other
        shutil.copytree(ROOT / name, source / name, symlinks=True, ignore=ignored)
    pip = [sys.executable, "-m", "pip", "wheel", "--quiet", "--no-index", "--no-deps"]
    build = ["--no-build-isolation", "--wheel-dir", str(tmp_path), str(source)]
    subprocess.run([*pip, *build], check=True, capture_output=True)
    (wheel,) = tmp_path.glob("onegig-*.whl")
    with zipfile.ZipFile(wheel) as archive:
        for name in NAMES:
            example = (ROOT / "examples/workflows" / name).read_bytes()
            assert archive.read(f"onegig/commands/workflows/{name}") == example
        assert archive.read(PINS) == (ROOT / "scripts/setup/trivy.env").read_bytes()
