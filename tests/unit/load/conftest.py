from collections.abc import Callable
from pathlib import Path

import pytest

Write = Callable[[str | bytes], Path]


@pytest.fixture
def write(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Write:
    """Writes budgets.yml into a folder of its own and gives its path as a user would."""
    monkeypatch.chdir(tmp_path)

    def put(text: str | bytes) -> Path:
        path = Path("budgets.yml")
        path.write_bytes(text.encode() if isinstance(text, str) else text)
        return path

    return put
