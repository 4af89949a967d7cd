"""`judge`: reports and budgets in, the verdict out.

The verdict in one sentence: the figures and, if it is not a GO, the first cause. A waiver holds
until and including its last day (UTC). What it covers is still shown and never better than a WARN;
what could not be measured can't be waived. Waivers of single findings are honoured where findings
are counted (scan.py).
"""

import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import replace
from datetime import date
from typing import NamedTuple

from onegig.judge.baseline import missing_section
from onegig.judge.checks import SOON_DAYS, Case, compare, days_left, describe_terms, gap, shorten
from onegig.judge.compare import GROWTH_IDS, check_growth, growth_notes
from onegig.judge.deploy import check_deploy
from onegig.judge.fit import check_fit, find_fit
from onegig.judge.images import check_images, dockerfile_notes
from onegig.judge.leaks import check_leaks, leak_notes
from onegig.judge.memory import add_up, check_memory, memory_notes
from onegig.judge.reboot import check_reboot
from onegig.judge.redis import check_redis, redis_notes
from onegig.judge.scan import check_scan, scan_notes
from onegig.judge.services import check_services
from onegig.judge.settings import settings_notes
from onegig.judge.squeeze import check_squeeze
from onegig.judge.throttled import check_throttled, throttled_notes
from onegig.judge.tier import check_tier, waterfalls, without_foreign_squeeze
from onegig.judge.twin import check_twin, twin_notes, with_measured_system
from onegig.model.budgets import Budgets, Waiver
from onegig.model.images import ImagesReport
from onegig.model.measured import Missing
from onegig.model.memory import MemoryReport
from onegig.model.sizes import format_mb
from onegig.model.state import State
from onegig.model.tiers import Tier
from onegig.model.verdict import BESIDE, CHECK_KINDS, Baseline, Check, Verdict
from onegig.text import plain

# What the layers of an engine put before a cause that each passes on: the headline does without.
_LAYERS = re.compile(
    r"(?:(?:failed to create task for container|failed to create shim task"
    r"|OCI runtime create failed|runc create failed|unable to start container process"
    r"|error during container init): )+"
)
CAUSE_LENGTH = 300  # of a cause within the sentence; the list of what is wrong has it whole


def _check_coverage(case: Case) -> Iterator[Check]:
    """Yield services that only one of the two reports knows: the reports are not of one stack."""
    if isinstance(case.memory, Missing) or isinstance(case.images, Missing):
        return
    inspected = {name for image in case.images.images for name in image.services}
    measured = {service.name for service in case.memory.services}
    for name in sorted(measured - inspected):
        yield gap(name, f"the image of {name} was not inspected")
    for name in sorted(inspected - measured):
        yield gap(name, f"the memory of {name} was not measured")


class Section(NamedTuple):
    """The functions that make a section's checks and its notes."""

    checks: Callable[[Case], Iterable[Check]]
    notes: Callable[[Case], Iterable[str]] = lambda _: ()


SECTIONS = {
    "memory": Section(check_memory, memory_notes),
    "squeeze": Section(check_squeeze),
    "throttled": Section(check_throttled, throttled_notes),
    "fit": Section(check_fit),
    "tier": Section(check_tier, settings_notes),
    "deploy": Section(check_deploy),
    "twin": Section(check_twin),
    "reboot": Section(check_reboot),
    "services": Section(check_services),
    "redis": Section(check_redis, redis_notes),
    "leaks": Section(check_leaks, leak_notes),
    "images": Section(check_images, dockerfile_notes),
    "coverage": Section(_check_coverage),
    "growth": Section(check_growth, growth_notes),
    "scan": Section(check_scan, scan_notes),
}


def judge(
    budgets: Budgets,
    images: ImagesReport | Missing,
    memory: MemoryReport | Missing,
    tier: Tier | None,
    *,
    today: date,
    main: Baseline | None = None,
) -> Verdict:
    """Return the verdict over the measurements; a missing one makes it INCOMPLETE.

    The arguments are those of `Case`. Growth is judged against `main`, and findings block only
    if it does not have them.
    """
    written, budgets = budgets, with_measured_system(budgets, memory)
    if not isinstance(memory, Missing):
        memory = without_foreign_squeeze(budgets, memory, tier)
    case = Case(budgets=budgets, images=images, memory=memory, tier=tier, today=today, main=main)
    unwaived = tuple(check for section in SECTIONS.values() for check in section.checks(case))
    checks = tuple(_apply_waivers(check, budgets.waivers, today) for check in unwaived)
    counted = tuple(check for check in checks if check.id != BESIDE)
    state = max((check.state for check in counted), key=lambda state: state.rank)
    total = memory if isinstance(memory, Missing) else add_up(memory, budgets.memory)
    missing = (check.message for check in checks if check.state is State.INCOMPLETE)
    return Verdict(
        state=state,
        sentence=_headline(state, counted),
        total_bytes=total if isinstance(total, Missing) else total.bytes,
        limit_bytes=budgets.memory.limit_bytes,
        metric=budgets.memory.metric.value,
        spread_bytes=total if isinstance(total, Missing) else total.spread,
        checks=checks,
        waterfalls=() if isinstance(memory, Missing) else waterfalls(budgets, memory, tier),
        incomplete=tuple(dict.fromkeys(missing)),
        notes=(
            *(note for section in SECTIONS.values() for note in section.notes(case)),
            *twin_notes(written, memory),
            *_waiver_notes(unwaived, budgets.waivers, today),
            *_default_notes(budgets),
        ),
        fit=find_fit(budgets, memory, main),
    )


def _default_notes(budgets: Budgets) -> Iterator[str]:
    yield from map(plain, budgets.notes)
    if budgets.is_default:
        limit = format_mb(budgets.memory.limit_bytes, down=True)
        yield (
            f"there is no {budgets.path}, so the defaults apply ({limit} for everything); "
            "run `onegig init` to write one"
        )


def _headline(state: State, checks: tuple[Check, ...]) -> str:
    """Return such as "GO: 612 of 1,024 MB, 412 MB (40 %) to spare".

    It always says how memory stands.
    """
    total = next(check for check in checks if check.id == "memory.total")
    causes = _causes(state, checks)
    more = len(causes) - 1
    rest = f"{more:,} more {state.noun}{'s' if more > 1 else ''}" if more > 0 else ""
    if not causes or causes[0] == _short(total):
        parts = [total.message, rest]
    elif state.passes:
        parts = [total.message, causes[0], rest]
    elif isinstance(total.value, Missing) or total.limit is None:
        parts = [causes[0], rest, "memory was not measured"]
    else:
        parts = [causes[0], rest, f"memory {compare(int(total.value), int(total.limit)).of}"]
    return f"{state}: {'; '.join(part for part in parts if part)}"


def _causes(state: State, checks: tuple[Check, ...]) -> list[str]:
    """Return the causes of the verdict, each once, the most important first."""

    def place(check: Check) -> tuple[int, float]:
        room = check.headroom / check.limit if check.headroom is not None and check.limit else 0.0
        return order.index(check.id), room

    order = list(CHECK_KINDS)
    causes = (check for check in checks if check.state is state and state.noun)
    return list(dict.fromkeys(map(_short, sorted(causes, key=place))))


def _short(check: Check) -> str:
    return shorten(_LAYERS.sub("", check.message, count=1), CAUSE_LENGTH)


def _apply_waivers(check: Check, waivers: Sequence[Waiver], today: date) -> Check:
    own = [waiver for waiver in waivers if waiver.id is None and _is_about(waiver, check)]
    if check.state is State.GO or not own:
        return check
    waiver = max(own, key=lambda waiver: waiver.expires)
    if check.state is State.INCOMPLETE:
        remark = "not waived: a check that was not measured can't be waived"
    elif waiver.expires < today:
        remark = f"the waiver by {plain(waiver.owner)} expired on {waiver.expires}"
    else:
        remark, terms = f"waived until {waiver.expires}", describe_terms(waiver, today)
        check = replace(check, state=State.WARN, waived=terms)
    return replace(check, message=f"{check.message}; {remark}")


def _waiver_notes(checks: Sequence[Check], waivers: Sequence[Waiver], today: date) -> Iterator[str]:
    """Yield notes about waivers that end soon or are no longer needed.

    Where nothing was compared, or nobody looked for a finding, that is not known.
    """
    for waiver in waivers:
        about = [check for check in checks if _is_about(waiver, check)]
        covered = [
            check
            for check in about
            if waiver.id is None or any(f.startswith(f"{waiver.id} in ") for f in check.findings)
        ]
        if waiver.check in GROWTH_IDS and not covered:
            continue
        unscanned = waiver.id and all(isinstance(check.value, Missing) for check in about)
        subject = f" of {plain(waiver.subject)}" if waiver.subject else ""
        finding = f" {plain(waiver.id)}" if waiver.id else ""
        name = f"the waiver of {waiver.check}{finding}{subject} by {plain(waiver.owner)}"
        if all(check.state is State.GO for check in covered):
            if not missing_section(waiver.check, checks) and not unscanned:
                yield f"{name} is unused: no check that it covers fails"
        elif 0 <= (waiver.expires - today).days <= SOON_DAYS:
            yield f"{name} ends on {waiver.expires}{days_left(waiver, today)}"


def _is_about(waiver: Waiver, check: Check) -> bool:
    return waiver.check == check.id and waiver.subject in (None, check.subject)
