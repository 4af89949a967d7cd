"""The probability of fitting judged: within noise of the limit it is a WARN, after more boots."""

import math
from collections.abc import Iterator, Sequence
from statistics import fmean

from onegig.judge.baseline import condition_differences, memory_difference
from onegig.judge.checks import Case, format_span
from onegig.judge.confidence import (
    SURE,
    assumed_noise,
    block_maxima,
    count_fits,
    predict,
)
from onegig.judge.memory import Total, add_up, is_close, own_ranges, tightness
from onegig.judge.twin import with_measured_system
from onegig.model.budgets import Budgets
from onegig.model.measured import Missing, Skipped
from onegig.model.memory import MemoryReport
from onegig.model.sizes import percent
from onegig.model.state import State
from onegig.model.verdict import NO_FIT, Baseline, Check, Fit, make_check

MOST = 0.999  # more is not claimed


def find_fit(
    budgets: Budgets, memory: MemoryReport | Missing, main: Baseline | None
) -> Fit | Missing:
    """Return the probability that the next boot fits; Skipped if boots can't be compared."""
    if isinstance(memory, Missing):
        return NO_FIT
    if memory.window.metric != budgets.memory.metric:
        return Skipped(reason=f"the boots were measured by {memory.window.metric}")
    total = add_up(memory, budgets.memory)
    peaks = boot_peaks(memory, total)
    if full := sum(boot.full for boot in memory.boots):
        within = [peak <= budgets.memory.limit_bytes for peak in peaks]
        fits = sum(fit and not boot.full for fit, boot in zip(within, memory.boots, strict=True))
        return count_fits(peaks, full, fits)
    windows = [window.totals for window in memory.windows]
    windows = windows or [tuple(sample.total_bytes for sample in memory.samples)]
    return predict(
        peaks,
        budgets.memory.limit_bytes,
        noise=assumed_noise(fmean(peaks), starting_together(memory)),
        blocks=[block_maxima(totals) for totals in windows],
        earlier=_earlier(budgets, memory, main),
    )


def boot_peaks(memory: MemoryReport, total: Total) -> tuple[int, ...]:
    """Return the highest total of each boot, its start and the system's part included."""
    if memory.boots:
        return tuple(boot.peak_bytes + total.system_bytes for boot in memory.boots)
    start = 0 if isinstance(memory.boot, Missing) else memory.boot.total_bytes + total.system_bytes
    return (max(total.bytes, start),)


def starting_together(memory: MemoryReport) -> int:
    """Return the number of containers that start at the same time."""
    count = sum(service.containers for service in memory.services)
    limit = 0 if isinstance(memory.start, Missing) else memory.start.parallel
    return min(count, limit) if limit else count


def _earlier(budgets: Budgets, memory: MemoryReport, main: Baseline | None) -> Sequence[int]:
    """Return the peaks of earlier commits, unless something else than the stack differs, too."""
    if main is None or memory_difference(main, memory, budgets.memory):
        return ()
    return () if condition_differences(memory.environment, memory.machine, main) else main.earlier


def check_fit(case: Case) -> Iterator[Check]:
    """Yield a WARN if the stack fitted, but another boot may not.

    What leaves too little headroom anyway is not warned of twice.
    """
    memory, budget = case.memory, case.budgets.memory
    fit = find_fit(case.budgets, memory, case.main)
    if isinstance(fit, Missing) or isinstance(memory, Missing):
        return
    is_noise = _is_noise(case.budgets, memory, fit)
    remark = "within noise of the limit: " if is_noise else ""
    most = max(add_up(memory, budget).bytes, *fit.peaks)
    warns = is_noise and not tightness(most, budget.limit_bytes, budget)
    state, message = State.WARN if warns else State.GO, f"{remark}{describe_fit(fit)}"
    least = SURE if warns else None
    value = min(fit.probability, MOST)
    yield make_check("memory.fit", "stack", value, least, state, message)


def describe_fit(fit: Fit) -> str:
    """Return "fits with 99.2 % (95 % interval 97 to 99.8 %), 3 boots"."""
    low, high = _format(fit.low), _format(fit.high)
    span = low if low == high else f"{low.removesuffix(' %')} to {high}"
    boots = f"{fit.boots} boot{'' if fit.boots == 1 else 's'}"
    if fit.full:
        boots += f", {fit.full} of them ran full"
    if fit.earlier:
        boots += f" and {fit.earlier} of earlier commits"
    interval = f"{percent(fit.level)} interval {span}"
    return f"fits with {_format(fit.probability)} ({interval}), {boots}"


def _format(share: float) -> str:
    """Return a probability in per cent, rounded down; more than MOST is not claimed."""
    if share > MOST:
        return f"over {percent(MOST)}"
    if 0 < share < 1 - MOST:
        return f"under {percent(round(1 - MOST, 6))}"
    places = 1 if share >= 0.99 or share < 0.01 else 0
    scale = 10**places
    return f"{math.floor(share * 100 * scale + 1e-6) / scale:g} %"


def _is_noise(budgets: Budgets, memory: MemoryReport, fit: Fit) -> bool:
    """Return whether every boot fitted, but the next one may well not."""
    most = max(add_up(memory, budgets.memory).bytes, *fit.peaks)
    return most <= budgets.memory.limit_bytes and not fit.full and fit.probability < SURE


def doubt(budgets: Budgets, report: MemoryReport) -> str:
    """Explain why the boots so far can't show whether a limit is kept, or return "".

    Where the kernel killed something, or the box was gone, the answer is there already.
    """
    if report.incomplete or report.box.oom_kills:
        return ""
    budgets = with_measured_system(budgets, report)
    low, high = add_up(report, budgets.memory).range
    if is_close(low, high, budgets.memory.limit_bytes):
        return f"the total came to {format_span(low, high)}, too close to the limit"
    fit = find_fit(budgets, report, None)
    if not isinstance(fit, Missing) and _is_noise(budgets, report, fit):
        return f"the stack {describe_fit(fit)}"
    for name, (low, high) in own_ranges(report, budgets.memory.metric).items():
        limit = budgets.service(name).memory_bytes
        if limit is not None and is_close(low, high, limit):
            return f"{name} took {format_span(low, high)}, too close to the limit"
    return ""
