"""Growth against main, where budgets.yml limits it: of the total, of services and of images.

Only a run with a baseline has these checks, and only for what the baseline has. What two runs of
one commit may differ by (noise.py) is always allowed.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from decimal import ROUND_CEILING, Decimal

from onegig.judge.differences import other_architecture, other_memory
from onegig.judge.figures import percent_beside
from onegig.judge.noise import noise_floor
from onegig.judge.rules import growth_text
from onegig.judge.totals import add_up, own_ranges
from onegig.model.budgets import Budgets, Growth
from onegig.model.images import Image, ImagesReport
from onegig.model.measured import Missing, Skipped
from onegig.model.memory import MemoryReport
from onegig.model.sizes import Convention
from onegig.model.state import State
from onegig.model.verdict import Baseline, Check, Unit
from onegig.text import plain

GROWTH_IDS = ("memory.max_growth", "service.max_growth", "image.max_growth")
_CONVENTIONS = {Unit.MEMORY: Convention.MEMORY, Unit.STORAGE: Convention.STORAGE}


@dataclass(frozen=True, kw_only=True, slots=True)
class _Pair:
    """The sizes of one thing on main and now, in bytes, and how much it may grow."""

    id: str
    subject: str
    name: str  # in sentences
    unit: Unit
    before: int
    now: int
    limit: Growth
    key: str  # of the limit in budgets.yml

    @property
    def grown(self) -> int:
        """Return how much larger it is now; negative where it shrank."""
        return self.now - self.before

    @property
    def allowed(self) -> int:
        """Return how much larger the user lets it be."""
        return self.limit.most_bytes(self.before)

    @property
    def noise(self) -> int:
        """Return how much larger it may be by chance."""
        return int(noise_floor(self.unit, self.before, self.now))


def check_growth(
    budgets: Budgets,
    images: ImagesReport | Missing,
    memory: MemoryReport | Missing,
    main: Baseline | None,
) -> Iterator[Check]:
    """Yield a check for everything whose growth is limited, where it can be compared."""
    if main is None:
        return
    if not isinstance(memory, Missing) and _other_memory(budgets, memory, main) is None:
        for pair in _memory_pairs(budgets, memory, main):
            yield _check(budgets, pair)
    if not isinstance(images, Missing) and other_architecture(main, images.environment) is None:
        for pair in _image_pairs(budgets, images, main):
            yield _check(budgets, pair)


def growth_notes(
    budgets: Budgets,
    images: ImagesReport | Missing,
    memory: MemoryReport | Missing,
    main: Baseline | None,
) -> Iterator[str]:
    """Yield why growth that budgets.yml limits could not be compared."""
    if main is None:
        return
    if not isinstance(memory, Missing) and _limits_memory(budgets):
        other = _other_memory(budgets, memory, main)
        if other:
            yield f"growth of memory is not judged: {other.reason}"
    if not isinstance(images, Missing) and budgets.images.max_growth:
        other = other_architecture(main, images.environment)
        if other:
            yield f"growth of images is not judged: {other.reason}"


def _other_memory(budgets: Budgets, memory: MemoryReport, main: Baseline) -> Skipped | None:
    return other_memory(main, memory, budgets.memory)


def _limits_memory(budgets: Budgets) -> bool:
    common = (budgets.memory.max_growth, budgets.memory.max_service_growth)
    return any((*common, *(own.max_growth for _, own in budgets.services)))


def _memory_pairs(budgets: Budgets, memory: MemoryReport, main: Baseline) -> Iterator[_Pair]:
    limits = budgets.memory
    if limits.max_growth and not isinstance(main.total_bytes, Missing):
        yield _Pair(
            id="memory.max_growth",
            subject="stack",
            name="memory",
            unit=Unit.MEMORY,
            before=main.total_bytes,
            now=add_up(memory, limits).bytes,
            limit=limits.max_growth,
            key="memory.max_growth",
        )
    before = {one.name: one.memory_bytes for one in main.services}
    for name, (_, now) in own_ranges(memory, limits.metric).items():
        own, was = budgets.service(name).max_growth, before.get(name)
        limit = own or limits.max_service_growth
        if limit and isinstance(was, int):
            yield _Pair(
                id="service.max_growth",
                subject=name,
                name=plain(name),
                unit=Unit.MEMORY,
                before=was,
                now=now,
                limit=limit,
                key=f"services.{name}.max_growth" if own else "memory.max_service_growth",
            )


def _image_pairs(budgets: Budgets, images: ImagesReport, main: Baseline) -> Iterator[_Pair]:
    limit = budgets.images.max_growth
    for image in images.images if limit else ():
        before = _before(image, main)
        subject = image.services[0] if len(image.services) == 1 else image.reference
        if limit and before is not None:
            yield _Pair(
                id="image.max_growth",
                subject=subject,
                name=f"the image of {plain(subject)}",
                unit=Unit.STORAGE,
                before=before,
                now=image.size_bytes,
                limit=limit,
                key="images.max_growth",
            )


def _before(image: Image, main: Baseline) -> int | None:
    """Return the largest of the images that its services had on main; None for a new one."""
    known = [one.image_bytes for one in main.services if one.name in image.services]
    return max((size for size in known if isinstance(size, int)), default=None)


def _check(budgets: Budgets, pair: _Pair) -> Check:
    most = max(pair.allowed, pair.noise)
    return Check(
        id=pair.id,
        subject=pair.subject,
        title=f"Growth of {pair.name}",
        unit=pair.unit,
        value=max(0, pair.grown),
        limit=most,
        state=State.GO if pair.grown <= most else State.NO_GO,
        message=_message(pair),
        where=budgets.where(pair.key),
    )


def _message(pair: _Pair) -> str:
    """Such as "redis grew by 31 MB (25 %) against main: 124 to 155 MB, at most 10 % wanted"."""
    before, now = _figures(pair)
    if pair.grown <= 0:
        return f"{pair.name} did not grow against main: {before:,} to {now:,} MB"
    wanted = f"at most {growth_text(pair.limit, _CONVENTIONS[pair.unit])} wanted"
    noise = ", within noise" if pair.allowed < pair.grown <= pair.noise else ""
    grown = f"grew by {now - before:,} MB{_share(pair)} against main"
    return f"{pair.name} {grown}: {before:,} to {now:,} MB, {wanted}{noise}"


def _figures(pair: _Pair) -> tuple[Decimal, Decimal]:
    """Return both in MB with as few decimals as show the growth, and on which side of the limit."""
    mb = _CONVENTIONS[pair.unit].mb
    before, now = Decimal(pair.before) / mb, Decimal(pair.now) / mb
    allowed = Decimal(pair.allowed) / mb
    for decimals in (0, 1, 2, 3):
        step = Decimal(1).scaleb(-decimals)
        shown = before.quantize(step, ROUND_CEILING), now.quantize(step, ROUND_CEILING)
        by = shown[1] - shown[0]
        is_precise = decimals > 0 or pair.before >= 10 * mb
        is_true = (by > 0) == (pair.grown > 0) and (by > allowed) == (pair.grown > pair.allowed)
        if is_precise and is_true:
            break
    return shown


def _share(pair: _Pair) -> str:
    if not pair.before:
        return ""
    share = pair.grown / pair.before
    limit = pair.limit.value if pair.limit.is_share else 0.0
    return f" ({percent_beside(share, limit, at_most=True)})"
