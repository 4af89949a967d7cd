"""Changes of an artifact's JSON, by what of it they change."""

import json
from collections.abc import Callable
from typing import Any

from onegig.model.codec import to_json
from redis_audits import make_audit

FILES = ("run.json", "images.json", "memory.json", "plan.json")
FINDING = {
    "kind": "vulnerability",
    "id": "CVE-2026-1234",
    "severity": "HIGH",
    "target": "musl",
    "installed": "",
    "fixed": "",
    "title": "",
}
Document = dict[str, Any]
Change = Callable[[Document], None]


def changed(text: str, change: Change) -> str:
    """The document as text, after the change."""
    document: Document = json.loads(text)
    change(document)
    return json.dumps(document)


def box(**values: Any) -> Change:
    """Of the box's numbers."""
    return lambda one: one["box"].update(values)


def service(**values: Any) -> Change:
    """Of the first service."""
    return lambda one: one["services"][0].update(values)


def sample(one: Document) -> list[int]:
    """What each service takes in one sample."""
    values: list[int] = one["samples"][3]["service_bytes"]
    return values


def throttled(**values: Any) -> Change:
    """A throttled boot, honest but for `values`."""

    def change(one: Document) -> None:
        state = {"state": "healthy", "oom_kills": 0}
        ended = [{"name": each["name"], **state} for each in one["services"]]
        boot = {"cpus": 0.1, "machine": "aws-t2-micro", "seconds": 9, "start": {"seconds": 5}}
        boot |= {"services": ended, "window_bytes": 1, "total_bytes": 2}
        one["throttled"] = {**boot, **values}

    return change


def rebooted(**values: Any) -> Change:
    """A reboot, honest but for `values`."""

    def change(one: Document) -> None:
        ended = [{"name": one["services"][0]["name"], "state": "healthy", "oom_kills": 0}]
        reboot = {"down_seconds": 9, "ready_seconds": 9, "timed_out": False, "services": ended}
        reboot |= {"absent": [], "peak_bytes": 1, "available_bytes": 1, "oom_kills": 0}
        one["reboot"] = {**reboot, **values}

    return change


def audited(service: str = "", **values: Any) -> Change:
    """An audit of the first service's Redis, honest but for `values`; or of that service."""

    def change(one: Document) -> None:
        audit = {**json.loads(to_json(make_audit())), **values}
        name = service or one["services"][0]["name"]
        one["redis"] = [{"service": name, "audit": audit}]

    return change


def twin(*, lowest_bytes: int = 2**19, **values: Any) -> Change:
    """A virtual machine, honest but for `values`; `lowest_bytes` is the least available."""

    def change(one: Document) -> None:
        names = ("shmem", "kernel", "swap_used", "engine_pss", "stack_pss", "system_pss")
        reading = {f"{name}_bytes": 1 for name in names} | {"system_processes": 1}
        texts = ("accelerator", "os", "kernel", "engine_version")
        machine: Document = {"guest": dict.fromkeys(texts, "x"), "sampler_bytes": 1}
        machine |= {"sold_bytes": 2**30, "memtotal_bytes": 2**29, "counted_bytes": 1}
        machine |= {key: {**reading, "available_bytes": 2**20} for key in ("before", "idle")}
        machine["peak"] = {**reading, "available_bytes": 2**19}
        machine["lowest"] = {**reading, "available_bytes": lowest_bytes}
        one["twin"] = {**machine, **values}

    return change


def squeezed(**values: Any) -> Change:
    """A squeeze, honest but for `values`."""

    def change(one: Document) -> None:
        state = {"state": "healthy", "oom_kills": 0}
        ended = [{"name": each["name"], **state} for each in one["services"]]
        missing = {"kind": "unknown", "reason": "no PSI"}
        squeeze = {"room_bytes": 2**28, "machine": "aws-t2-micro", "seconds": 9, "services": ended}
        squeeze |= {"window_seconds": 5, "engine_kills": 0, "stall": missing, "faults": missing}
        one["squeeze"] = {**squeeze, "cost_bytes": 2, **values}

    return change


def window(**values: Any) -> Change:
    """One window, honest but for `values`."""

    def change(one: Document) -> None:
        window = {"offset_seconds": 0, "samples": 1, "low_bytes": 1, "high_bytes": 1}
        ranges = [[1, 1]] * len(one["services"])
        one["windows"] = [{**window, "totals": [1], "services": ranges, **values}]

    return change


def boot(**values: Any) -> Change:
    """One boot with one window, honest but for `values`."""

    def change(one: Document) -> None:
        window(boot=values.pop("of", 1))(one)
        one["boots"] = [{"seconds": 1, "peak_bytes": 1, "high_bytes": 1, **values}]

    return change


def started(**values: Any) -> Change:
    """A peak since `compose up`, honest but for `values`."""
    peak = {"offset_seconds": 1, "total_bytes": 2**40, "rss_bytes": 2**40, "starting": True}
    return lambda one: one.update(boot={**peak, "causes": [], **values})


def image(**values: Any) -> Change:
    """Of the first image."""
    return lambda one: one["images"][0].update(values)


def account(**values: Any) -> Change:
    """Of the first image's account."""
    return lambda one: one["images"][0]["accounting"].update(values)


def item(kind: str, **values: Any) -> Change:
    """The first part, loss or fix of the first image."""
    return lambda one: one["images"][0]["accounting"][kind][0].update(values)


def longer(kind: str, count: int, **values: Any) -> Change:
    """So many more of them, as the first is but for `values`."""

    def change(one: Document) -> None:
        items = one["images"][0]["accounting"][kind]
        items += [{**items[0], **values}] * count

    return change


def scan(**values: Any) -> Change:
    """Of the first image's scan."""
    return lambda one: one["images"][0]["scan"].update(values)


def duplicate(**values: Any) -> Change:
    """Of the first duplicate."""
    return lambda one: one["duplicates"][0].update(values)


def dockerfiles(*files: dict[str, Any]) -> Change:
    """These Dockerfiles instead."""
    return lambda one: one.update(dockerfiles=list(files))
