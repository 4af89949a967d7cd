"""What a run was, each in one line: how it was measured, where, and its totals."""

from onegig.model.images import ImagesReport
from onegig.model.measured import Missing, Skipped, Unknown
from onegig.model.memory import MemoryReport
from onegig.model.report import Comparison, Report, Review
from onegig.report import accounts, words
from onegig.text import format_list

DIFFERENCES = 5  # that are named


def total_line(report: Report) -> str:
    """How the headline was come by, with its range over all windows."""
    verdict, memory = report.verdict, report.memory
    if isinstance(verdict.total_bytes, Missing) or not isinstance(memory, MemoryReport):
        return ""
    window = memory.window
    metric = words.METRICS.get(verdict.metric, verdict.metric)
    spread = ""
    if not isinstance(verdict.spread_bytes, Missing):
        low, high = map(words.memory, verdict.spread_bytes)
        spread = f" ({low.removesuffix(' MB')} to {high})"
    rss = next((check.value for check in verdict.checks if check.id == "memory.rss"), None)
    several = f"{len(memory.windows)} windows of " if len(memory.windows) > 1 else ""
    return words.joined(
        f"{metric} at the peak of {several}{words.seconds(window.seconds)}{spread}",
        f"{words.memory(int(rss))} by total RSS" if isinstance(rss, (int, float)) else "",
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
        f"{words.memory(box.shmem_bytes)} in tmpfs and shared memory",
        f"{words.memory(box.kernel_bytes)} of the kernel",
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


def eliminable_line(images: ImagesReport | Missing) -> str:
    """What could go of all images' bytes; empty where it is little, or not known."""
    if isinstance(images, Missing) or not accounts.matters(images):
        return ""
    can_go = words.storage(accounts.eliminable_bytes(images))
    return f"Eliminable: {can_go} of the images' {words.storage(images.disk_bytes)}"


def heading(report: Report) -> str:
    """Stack, commit and time."""
    return words.joined(
        report.stack,
        _commit(report),
        f"{report.created[:16].replace('T', ' ')} UTC",
    )


def _commit(report: Report) -> str:
    sha = report.review.head_sha if report.review else report.commit
    return f"commit {_short(sha)}" if sha else ""


def compared_line(report: Report) -> str:
    """What was measured on top of which commit and beside whose numbers; who is how far behind."""
    review = report.review
    if review is None:
        return ""
    return words.joined(_compared(report, review), _branch(review))


def differences_line(report: Report) -> str:
    """What else is not as it was when the baseline was measured."""
    review = report.review
    if review is None or isinstance(review.comparison, Missing) or _nothing(report):
        return ""
    found = review.comparison.differences
    told = format_list(found, DIFFERENCES, separator="; ")
    return f"unlike the baseline: {told}" if told else ""


def _nothing(report: Report) -> bool:
    return isinstance(report.memory, Missing) and isinstance(report.images, Missing)


def _compared(report: Report, review: Review) -> str:
    """A pull request is measured as merged into the branch, and compared with what it goes into."""
    found = None if _nothing(report) else review.comparison
    merged = bool(review.base_sha) and report.commit not in ("", review.head_sha)
    parts = [f"merged into {_base(review)}"] if merged else []
    other = "it" if merged else _base(review)
    if isinstance(found, Comparison):
        behind = words.plural(found.behind, "commit")
        back = f"the baseline of {_short(found.commit)}, {behind} behind " if found.behind else ""
        parts.append(f"compared with {back}{other}")
    return " and ".join(parts)


def _branch(review: Review) -> str:
    behind, base = review.branch_behind, review.base_branch
    if isinstance(behind, Unknown):
        return f"how far this branch is behind {base} is not known: {behind.reason}"
    if isinstance(behind, Skipped):
        return ""
    return f"this branch is {words.plural(behind, 'commit')} behind {base}" if behind else ""


def _base(review: Review) -> str:
    at = f" at {_short(review.base_sha)}" if review.base_sha else ""
    return f"{review.base_branch}{at}"


def _short(sha: str) -> str:
    return sha[:10]
