"""What a run was, each in one line: how it was measured, where, and its totals."""

from onegig.model.images import ImagesReport
from onegig.model.measured import Missing
from onegig.model.memory import MemoryReport
from onegig.model.report import Report
from onegig.report import words


def total_line(report: Report) -> str:
    """How the headline was come by, with its range over the window."""
    verdict, memory = report.verdict, report.memory
    if isinstance(verdict.total_bytes, Missing) or not isinstance(memory, MemoryReport):
        return ""
    window = memory.window
    metric = words.METRICS.get(verdict.metric, verdict.metric)
    spread = ""
    if not isinstance(verdict.spread_bytes, Missing):
        low, high = map(words.memory, verdict.spread_bytes)
        spread = f" ({low.removesuffix(' MB')} to {high})"
    return words.joined(
        f"{metric} at the peak of {words.seconds(window.seconds)}{spread}",
        f"{words.plural(window.samples, 'sample')} at {window.hz:g} Hz",
        f"load: {window.load}" if window.load else "no load",
    )


def environment_line(report: Report) -> str:
    """Where the numbers come from; empty when nothing was measured."""
    known = next((r for r in (report.memory, report.images) if not isinstance(r, Missing)), None)
    if known is None:
        return ""
    env = known.environment
    box = report.memory.box.mode if isinstance(report.memory, MemoryReport) else ""
    return words.joined(
        env.runner if env.runner != "local" else "local machine",
        env.os,
        f"kernel {env.kernel} {env.architecture}",
        f"{words.plural(env.cpus, 'CPU')}, {words.memory(env.memory_bytes, down=True)}",
        f"Docker {env.engine_version} ({env.storage_driver})",
        f"cgroup v{env.cgroup_version} ({env.cgroup_driver})",
        f"box: {box}" if box else "",
        f"base images: {env.bases}",
        f"onegig {env.onegig_version}",
    )


def box_line(memory: MemoryReport) -> str:
    """The whole box in one line: charged, peaks, stall."""
    box = memory.box
    stall = box.stall
    waited = (
        f"stall {words.missing(stall)}"
        if isinstance(stall, Missing)
        else f"stalled {words.seconds(stall.some_seconds)} some, "
        f"{words.seconds(stall.full_seconds)} all"
    )
    return words.joined(
        f"charged {words.memory(box.charged_bytes)}",
        f"peak {words.memory_or_missing(box.peak_bytes)} with page cache",
        f"{words.memory(box.peak_anon_bytes)} without",
        f"cap {words.memory(box.cap_bytes, down=True)}, no swap",
        words.plural(box.oom_kills, "OOM kill") if box.oom_kills else "",
        waited,
    )


def images_line(images: ImagesReport) -> str:
    """All images in one line."""
    return words.joined(
        words.plural(len(images.images), "image"),
        f"{words.storage(images.disk_bytes)} on disk, shared layers counted once",
        f"{words.storage(images.total_bytes)} added up",
    )


def heading(report: Report) -> str:
    """Stack, commit and time."""
    return words.joined(
        report.stack,
        f"commit {report.commit[:10]}" if report.commit else "",
        f"{report.created[:16].replace('T', ' ')} UTC",
    )
