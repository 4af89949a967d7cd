"""The peak before the window: who made it, and when nobody did but a machine that stayed full."""

import pytest

from factories import make_memory, make_service
from judging import MIB
from onegig.judge.memory import describe_boot
from onegig.model.memory import BootPeak

ENGINE = sum(part.pss_bytes for part in make_memory([]).engine)
CAP = make_memory([]).box.cap_bytes
PUSHED_OUT = "memory was full until parts of the engine were pushed out of it"


@pytest.mark.parametrize(
    ("causes", "free_mib", "sentence"),
    [
        ((("engine", 160 * MIB),), 10, PUSHED_OUT),
        (
            (("engine", 160 * MIB),),
            300,
            "the engine took 160 MB while the stack started (after 3 s)",
        ),
        (
            (("big", 700 * MIB), ("engine", 160 * MIB)),
            10,
            "big took 700 MB and the engine took 160 MB while the stack started (after 3 s)",
        ),
        ((), 10, "engine and stack were largest while the stack started (after 3 s)"),
    ],
)
def test_who_made_the_peak(
    causes: tuple[tuple[str, int], ...], free_mib: int, sentence: str
) -> None:
    big = (CAP - ENGINE) / MIB - free_mib - 20
    report = make_memory([make_service("small", 20), make_service("big", big)])
    peak = BootPeak(
        offset_seconds=3.0, total_bytes=CAP, rss_bytes=CAP, starting=True, causes=causes
    )
    assert describe_boot(report, peak).endswith(sentence)
