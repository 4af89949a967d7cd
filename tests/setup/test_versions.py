"""Comparing versions of engines and packages."""

import pytest

from setup_machine import Machine


@pytest.mark.parametrize(
    ("version", "wanted", "enough"),
    [
        ("26.1.5+dfsg1", "24.0", True),
        ("24.0.0", "24.0", True),
        ("23.0.6", "24.0", False),
        ("20.10.24+dfsg1", "24.0", False),
        ("v2.38.2", "2.20", True),
        ("2.26.1-4", "2.20", True),
        ("2.9.0", "2.20", False),
        ("1.29.2", "2.20", False),
        ("0.13.1+ds1", "0.11", True),
        ("1.2.3-1", "1.2.5", False),
        ("1.2.5-3.1~deb13u1", "1.2.5", True),
        ("3.11.2-1+b1", "3.11", True),
        ("0", "0.11", False),
        ("", "2.20", False),
        ("not a version", "1.0", False),
    ],
)
def test_at_least(machine: Machine, version: str, wanted: str, enough: bool) -> None:
    result = machine.source("common.sh", f"if at_least '{version}' {wanted}; then echo yes; fi")
    assert (result.stdout == "yes\n") is enough, result.stderr
    assert result.returncode == 0
