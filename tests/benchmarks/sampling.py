"""Cost of one sampling pass over N containers, beside `docker stats --no-stream` in the same run.

    PYTHONPATH=tests python tests/benchmarks/sampling.py [--containers 15] [--rounds 30]

Prints both costs and their ratio; asserts nothing, because absolute times say little on a shared
machine. The containers run in a box, as in a real measurement.
"""

import argparse
import json
import statistics
import tempfile
import time

from booting import boot
from onegig.engine.engine import connect
from onegig.engine.owned import remove_leftovers
from onegig.machine.sampler import open_sampler
from onegig.model.stack import Service, Stack
from onegig.process import run


def stack_of(count: int, image: str, directory: str) -> Stack:
    """A project of `count` sleeping containers."""
    names = [f"service-{number:02}" for number in range(count)]
    services = {
        name: {"image": image, "command": ["sleep", "3600"], "init": True} for name in names
    }
    return Stack(
        name="benchmark",
        directory=directory,
        files=(),
        services=tuple(
            Service(
                name=name,
                image=image,
                builds=False,
                dockerfile=None,
                replicas=1,
                has_healthcheck=False,
                depends_on=(),
                optional=False,
                criticality="",
                memory_limit_bytes=None,
            )
            for name in names
        ),
        config_json=json.dumps({"name": "benchmark", "services": services}),
    )


def main() -> None:
    """Boot, sample both ways in turn, print medians."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--containers", type=int, default=15)
    parser.add_argument("--rounds", type=int, default=30)
    parser.add_argument("--image", default="onegig-local/alpine:3.23")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as directory, connect() as engine:
        remove_leftovers(engine)
        stack = stack_of(options.containers, options.image, directory)
        with boot(engine.client, stack, 2**30) as (box, _):
            sampler = open_sampler(box.nested.pid, hz=10)
            passes, stats = [], []
            for number in range(options.rounds):
                passes.append(sampler.read().cost_seconds)
                if number % 10 == 0:
                    started = time.monotonic()
                    run(["docker", "stats", "--no-stream"], env=box.engine.environment)
                    stats.append(time.monotonic() - started)
    ours, theirs = statistics.median(passes), statistics.median(stats)
    print(f"containers            {options.containers}")
    print(f"onegig, one pass      {ours * 1000:8.2f} ms (median of {len(passes)})")
    print(f"docker stats          {theirs * 1000:8.2f} ms (median of {len(stats)})")
    print(f"ratio                 {theirs / ours:8.0f} x")


if __name__ == "__main__":
    main()
