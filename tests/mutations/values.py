"""The model's JSON with numbers and names that cannot be true."""

from collections.abc import Iterator

from mutations.changes import (
    Change,
    audited,
    boot,
    box,
    image,
    rebooted,
    sample,
    service,
    squeezed,
    started,
    throttled,
    twin,
    window,
)

TREND = {
    "bytes_per_second": 9.0,
    "low_bytes_per_second": 1.0,
    "high_bytes_per_second": 2.0,
    "grows": True,
    "warm_up_seconds": 0.0,
}
STILL = dict.fromkeys(TREND, 0.0)


def values() -> Iterator[tuple[str, str, Change]]:
    """All of them: of the commits, the memory and the images."""
    yield from _commits()
    yield from _memory()
    yield from _samples()
    yield from _images()


def _commits() -> Iterator[tuple[str, str, Change]]:
    for key in ("head_sha", "measured_sha", "base_sha"):
        for what, sha in (("a branch", "main"), ("39 digits", "a" * 39), ("capitals", "A" * 40)):
            yield f"{key} of {what}", "run.json", lambda one, k=key, v=sha: one.update({k: v})
        yield f"{key} with a line", "run.json", lambda one, k=key: one.update({k: "a" * 40 + "\n"})
    yield "no head", "run.json", lambda one: one.update(head_sha="")
    yield "an event of prose", "run.json", lambda one: one.update(event="pull request!")


def _memory() -> Iterator[tuple[str, str, Change]]:
    yield "a petabyte", "memory.json", box(cap_bytes=2**50 + 1)
    yield "less RSS in the box", "memory.json", box(total_rss_bytes=1)
    yield "less PSS in the box", "memory.json", box(total_pss_bytes=1)
    yield "fewer kills in the box", "memory.json", service(oom_kills=5)
    yield "RSS above its range", "memory.json", service(rss_max_bytes=0)
    yield "RSS below its range", "memory.json", service(rss_min_bytes=2**40)
    yield "growth outside of its interval", "memory.json", service(trend=TREND)
    yield "growth by nothing", "memory.json", service(trend={**STILL, "grows": True})
    yield "a service twice", "memory.json", service(name="market-data")
    yield "a service without a name", "memory.json", service(name="")
    yield "a name without end", "memory.json", service(name="x" * 300)
    yield "a metric nobody knows", "memory.json", lambda one: one["window"].update(metric="vibes")
    for what, values in (
        ("no processor", {"vcpus": 0}),
        ("more of its processors than it has", {"vcpus": 1, "cpus": 1.5}),
        ("none of its processor to use", {"vcpus": 1, "cpus": 0}),
        ("a kernel without end", {"kernel": "6" * 300}),
    ):
        yield what, "memory.json", lambda one, v=values: one.update(settings=v)
    yield "a boot below its windows", "memory.json", boot(peak_bytes=0)
    yield "a boot without a window", "memory.json", boot(of=2)
    yield "a start below its samples", "memory.json", started(total_bytes=1)
    yield "a boot where one failed twice", "memory.json", boot(failed=["web", "web"])
    yield "more room when squeezed", "memory.json", squeezed(room_bytes=2**49)
    yield "another stack squeezed", "memory.json", squeezed(services=[])
    yield "squeezed for no time", "memory.json", squeezed(window_seconds=0)
    yield "squeezed into a novel", "memory.json", squeezed(machine="x" * 6000)
    yield "squeezed with too many gaps", "memory.json", squeezed(gaps=["gap"] * 101)
    yield "throttled with gaps of a novel", "memory.json", throttled(gaps=["x" * 6000])
    yield "throttled to nothing", "memory.json", throttled(cpus=0)
    yield "another stack throttled", "memory.json", throttled(services=[])
    yield "throttled on a novel", "memory.json", throttled(machine="x" * 6000)
    yield "more MemTotal than was sold", "memory.json", twin(sold_bytes=2**20)
    yield "more available than there is", "memory.json", twin(memtotal_bytes=2**18)
    yield "more at the least", "memory.json", twin(lowest_bytes=2**20)
    yield "more swap than there is", "memory.json", twin(swap_peak_bytes=1)
    yield "swap of a kind without end", "memory.json", twin(swap_kind="x" * 300)
    yield "a reboot of another stack", "memory.json", rebooted(absent=["nobody"])
    yield "a reboot of a novel", "memory.json", rebooted(problem="x" * 6000)
    yield "an audit of a stranger", "memory.json", audited(service="nobody")
    yield "an audit that explains too much", "memory.json", audited(unexplained_bytes=-1)
    yield "an audit with notes without end", "memory.json", audited(notes=["x"] * 1001)
    yield "an audit of a novel", "memory.json", audited(target="x" * 6000)


def _samples() -> Iterator[tuple[str, str, Change]]:
    yield "a sample too short", "memory.json", lambda one: sample(one).pop()
    yield "a sample too long", "memory.json", lambda one: sample(one).append(1)
    yield (
        "a sample below its parts",
        "memory.json",
        lambda one: one["samples"][0].update(total_bytes=1),
    )
    yield (
        "too many services",
        "memory.json",
        lambda one: one.update(
            services=[{**one["services"][0], "name": f"s{i}"} for i in range(2001)], samples=[]
        ),
    )
    yield (
        "too many samples",
        "memory.json",
        lambda one: one.update(
            samples=[{**one["samples"][0], "service_bytes": []}] * 50_001, services=[]
        ),
    )
    yield "a window too short", "memory.json", window(services=[])
    yield "a window upside down", "memory.json", window(low_bytes=2, high_bytes=1)
    yield "the engine twice", "memory.json", lambda one: one["engine"].append(one["engine"][0])
    yield "too many gaps", "memory.json", lambda one: one.update(incomplete=["gap"] * 101)


def _images() -> Iterator[tuple[str, str, Change]]:
    yield "a smaller sum", "images.json", lambda one: one.update(total_bytes=1)
    yield "a smaller disk", "images.json", lambda one: one.update(disk_bytes=1)
    yield "a size that is no sum", "images.json", image(size_bytes=1)
    yield "a compressed size that is no sum", "images.json", image(compressed_bytes=1)
    yield "own bytes that are not its own", "images.json", image(own_bytes=0)
    yield "shared bytes that are not shared", "images.json", image(shared_bytes=0)
    yield "an image twice", "images.json", lambda one: one["images"].append(one["images"][0])
    yield "two images of a service", "images.json", image(services=["market-data"])
    yield (
        "efficiency of 101 %",
        "images.json",
        lambda one: one["images"][0]["dive"].update(efficiency=1.01),
    )
    yield (
        "too many layers",
        "images.json",
        lambda one: one["images"][0].update(layers=one["images"][0]["layers"] * 40),
    )
    yield (
        "too many images",
        "images.json",
        lambda one: one.update(
            images=[{**one["images"][0], "reference": f"i{i}", "services": []} for i in range(2001)]
        ),
    )
