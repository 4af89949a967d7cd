"""`judge`: reports and budgets in, the verdict out."""

from collections.abc import Iterator
from datetime import date

from onegig.judge.dockerfile_checks import dockerfile_notes
from onegig.judge.growth_checks import check_growth, growth_notes
from onegig.judge.image_checks import check_images, missing_images
from onegig.judge.memory_checks import check_memory, gap, missing_memory
from onegig.judge.scan_checks import check_scan, scan_notes
from onegig.judge.sentence import make_sentence
from onegig.judge.tier import check_hardware
from onegig.judge.totals import Total, add_up
from onegig.judge.waivers import apply_waivers, waiver_notes
from onegig.judge.waterfall import waterfalls
from onegig.judge.windows import rise
from onegig.model.baseline import Baseline
from onegig.model.budgets import Budgets
from onegig.model.images import ImagesReport
from onegig.model.measured import Missing
from onegig.model.memory import MemoryReport
from onegig.model.sizes import format_mb
from onegig.model.tiers import Tier
from onegig.model.verdict import Check, State, Verdict

WORST_FIRST = (State.NO_GO, State.INCOMPLETE, State.WARN, State.GO)


def judge(
    budgets: Budgets,
    images: ImagesReport | Missing,
    memory: MemoryReport | Missing,
    tier: Tier | None,
    *,
    today: date,
    main: Baseline | None = None,
) -> Verdict:
    """Return the verdict over what was measured; what is missing makes it INCOMPLETE, never better.

    `tier` is the machine that `choose_tier` gives. `today` (UTC) decides which waivers are still in
    force. `main` is what a pull request goes on top of: growth is judged against it, and of what
    trivy finds only that blocks which it does not have.
    """
    total = memory if isinstance(memory, Missing) else add_up(memory, budgets.memory)
    scans = () if isinstance(images, Missing) else _scans(budgets, images, today, main)
    growth = check_growth(budgets, images, memory, main)
    found = (*_checks(budgets, images, memory, tier), *growth, *scans)
    checks = apply_waivers(found, budgets.waivers, today)
    states = {check.state for check in checks}
    state = next(state for state in WORST_FIRST if state in states)
    return Verdict(
        state=state,
        sentence=make_sentence(state, checks),
        total_bytes=total.bytes if isinstance(total, Total) else total,
        limit_bytes=budgets.memory.limit_bytes,
        metric=budgets.memory.metric.value,
        spread_bytes=total.spread if isinstance(total, Total) else total,
        checks=checks,
        waterfalls=waterfalls(budgets, total, tier) if isinstance(total, Total) else (),
        incomplete=_incomplete(checks),
        notes=(
            *(() if isinstance(memory, Missing) else memory.notes),
            *_rise(budgets, memory),
            *growth_notes(budgets, images, memory, main),
            *waiver_notes(found, budgets.waivers, today),
            *_image_notes(budgets, images),
            *_default_notes(budgets),
        ),
    )


def _checks(
    budgets: Budgets,
    images: ImagesReport | Missing,
    memory: MemoryReport | Missing,
    tier: Tier | None,
) -> Iterator[Check]:
    if isinstance(memory, Missing):
        yield missing_memory(budgets, memory)
    else:
        yield from check_memory(budgets, memory, add_up(memory, budgets.memory), tier)
    if isinstance(images, Missing):
        yield from missing_images(budgets, images)
    else:
        yield from check_images(budgets, images)
    if tier:
        yield from check_hardware(tier, memory, images)
    if not isinstance(memory, Missing) and not isinstance(images, Missing):
        yield from _halves(images, memory)


def _scans(
    budgets: Budgets, images: ImagesReport, today: date, main: Baseline | None
) -> Iterator[Check]:
    for image in images.images:
        yield from check_scan(budgets, image, today=today, main=main)


def _image_notes(budgets: Budgets, images: ImagesReport | Missing) -> Iterator[str]:
    if not isinstance(images, Missing):
        yield from scan_notes(budgets, images)
        yield from dockerfile_notes(budgets, images)


def _rise(budgets: Budgets, memory: MemoryReport | Missing) -> Iterator[str]:
    if isinstance(memory, Missing) or memory.window.metric != budgets.memory.metric:
        return
    names = [service.name for service in memory.services]
    told = rise(memory.windows, names, budgets.memory.system_overhead_bytes)
    if told:
        yield told


def _default_notes(budgets: Budgets) -> Iterator[str]:
    if budgets.is_default:
        limit = format_mb(budgets.memory.limit_bytes, down=True)
        yield (
            f"there is no {budgets.path}, so the defaults counted: {limit} for everything; a file "
            "can set limits for each service's memory and image, a load and a tier: onegig init "
            "writes it"
        )


def _halves(images: ImagesReport, memory: MemoryReport) -> Iterator[Check]:
    """Services that only one of the two reports knows: the reports are not of one stack."""
    inspected = {name for image in images.images for name in image.services}
    measured = {service.name for service in memory.services}
    for name in sorted(measured - inspected):
        yield gap(name, "Image inspected", f"the image of {name} was not inspected")
    for name in sorted(inspected - measured):
        yield gap(name, "Memory measured", f"the memory of {name} was not measured")


def _incomplete(checks: tuple[Check, ...]) -> tuple[str, ...]:
    """Return what is missing, each reason once."""
    missing = (check.message for check in checks if check.state is State.INCOMPLETE)
    return tuple(dict.fromkeys(missing))
