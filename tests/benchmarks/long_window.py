"""Memory and time that an hour of passes costs onegig itself.

    PYTHONPATH=tests python tests/benchmarks/long_window.py [--passes 36000] [--services 15]

The stream is replayed through what a measurement keeps and sums up. Memory is what Python has
allocated beyond what was there before, by tracemalloc; the time is without it.
"""

import argparse
import gc
import time
import tracemalloc

from streams import MIB, observe, passes, record, summarise


def main() -> None:
    """Replay twice: once for the time, once for the memory."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--passes", type=int, default=36_000)
    parser.add_argument("--services", type=int, default=15)
    options = parser.parse_args()
    started = time.monotonic()
    for _ in passes(options.passes, options.services):
        pass
    making = time.monotonic() - started
    started = time.monotonic()
    summarise(*observe(record(passes(options.passes, options.services))))
    seconds = time.monotonic() - started - making
    gc.collect()
    tracemalloc.start()
    summarise(*observe(record(passes(options.passes, options.services))))
    _, peak = tracemalloc.get_traced_memory()
    print(f"passes            {options.passes:8,} of {options.services} services")
    print(f"highest memory    {peak / MIB:8.1f} MB")
    print(f"keep and sum up   {seconds:8.1f} s")


if __name__ == "__main__":
    main()
