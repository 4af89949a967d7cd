"""The pipeline where no engine is needed: what `import onegig` gives, signals, reproduction."""

import os
import signal
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

import onegig
from onegig import pipeline
from onegig.model.options import Options
from onegig.model.report import Report
from onegig.process import terminable


def test_the_library_has_what_it_documents() -> None:
    assert (onegig.check, onegig.Options, onegig.Report) == (pipeline.check, Options, Report)
    with pytest.raises(AttributeError, match="no attribute 'checks'"):
        _ = onegig.checks  # type: ignore[attr-defined]


def test_what_speaks_to_an_engine_is_imported_late() -> None:
    code = "import onegig, sys; onegig.check; print('docker' in sys.modules)"
    environment = {**os.environ, "PYTHONPATH": str(Path(onegig.__file__).parents[1])}
    argv = [sys.executable, "-c", code]
    done = subprocess.run(argv, capture_output=True, text=True, env=environment, check=True)
    assert done.stdout == "False\n"


def test_signals_end_a_run_in_the_main_thread_only() -> None:
    def handler() -> object:
        with terminable():
            return signal.getsignal(signal.SIGTERM)

    before = signal.getsignal(signal.SIGTERM)
    assert handler() is not before
    with ThreadPoolExecutor(1) as pool:
        assert pool.submit(handler).result() is before
    assert signal.getsignal(signal.SIGTERM) is before
