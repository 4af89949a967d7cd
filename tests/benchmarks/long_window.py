"""Memory and time that an hour of passes costs onegig itself.

    PYTHONPATH=tests python tests/benchmarks/long_window.py [--passes 36000] [--services 15]

The stream is replayed through what a measurement keeps and sums up. Memory is what Python has
allocated beyond what was there before, by tracemalloc; times are without it.
"""

import argparse
import gc
import time
import tracemalloc
from collections.abc import Callable
from itertools import islice

from onegig.machine.recording import Recording
from streams import MIB, observe, passes, record, summarise


def main() -> None:
    """Replay twice: once for the time, once for the memory."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--passes", type=int, default=36_000)
    parser.add_argument("--services", type=int, default=15)
    options = parser.parse_args()
    stream = passes(options.passes, options.services)
    making = _spent(lambda: list(islice(stream, 500))) / 500 * options.passes
    recordings: list[Recording] = []
    replayed = passes(options.passes, options.services)
    keeping = _spent(lambda: recordings.append(record(replayed))) - making
    summing = _spent(lambda: summarise(*observe(recordings[0])))
    recordings.clear()
    gc.collect()
    tracemalloc.start()
    summarise(*observe(record(passes(options.passes, options.services))))
    _, peak = tracemalloc.get_traced_memory()
    print(f"passes            {options.passes:8,} of {options.services} services")
    print(f"highest memory    {peak / MIB:8.1f} MB")
    print(f"to keep them      {keeping:8.1f} s of a processor")
    print(f"to sum them up    {summing:8.1f} s of a processor")


def _spent(work: Callable[[], object]) -> float:
    """Return the seconds of a processor that it takes."""
    started = time.process_time()
    work()
    return time.process_time() - started


if __name__ == "__main__":
    main()
