"""onegig as a library: the documented example, run in a thread that takes no signals."""

import re
from pathlib import Path
from threading import Thread

import pytest

PAGE = Path(__file__).parents[2] / "docs" / "library.md"


@pytest.mark.engine
def test_the_documented_example_runs_in_a_thread(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (code,) = re.findall(r"```python\n(.*?)```", PAGE.read_text(), re.DOTALL)
    folder = tmp_path / "stack"
    folder.mkdir()
    (folder / "budgets.yml").write_text("version: 1\nmeasure: {settle: 0}\nscan: {secrets: any}\n")
    service = "{image: onegig-local/alpine:3.23, init: true, command: [sleep, '300']}"
    (folder / "compose.yml").write_text(f"name: onegig-library\nservices: {{quiet: {service}}}\n")
    monkeypatch.chdir(tmp_path)
    thread = Thread(target=exec, args=(code, {}))
    thread.start()
    thread.join()
    verdict, quiet = capsys.readouterr().out.splitlines()
    assert verdict.split(" ")[0] in ("GO", "WARN")
    assert re.fullmatch(r"quiet [0-9]+", quiet)
