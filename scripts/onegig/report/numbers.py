"""Numbers and states as text, the same in every renderer.

Usage is rounded up, limits and headroom are rounded down, shares away from their limit: a failure
never prints as a pass.
"""

from decimal import ROUND_CEILING, ROUND_FLOOR, Decimal

from onegig.judge.checks import Comparison, compare
from onegig.model.measured import Missing
from onegig.model.service import ServiceMemory, ServiceState
from onegig.model.sizes import Convention, format_mb
from onegig.model.verdict import Check, Unit

DASH = "\u2013"  # where a cell has nothing to say
TIMES = "\u00d7"
MINUS = "\u2212"
SAME = "same"
_GB = 1000**3
_ONE, _TENTH = Decimal(1), Decimal("0.1")
_CONVENTIONS = {Unit.MEMORY: Convention.MEMORY, Unit.STORAGE: Convention.STORAGE}
_STATES = {
    ServiceState.OOM_KILLED: "OOM-killed",
    ServiceState.REFUSED: "not started",
    ServiceState.WAITING: "waiting",
    ServiceState.NOT_READY: "not ready",
}


def memory(value_bytes: int, *, down: bool = False) -> str:
    """Return bytes of memory as "612 MB" (1 MB = 2**20 bytes)."""
    return format_mb(value_bytes, Convention.MEMORY, down=down)


def storage(value_bytes: int, *, down: bool = False) -> str:
    """Return bytes on disk as "43 MB", from 10,000 MB on as "29.9 GB" (1 MB = 10**6 bytes)."""
    if abs(value_bytes) < 10 * _GB:
        return format_mb(value_bytes, Convention.STORAGE, down=down)
    return f"{_rounded(Decimal(value_bytes) / _GB, down=down)} GB"


def tenths(
    value_bytes: int | Missing | None,
    convention: Convention = Convention.MEMORY,
    *,
    down: bool = False,
) -> str:
    """Return MB with one decimal and no unit, for columns of figures; a dash for none."""
    if not isinstance(value_bytes, int):
        return DASH
    exact = Decimal(value_bytes) / convention.mb
    rounded = exact.quantize(_TENTH, ROUND_FLOOR if down else ROUND_CEILING)
    return f"{rounded or abs(rounded):,}"  # never "-0.0"


def tenths_change(
    now_bytes: int, before_bytes: int, convention: Convention = Convention.MEMORY
) -> str:
    """Return the difference of two columns of `tenths`, as "+1.2", or "same"."""
    step = _TENTH * convention.mb
    now, before = (_steps(value, step, down=False) for value in (now_bytes, before_bytes))
    return _signed((now - before) * _TENTH, places=_TENTH) if now != before else SAME


def percent(share: float, *, down: bool = False) -> str:
    """Return a share of 1 as "89.9 %": rounded up, or down for what must not be too small."""
    return f"{_rounded(Decimal(str(share)) * 100, down=down)} %"


def seconds(value: float) -> str:
    """Return a duration as "15 s" or "0.25 s"."""
    return f"{value:.2f}".rstrip("0").rstrip(".") + " s"


def missing(value: Missing) -> str:
    """Return what stands in place of a number that is not there."""
    return f"not measured: {value.reason}"


def with_page_cache(value: int | Missing) -> str:
    """Return "612 MB with page cache", or why that is not known."""
    if isinstance(value, int):
        return f"{memory(value)} with page cache"
    return f"with page cache {missing(value)}"


def check_value(check: Check) -> str:
    """Return what was measured, in the check's unit."""
    if not isinstance(check.value, (int, float)):
        return missing(check.value)
    beside = _beside(check)
    if beside:
        return f"{beside.used:,} {beside.unit}"
    return _amount(check.value, check.unit, down=not check.at_most)


def check_limit(check: Check) -> str:
    """Return the limit, in the check's unit; a dash if there is none."""
    if check.limit is None:
        return DASH
    beside = _beside(check)
    if beside:
        return f"{beside.limit:,} {beside.unit}"
    bound = "" if check.at_most else "≥ "
    return bound + _amount(check.limit, check.unit, down=check.at_most)


def check_headroom(check: Check) -> str:
    """Return what is left up to the limit, or "12 MB over" ("under": for limits from below).

    Sizes are the difference of the two printed ones, as in the verdict's sentence.
    """
    room = check.headroom
    if room is None:
        return DASH
    beside = _beside(check)
    if beside:
        text = f"{abs(beside.limit - beside.used):,} {beside.unit}"
    else:
        text = _amount(abs(room), check.unit, down=room >= 0)
    if check.unit is Unit.SHARE:
        text = text.replace(" %", " points")
    beyond = "over" if check.at_most else "under"
    return f"{text} {beyond}" if room < 0 else text


def check_change(check: Check, before: float) -> str:
    """Return what changed since `before`: the difference of the two as printed, "+12 MB"."""
    if not isinstance(check.value, (int, float)):
        return DASH
    step, printed, unit = _grain(check, check.value)
    now, then = (_steps(entry, step, down=not check.at_most) for entry in (check.value, before))
    difference = (now - then) * printed
    whole = unit != "MB" and not difference % 1
    return _signed(difference, unit, places=_ONE if whole else printed)


def _signed(difference: Decimal, unit: str = "", *, places: Decimal = _ONE) -> str:
    """Return a difference as "+12 MB", "\u22123 MB" or "±0 MB"; `places` is 1 or 0.1."""
    sign = "+" if difference > 0 else MINUS if difference else "±"
    return f"{sign}{abs(difference.quantize(places)):,} {unit}".rstrip()


def _grain(check: Check, value: float) -> tuple[Decimal, Decimal, str]:
    """Return the last digit of a printed value: in the check's unit, as printed, its name."""
    beside, convention = _beside(check), _CONVENTIONS.get(check.unit)
    if beside and convention:
        printed = Decimal(1).scaleb(int(beside.used.as_tuple().exponent))
        return (printed * convention.mb if beside.unit == "MB" else printed), printed, beside.unit
    if check.unit is Unit.STORAGE and abs(value) >= 10 * _GB:
        return _TENTH * _GB, _TENTH, "GB"
    if convention:
        printed = _TENTH if abs(value) < 10 * convention.mb else Decimal(1)
        return printed * convention.mb, printed, "MB"
    return (_TENTH / 100, _TENTH, "points") if check.unit is Unit.SHARE else (_TENTH, _TENTH, "")


def _steps(value: float, step: Decimal, *, down: bool) -> Decimal:
    exact = Decimal(str(value)) / step
    return exact.to_integral_value(ROUND_FLOOR if down else ROUND_CEILING)


def _beside(check: Check) -> Comparison | None:
    """Return a size and its limit with as few decimals as tell the truth; None for others."""
    convention = _CONVENTIONS.get(check.unit)
    if convention is None or check.limit is None or not isinstance(check.value, (int, float)):
        return None
    if max(check.limit, check.value) >= 10 * _GB and check.unit is Unit.STORAGE:
        return None
    return compare(int(check.value), int(check.limit), convention)


def service_state(service: ServiceMemory) -> str:
    """Return how a service ended, with its restarts and OOM kills."""
    text = _STATES.get(service.state, service.state.value)
    if service.oom_kills > 1:
        text += f" {service.oom_kills}{TIMES}"
    if service.restarts:
        text += f", {plural(service.restarts, 'restart')}"
    return text


def plural(count: int, noun: str) -> str:
    """Return a count with its noun, as "1 service" or "15 services"."""
    return f"{count:,} {noun}" if count == 1 else f"{count:,} {noun}s"


def joined(*parts: str) -> str:
    """Return the parts that are not empty, set apart by middle dots."""
    return " · ".join(part for part in parts if part)


def _amount(value: float, unit: Unit, *, down: bool) -> str:
    if unit is Unit.SHARE:
        return percent(value, down=down)
    if unit is Unit.MEMORY:
        return memory(int(value), down=down)
    if unit is Unit.STORAGE:
        return storage(int(value), down=down)
    return f"{_rounded(Decimal(str(value)), down=down)}"


def _rounded(value: Decimal, *, down: bool) -> str:
    """Return a number with one decimal, or none if that is zero."""
    exact = value.quantize(_TENTH, ROUND_FLOOR if down else ROUND_CEILING)
    return f"{exact:,.1f}".removesuffix(".0")
