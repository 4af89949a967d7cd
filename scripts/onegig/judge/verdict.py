"""`judge`: reports and budgets in, the verdict out.

The verdict in one sentence: the figures and, where it is not a GO, the first cause.
"""

import re
from collections.abc import Iterator
from datetime import date

from onegig.judge.figures import compare, shorten
from onegig.judge.growth_checks import check_growth, growth_notes
from onegig.judge.image_checks import check_images, dockerfile_notes, missing_images
from onegig.judge.memory_checks import check_memory, gap, missing_memory
from onegig.judge.noise import rise
from onegig.judge.scan_checks import check_scan, scan_notes
from onegig.judge.tier import check_hardware
from onegig.judge.totals import Total, add_up
from onegig.judge.waivers import apply_waivers, waiver_notes
from onegig.judge.waterfall import waterfalls
from onegig.model.budgets import Budgets
from onegig.model.images import ImagesReport
from onegig.model.measured import Missing
from onegig.model.memory import MemoryReport
from onegig.model.sizes import format_mb
from onegig.model.state import State
from onegig.model.tiers import Tier
from onegig.model.verdict import CHECK_KINDS, Baseline, Check, Verdict

# What the layers of an engine put before a cause that each passes on: the headline does without.
_LAYERS = re.compile(
    r"(?:(?:failed to create task for container|failed to create shim task"
    r"|OCI runtime create failed|runc create failed|unable to start container process"
    r"|error during container init): )+"
)
CAUSE_LENGTH = 300  # of a cause within the sentence; the list of what is wrong has it whole


def make_sentence(state: State, checks: tuple[Check, ...]) -> str:
    """Return the headline: "GO: 612 of 1,024 MB, 412 MB (40 %) to spare".

    It always says how memory stands.
    """
    total = next(check for check in checks if check.id == "memory.total")
    causes = _causes(state, checks)
    if not causes or causes[0] == _short(total):
        parts = [total.message, _more(state, len(causes) - 1)]
    elif state is State.WARN:
        parts = [total.message, causes[0], _more(state, len(causes) - 1)]
    else:
        parts = [causes[0], _more(state, len(causes) - 1), _memory(total)]
    return f"{state}: {'; '.join(part for part in parts if part)}"


def _causes(state: State, checks: tuple[Check, ...]) -> list[str]:
    """Return the causes of the verdict, each once, the most important first."""
    if state is State.GO:
        return []
    order = {identity: place for place, identity in enumerate(CHECK_KINDS)}
    found = [check for check in checks if check.state is state]
    found.sort(key=lambda check: (order.get(check.id, len(order)), _room(check)))
    return list(dict.fromkeys(_short(check) for check in found))


def _short(check: Check) -> str:
    """Return a cause as the headline has it; the list of what is wrong has it whole."""
    return shorten(_LAYERS.sub("", check.message, count=1), CAUSE_LENGTH)


def _room(check: Check) -> float:
    """Return what is left as a share of the limit: the worst of a kind comes first."""
    return check.headroom / check.limit if check.headroom is not None and check.limit else 0.0


def _more(state: State, count: int) -> str:
    if count <= 0:
        return ""
    return f"{count:,} more {state.noun}{'s' if count > 1 else ''}"


def _memory(total: Check) -> str:
    if isinstance(total.value, Missing) or total.limit is None:
        return "memory was not measured"
    return f"memory {compare(int(total.value), int(total.limit)).of}"


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
    state = max((check.state for check in checks), key=lambda each: each.rank)
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
