"""What is looked for before a pattern is asked is in every path that the pattern matches."""

import re

from hypothesis import given
from hypothesis import strategies as st

from onegig.images import path_causes
from onegig.images.packages import READERS, is_database

NAMES = """
usr local lib include share LC_MESSAGES de x.mo a.h b.pxd libx.a y.la tests test site-packages
dist-packages node_modules lib-dynload _test.so __pycache__ x.cpython-313.pyc gems rake-13.0
python3.13 bin python3 opt node var dpkg status info libc6.list apt extended_states apk db
installed etc world redis-5.dist-info RECORD METADATA package.json .package-lock.json six.py
x.egg-info status.d .so libz.so.1 README
"""
WORDS = st.sampled_from(NAMES.split())
PATHS = st.lists(WORDS, min_size=1, max_size=7).map("/".join)


@given(PATHS)
def test_a_cause_is_found_by_its_pattern(path: str) -> None:
    patterns = [path_causes._FOLDER, path_causes._STATIC, *(row[-1] for row in path_causes._KINDS)]
    found = path_causes.cause_of_path(path)
    assert (found is not None) == any(pattern.fullmatch(path) for pattern in patterns)
    assert bool(path_causes.source_of(path)) == bool(path_causes._BYTECODE.fullmatch(path))


@given(PATHS)
def test_a_database_is_found_by_its_pattern(path: str) -> None:
    assert is_database(path) == any(reader.DATABASE.fullmatch(path) for reader in READERS)


@given(PATHS)
def test_a_runtime_is_found_by_its_pattern(path: str) -> None:
    matches: list[re.Match[str] | None] = [one.fullmatch(path) for _, one in path_causes._RUNTIME]
    assert bool(path_causes._ANY_RUNTIME.fullmatch(path)) == any(matches)
    assert not path_causes._GEM.fullmatch(path) or "gems/" in path
    assert not path_causes._MODULE.fullmatch(path) or "-packages/" in path
    assert not path_causes._LIBRARY.fullmatch(path) or ".so" in path
