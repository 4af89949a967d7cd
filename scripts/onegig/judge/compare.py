"""A report beside a baseline: what changed, what is new, what failed before, what grew too much.

Changes smaller than the noise floor are none. What can't be compared, because it was measured in
another way or on one side only, is CHANGED with the reason and never inherited.
"""

import re
from collections import Counter
from collections.abc import Iterator, Sequence
from decimal import ROUND_CEILING, Decimal
from typing import NamedTuple, TypeVar

from onegig.judge.baseline import (
    architecture_difference,
    list_differences,
    machine_difference,
    machine_of,
    memory_difference,
    missing_section,
    noise_floor,
    service_numbers,
    total_difference,
)
from onegig.judge.checks import Case, percent_of_limit, subject_of
from onegig.judge.memory import add_up, own_ranges
from onegig.judge.scan import count_findings, describe_finding, known_of
from onegig.model.images import ImagesReport
from onegig.model.keys import write_growth
from onegig.model.measured import Missing, Skipped
from onegig.model.report import (
    NOT_COMPARED,
    Change,
    Comparison,
    Delta,
    RemarkDelta,
    Report,
    ServiceDelta,
)
from onegig.model.scan import Scan
from onegig.model.sizes import Convention, Growth
from onegig.model.state import State
from onegig.model.verdict import (
    CHECK_KINDS,
    Baseline,
    Check,
    PastCheck,
    ServiceNumbers,
    Unit,
    make_check,
)
from onegig.text import plain

NEW = Skipped(reason="not in the baseline")
REMOVED = Skipped(reason="no longer in the stack")
NOT_COUNTED = Skipped(reason="the baseline did not count them")
IS_COMPARISON = Skipped(reason="is a comparison with the baseline itself")
OTHER_RULES = Skipped(reason="the baseline was checked by other rules")
SCANS = ("image.secrets", "image.vulnerabilities", "image.misconfigurations")
BY_TOTAL = ("memory.total", "memory.tier", "memory.elsewhere", "memory.deploy")  # of one metric
MEMORY_IDS = {id_ for id_, kind in CHECK_KINDS.items() if kind.unit is Unit.MEMORY}
GROWTH_IDS = ("memory.max_growth", "service.max_growth", "image.max_growth")
HADOLINT_RULE = re.compile(r"[A-Z]{2}\d+")  # DL3018, SC2046; our own rules have names


def _differs(unit: Unit, a: float | Missing, b: float | Missing) -> bool:
    if isinstance(a, Missing) or isinstance(b, Missing):
        return False
    return abs(a - b) > noise_floor(unit, a, b)


def compare(report: Report, baseline: Baseline, behind: int) -> Comparison:
    """Return the report beside the baseline, which is `behind` commits older than it should be."""
    return Comparison(
        commit=baseline.commit,
        created=baseline.created,
        behind=behind,
        state=baseline.state,
        total_bytes=total_difference(baseline, report.verdict, machine_of(report.memory))
        or baseline.total_bytes,
        deltas=tuple(_compare_checks(report, baseline)),
        services=_compare_services(report, baseline),
        differences=list_differences(report, baseline),
        remarks=_compare_remarks(report, baseline),
    )


_Line = TypeVar("_Line", Check, PastCheck)
_Key = tuple[str, str, int]


def _numbered(lines: Sequence[_Line]) -> dict[_Key, _Line]:
    """Return checks by id, subject, and number among those of the same name."""
    seen: Counter[tuple[str, str]] = Counter()
    numbered = {}
    for line in lines:
        name = (line.id, line.subject)
        numbered[line.id, line.subject, seen[name]] = line
        seen[name] += 1
    return numbered


def _compare_checks(report: Report, baseline: Baseline) -> Iterator[Delta]:
    """Yield one for every check of the report, in its order, then those that are gone.

    A check of only one side is new or removed, unless the other side did not get as far.
    """
    now, before = _numbered(report.verdict.checks), _numbered(baseline.marks)
    for key, check in now.items():
        past = before.get(key)
        delta = _compare_findings(check, past, report, baseline)
        if delta is None and past:
            delta = _compare_check(check, past, report, baseline)
        if delta is None:
            comparison = IS_COMPARISON if check.id in GROWTH_IDS else None
            skipped = missing_section(check.id, baseline.marks) or comparison
            delta = _delta(check, Change.SAME if skipped else Change.NEW, skipped or NEW)
        yield delta
    for key, past in before.items():
        if key not in now and not missing_section(past.id, report.verdict.checks):
            yield _delta(past, Change.REMOVED, past.value)


def _delta(line: Check | PastCheck, change: Change, before: float | Missing, **more: bool) -> Delta:
    return Delta(id=line.id, subject=line.subject, change=change, before=before, **more)


def _compare_check(check: Check, past: PastCheck, report: Report, baseline: Baseline) -> Delta:
    other = _incomparable(check, past, report, baseline)
    if other:
        return _delta(check, Change.CHANGED, other)
    now, before = check.value, past.value
    if check.unit is Unit.COUNT:  # how often varies from run to run
        changed = check.state is not past.state
    else:
        changed = isinstance(now, Missing) is not isinstance(before, Missing)
        changed |= _differs(check.unit, now, before)
    change = Change.CHANGED if changed else Change.SAME
    return _delta(check, change, before, inherited=_is_inherited(check, past))


def _incomparable(
    check: Check, past: PastCheck, report: Report, baseline: Baseline
) -> Skipped | None:
    machine = machine_of(report.memory)
    other = total_difference(baseline, report.verdict, machine)
    if check.id in MEMORY_IDS and (differs := machine_difference(baseline, machine)):
        return differs
    if check.id == "memory.tier" and other is None and check.limit != past.limit:
        return Skipped(reason="the baseline was judged for another machine")
    by_metric = check.id == "service.memory" and baseline.metric != report.verdict.metric
    return other if by_metric or check.id in BY_TOTAL else None


def _is_inherited(check: Check, past: PastCheck) -> bool:
    """Return whether the failure existed before and was, apart from noise, at least as bad."""
    if check.state is State.GO or not _failed(check, past):
        return False
    now, before = check.value, past.value
    if isinstance(now, Missing) or isinstance(before, Missing):
        return isinstance(now, Missing) and isinstance(before, Missing)
    worse = now > before if check.at_most else now < before
    return not worse or check.unit is Unit.COUNT or not _differs(check.unit, now, before)


def _failed(check: Check, past: PastCheck) -> bool:
    """Return whether it failed as judged then, or would fail by the current limits.

    The second covers limits that were tightened and waivers that have expired since.
    """
    if past.state.rank >= check.state.rank:
        return True
    if check.unit is Unit.COUNT or check.limit is None or isinstance(past.value, Missing):
        return False
    return past.value > check.limit if check.at_most else past.value < check.limit


def _compare_findings(
    check: Check, past: PastCheck | None, report: Report, baseline: Baseline
) -> Delta | None:
    """Return the delta of a check that counted findings; None for every other check.

    Findings are compared one by one: trivy's database knows more of the same packages every day, so
    a higher count is no sign of a change. Nothing is inherited if the baseline does not know
    what was in the image.
    """
    if check.id not in SCANS or not isinstance(report.images, ImagesReport):
        return None
    images = report.images.images
    image = next((i for i in images if check.subject in (i.reference, *i.services)), None)
    if image is None or not isinstance(image.scan, Scan) or isinstance(check.value, Missing):
        return None
    known, new = known_of(image, baseline), None
    if known:
        counted = set(check.findings)
        findings = (f for f in image.scan.findings if describe_finding(f) in counted)
        new = count_findings(finding for finding in findings if not known.has(finding))
    elif past is None:
        return None
    change = Change.NEW if past is None else Change.CHANGED if new != 0 else Change.SAME
    inherited = check.state is not State.GO and new == 0
    return _delta(check, change, past.value if past else NOT_COUNTED, inherited=inherited)


def _compare_services(report: Report, baseline: Baseline) -> tuple[ServiceDelta, ...]:
    """Return those that changed first, and of these the one that grew most; a renamed one is two.

    A run in which nothing was measured knows of no services: none of them is new or removed.
    """
    now = {service.name: service for service in service_numbers(report, {})}
    before = {service.name: service for service in baseline.services}
    if not now or not before:
        return ()
    machine = machine_of(report.memory)
    other = machine_difference(baseline, machine)
    if other is None and baseline.metric != report.verdict.metric:
        other = total_difference(baseline, report.verdict, machine)
    deltas = [
        _compare_service(name, now.get(name), before.get(name), other) for name in {**now, **before}
    ]

    def order(delta: ServiceDelta) -> tuple[bool, int]:
        pair = (delta.memory_before, delta.memory_now)  # what is new has grown from nothing
        before, now = (0 if isinstance(size, Missing) else size for size in pair)
        return delta.change is Change.SAME, before - now

    return tuple(sorted(deltas, key=order))


def _compare_service(
    name: str, now: ServiceNumbers | None, old: ServiceNumbers | None, other: Skipped | None
) -> ServiceDelta:
    memory_now, image_now = (now.memory_bytes, now.image_bytes) if now else (REMOVED, REMOVED)
    memory_before, image_before = (old.memory_bytes, old.image_bytes) if old else (NEW, NEW)
    if old and now and other:
        memory_before = other
    changed = _differs(Unit.MEMORY, memory_now, memory_before)
    changed |= _differs(Unit.STORAGE, image_now, image_before)
    change = Change.CHANGED if changed else Change.SAME
    if old is None or now is None:
        change = Change.NEW if now else Change.REMOVED
    return ServiceDelta(
        name=name,
        change=change,
        memory_before=memory_before,
        memory_now=memory_now,
        image_before=image_before,
        image_now=image_now,
    )


def _compare_remarks(report: Report, baseline: Baseline) -> tuple[RemarkDelta, ...] | Missing:
    """Return each remark about a Dockerfile once, with its number in the baseline.

    Lines move, so a remark is known by its file, its rule and its text. Other versions of hadolint
    and of our own rules remark other things of the same file: what they report is not compared.
    """
    if isinstance(report.images, Missing):
        return NOT_COMPARED
    if isinstance(baseline.dockerfiles, Missing):
        return baseline.dockerfiles
    known = {file.path: file for file in baseline.dockerfiles}
    now, then = report.images.environment, baseline.environment
    same_onegig = not isinstance(then, Missing) and then.onegig_version == now.onegig_version
    deltas = []
    for file in report.images.dockerfiles:
        past = known.get(file.path)
        counts = Counter(past.remarks if past else ())
        same_hadolint = past is None or past.hadolint == file.hadolint
        for text, rule in {remark.summary: remark.rule for remark in file.remarks}.items():
            by_hadolint = HADOLINT_RULE.fullmatch(rule)
            same = same_hadolint if by_hadolint else past is None or same_onegig
            before = counts[text] if same else OTHER_RULES
            deltas.append(RemarkDelta(path=file.path, summary=text, before=before))
    return tuple(deltas)


class _Pair(NamedTuple):
    """The sizes of one thing on main and now, in bytes, and how much it may grow."""

    id: str
    subject: str
    before: int
    now: int
    limit: Growth
    key: str  # of the limit in budgets.yml


def check_growth(case: Case) -> Iterator[Check]:
    """Yield a check for everything whose growth is limited, if the baseline has it.

    What two runs of one commit may differ by is always allowed.
    """
    for pair in (*_memory_pairs(case), *_image_pairs(case)):
        unit = Unit.STORAGE if pair.id == "image.max_growth" else Unit.MEMORY
        grown = pair.now - pair.before
        noise = int(noise_floor(unit, pair.before, pair.now))
        most = max(pair.limit.most_bytes(pair.before), noise)
        state, where = State.GO if grown <= most else State.NO_GO, case.budgets.where(pair.key)
        message = _describe_growth(pair, unit, noise)
        yield make_check(pair.id, pair.subject, max(0, grown), most, state, message, where)


def growth_notes(case: Case) -> Iterator[str]:
    """Yield reasons why limited growth could not be compared."""
    memory = case.budgets.memory
    own = (limit for _, limits in case.budgets.services for limit in limits.max_growth)
    limited = any(_against_main((*memory.max_growth, *memory.max_service_growth, *own)))
    for what, is_limited, other in (
        ("memory", limited, _memory_difference(case)),
        ("images", case.budgets.images.max_growth, _images_difference(case)),
    ):
        if is_limited and other:
            yield f"growth of {what} could not be judged: {other.reason}"


def _memory_difference(case: Case) -> Skipped | None:
    if case.main is None or isinstance(case.memory, Missing):
        return None
    return memory_difference(case.main, case.memory, case.budgets.memory)


def _images_difference(case: Case) -> Skipped | None:
    if case.main is None or isinstance(case.images, Missing):
        return None
    return architecture_difference(case.main, case.images.environment)


def _memory_pairs(case: Case) -> Iterator[_Pair]:
    main, memory, key = case.main, case.memory, "memory.max_growth"
    if main is None or isinstance(memory, Missing) or _memory_difference(case):
        return
    limits = case.budgets.memory
    if limits.max_growth and not isinstance(main.total_bytes, Missing):
        total = add_up(memory, limits).bytes
        for limit in _against_main(limits.max_growth):
            yield _Pair(key, "stack", main.total_bytes, total, limit, key)
    before = {service.name: service.memory_bytes for service in main.services}
    for name, (_, now) in own_ranges(memory, limits.metric).items():
        (most, key), was = case.budgets.growth_of(name), before.get(name)
        for limit in _against_main(most):
            if isinstance(was, int):
                yield _Pair("service.max_growth", name, was, now, limit, key)


def _against_main(limits: Sequence[Growth]) -> list[Growth]:
    return [limit for limit in limits if not limit.per_seconds]


def _image_pairs(case: Case) -> Iterator[_Pair]:
    """Compare with the largest of the images that the services had on main."""
    main, limit = case.main, case.budgets.images.max_growth
    if (
        main is None
        or limit is None
        or isinstance(case.images, Missing)
        or _images_difference(case)
    ):
        return
    for image in case.images.images:
        sizes = [service.image_bytes for service in main.services if service.name in image.services]
        before = max((size for size in sizes if isinstance(size, int)), default=None)
        subject, now = subject_of(image), image.size_bytes
        if before is not None:
            yield _Pair("image.max_growth", subject, before, now, limit, "images.max_growth")


def _describe_growth(pair: _Pair, unit: Unit, noise: int) -> str:
    """Return "redis grew by 31 MB (25 %) against main: 124 to 155 MB, at most 10 % allowed"."""
    name, convention = plain(pair.subject), Convention.MEMORY
    if unit is Unit.STORAGE:
        name, convention = f"the image of {name}", Convention.STORAGE
    elif pair.id == "memory.max_growth":
        name = "memory"
    grown, allowed = pair.now - pair.before, pair.limit.most_bytes(pair.before)
    before, now = _growth_in_mb(pair, allowed, convention.mb)
    if grown <= 0:
        return f"{name} did not grow compared with main: {before:,} to {now:,} MB"
    share = ""
    if pair.before:
        limit = pair.limit.value if pair.limit.is_share else 0.0
        share = f" ({percent_of_limit(grown / pair.before, limit, at_most=True)})"
    most = f"at most {write_growth(pair.limit, convention)} allowed"
    remark = ", within noise" if allowed < grown <= noise else ""
    by = f"grew by {now - before:,} MB{share} against main"
    return f"{name} {by}: {before:,} to {now:,} MB, {most}{remark}"


def _growth_in_mb(pair: _Pair, allowed: int, mb: int) -> tuple[Decimal, Decimal]:
    """Return both in MB with as few decimals as show the growth, and on which side of the limit."""
    grown = pair.now - pair.before
    for decimals in (0, 1, 2, 3, 6):
        step = Decimal(1).scaleb(-decimals)
        before, now = (
            (Decimal(size) / mb).quantize(step, ROUND_CEILING) for size in (pair.before, pair.now)
        )
        is_precise = decimals > 0 or pair.before >= 10 * mb
        is_over = now - before > Decimal(allowed) / mb
        if is_precise and (now > before) == (grown > 0) and is_over == (grown > allowed):
            break
    return before, now
