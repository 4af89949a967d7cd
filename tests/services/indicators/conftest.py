"""Makes every indicator importable by its module name."""

import sys

from hypothesis import settings

from indicators import FOLDERS, SERVICES

sys.path[:0] = [str(SERVICES / folder) for folder in FOLDERS]

settings.register_profile("indicators", deadline=None, database=None)
settings.load_profile("indicators")
