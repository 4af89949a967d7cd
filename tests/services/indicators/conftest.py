"""Makes the shared library and every indicator importable by its module name."""

import sys
from pathlib import Path

from hypothesis import settings

SERVICES = Path(__file__).parents[3] / "services"
FOLDERS = (
    "aggressor",
    "momentum",
    "mean-reversion",
    "volatility",
    "liquidity",
    "order-flow",
    "whale-watch",
    "correlation",
    "regime",
    "funding",
    "risk",
    "signal-fusion",
)

sys.path[:0] = [
    path
    for path in (str(SERVICES), *(str(SERVICES / folder) for folder in FOLDERS))
    if path not in sys.path
]

settings.register_profile("indicators", deadline=None, database=None)
settings.load_profile("indicators")
