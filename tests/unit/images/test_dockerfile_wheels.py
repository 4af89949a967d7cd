"""Which packages have wheels for musl, asked of the real pip and an index made by hand."""

import platform
import tarfile
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest

from onegig.dockerfiles.requirements import Wheels, check_wheels
from onegig.model.measured import Unknown

Add = Callable[..., None]
Check = Callable[..., Wheels | Unknown]
MACHINE = platform.machine()


@pytest.fixture
def index(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Add:
    """Add a package to the only index that pip has."""
    folder = tmp_path / "index"
    folder.mkdir()
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(folder))
    monkeypatch.setenv("PIP_CONFIG_FILE", "/dev/null")

    def add(name: str, tag: str, needs: str = "") -> None:
        metadata = f"Metadata-Version: 2.1\nName: {name}\nVersion: 1\n"
        metadata += f"Requires-Dist: {needs}\n" if needs else ""
        with zipfile.ZipFile(folder / f"{name}-1-{tag}.whl", "w") as wheel:
            wheel.writestr(f"{name}-1.dist-info/METADATA", metadata)
            wheel.writestr(f"{name}-1.dist-info/WHEEL", f"Wheel-Version: 1.0\nTag: {tag}\n")
            wheel.writestr(f"{name}-1.dist-info/RECORD", "")

    return add


@pytest.fixture
def check(tmp_path: Path) -> Check:
    """Check requirements for Python 3.13."""
    folder = tmp_path / "empty"
    folder.mkdir()
    return lambda *requirements: check_wheels(requirements, "3.13", folder)


def glibc() -> str:
    return f"cp313-cp313-manylinux_2_17_{MACHINE}.manylinux2014_{MACHINE}"


def test_what_runs_on_musl(index: Add, check: Check) -> None:
    index("pure", "py3-none-any", needs="fast")
    index("fast", f"cp313-cp313-musllinux_1_2_{MACHINE}")
    assert check("pure==1 --hash=sha256:00", "fast") == Wheels()
    assert check() == Wheels()


def test_a_wheel_for_glibc_alone(index: Add, check: Check) -> None:
    index("pure", "py3-none-any")
    index("heavy", glibc())
    assert check("pure", "heavy[extra]==1; python_version > '3'") == Wheels(glibc_only=("heavy",))


def test_it_may_be_another_s_need(index: Add, check: Check) -> None:
    index("pure", "py3-none-any", needs="heavy")
    index("heavy", glibc())
    assert check("pure") == Wheels(glibc_only=("heavy",))


def test_no_wheel_at_all(index: Add, check: Check) -> None:
    index("pure", "py3-none-any")
    assert check("pure", "from-source") == Wheels(source_only=("from-source",))


def test_a_pip_that_can_not_be_asked(
    check: Check, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = tmp_path / "pip.conf"
    settings.write_text("no settings\n")
    monkeypatch.setenv("PIP_CONFIG_FILE", str(settings))
    result = check("pure")
    assert isinstance(result, Unknown)
    assert result.reason.startswith("pip failed: ")


@pytest.fixture
def evil(tmp_path: Path) -> tuple[Path, Path]:
    """A package whose setup.py leaves a mark when it is run: its folder, and the mark."""
    folder, mark = tmp_path / "evil", tmp_path / "ran"
    folder.mkdir()
    (folder / "setup.py").write_text(
        f"open({str(mark)!r}, 'w')\nfrom setuptools import setup\nsetup(name='evil', version='1')\n"
    )
    return folder, mark


@pytest.mark.security
@pytest.mark.parametrize(
    "text",
    [
        "evil @ file://{archive}",
        "file://{archive}#egg=evil",
        "-e {folder}#egg=evil",
        "evil==={up}{folder}",
        "{folder}",
    ],
)
def test_nothing_is_built(
    index: Add,
    check: Check,
    evil: tuple[Path, Path],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    text: str,
) -> None:
    folder, mark = evil
    monkeypatch.setenv("PIP_NO_BUILD_ISOLATION", "0")  # no index has setuptools
    archive = tmp_path / "evil-1.tar.gz"
    with tarfile.open(archive, "w:gz") as tar:
        tar.add(folder, "evil-1")
    index("pure", "py3-none-any")
    requirement = text.format(archive=archive, folder=folder, up="/.." * 20)
    assert check("pure", requirement) == Wheels(not_asked=(requirement,))
    assert not mark.exists()


@pytest.mark.security
def test_no_line_is_an_option(index: Add, check: Check, tmp_path: Path) -> None:
    index("pure", "py3-none-any")
    log = tmp_path / "log"
    options = (f"--log={log}&egg=pure", f"--find-links={tmp_path}#egg=pure", "-rx&egg=pure")
    assert check("pure", *options) == Wheels(not_asked=options)
    assert check(*options) == Wheels(not_asked=options)
    assert not log.exists()


@pytest.mark.security
def test_what_was_not_asked_beside_a_wheel_for_glibc(index: Add, check: Check) -> None:
    index("heavy", glibc())
    url = "evil @ https://example.org/evil.tar.gz"
    assert check("heavy", url) == Wheels(glibc_only=("heavy",), not_asked=(url,))
