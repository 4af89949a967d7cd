"""The section about the plan: what could be done, what it saves, and the exact change.

Reports show it where the stack does not fit with headroom; `onegig plan` always shows all of it.
"""

import re
from collections.abc import Iterator, Mapping, Sequence

from rich.console import RenderableType
from rich.text import Text

from onegig.model.measured import Missing
from onegig.model.plan import (
    Action,
    Basis,
    Change,
    ChangeKind,
    Confidence,
    Letter,
    Option,
    Plan,
    Verified,
)
from onegig.model.report import Report
from onegig.model.state import State
from onegig.report import numbers
from onegig.report.layout import Row, Table, dashed, print_parts, print_table, section
from onegig.text import disarm, format_rest, plain

ACTIONS_SHOWN = 8  # of one option
CHANGE_LINES = 200
MOST_LINES = 20_000  # of a change that is printed to be copied
CHANGE_WIDTH = 2_000
LEAST_DISK_BYTES = 10_000_000  # that is worth mentioning
NAMES: Mapping[Letter, str] = {
    Letter.SQUEEZE: "squeeze",
    Letter.ENGINE: "another engine",
    Letter.CONSOLIDATE: "consolidate",
    Letter.PAY: "pay",
}


def terminal(report: Report, width: int) -> list[RenderableType]:
    """Return the options and the best one's actions, where the stack needs a plan."""
    plan = _needed(report)
    if plan is None:
        return []
    best = best_option(plan)
    parts: list[RenderableType] = [
        section(plain(title(plan)), print_table(options_table(plan), width - 2))
    ]
    if best:
        lines = [describe_action(action) for action in plan.actions_of(best)]
        parts.append(section(f"Plan {best.name}", dashed(lines, ACTIONS_SHOWN)))
    return parts


def values(report: Report) -> Mapping[str, object]:
    """Return what the templates show; `plan` is None where none is needed."""
    plan = _needed(report)
    if plan is None:
        return {"plan": None}
    best = best_option(plan)
    return {
        "plan": plan,
        "title": title(plan),
        "options": options_table(plan),
        "best": best,
        "actions": [describe_action(action) for action in plan.actions_of(best)] if best else [],
        "changes": best.changes if best else (),
        "notes": [plain(note) for note in plan.notes],
        "offers": offers_table(plan),
        "limits": limits_table(plan),
        "confidence": confidence_table(plan),
        "shown": ACTIONS_SHOWN,
        "shown_lines": shown_lines,
        "language": language,
    }


def render_plan(plan: Plan, *, width: int = 80, color: bool = False) -> str:
    """Return the whole plan as text; only the lines of changes may be wider than `width`."""
    room = width - 2
    parts: list[RenderableType] = [Text(plain(title(plan)), "bold")]
    if plan.options:
        parts.append(section("Options", print_table(options_table(plan), room)))
    for option in plan.options:
        lines = [describe_action(action) for action in plan.actions_of(option)]
        parts.append(section(_heading(option, plan), dashed(lines, len(lines))))
    rest = [describe_action(action) for action in unused(plan)]
    if rest:
        parts.append(section("Also possible", dashed(rest, len(rest))))
    text = print_parts(parts, width=width, color=color)
    best = best_option(plan)
    for change in best.changes if best else ():
        text += _print_change(change, width=width, color=color)
    parts = []
    tables = {
        "Limits by measured peak": limits_table(plan),
        "Machines it fits on, with headroom": offers_table(plan),
        "Confidence": confidence_table(plan),
    }
    for name, table in tables.items():
        if table.rows:
            parts.append(section(name, print_table(table, room)))
    if plan.notes:
        parts.append(section("Notes", dashed([plain(note) for note in plan.notes], 20)))
    return text + ("\n" + print_parts(parts, width=width, color=color) if parts else "")


def title(plan: Plan) -> str:
    """Return "Plan: 46 MB over on the stack's memory; A fits"."""
    what = f"{plan.tightest[:1].lower()}{plan.tightest[1:]}"
    if plan.left_bytes < 0:
        stands = f"{numbers.memory(-plan.left_bytes)} over ({what})"
    else:
        left = numbers.memory(plan.left_bytes, down=True)
        stands = f"{left} to spare ({what})" + ("" if plan.roomy else ", too little headroom")
    best = best_option(plan)
    if best is None:
        return f"Plan: {stands}; " + ("nothing to do" if plan.roomy else "no option fits")
    verb = "saves most" if plan.roomy else "fits"
    return f"Plan: {stands}; {best.name} {verb}"


def best_option(plan: Plan) -> Option | None:
    """Return the best option, if any fits."""
    return next((option for option in plan.options if option.name == plan.best), None)


def unused(plan: Plan) -> tuple[Action, ...]:
    """Return the actions that are in none of the options."""
    used = {name for option in plan.options for name in option.actions}
    return tuple(action for action in plan.actions if action.id not in used)


def options_table(plan: Plan) -> Table:
    """Return each option with its total predicted, and measured if any was, and what is left."""
    is_tried = any(not isinstance(option.verified, Missing) for option in plan.options)
    heads = ("option", "predicted", *(["measured"] if is_tried else []), "left", "what")
    rows = [
        Row(
            name=_name(option),
            cells=(
                numbers.memory(option.total_bytes),
                *([_verified(option)] if is_tried else []),
                _left(option.left_bytes),
                plain(option.problem) or _summary(option, plan),
            ),
            state=State.GO if option.roomy else State.WARN if option.fits else State.NO_GO,
        )
        for option in plan.options
    ]
    return Table(heads=heads, rows=tuple(rows), texts=1, wraps=True)


def _name(option: Option) -> str:
    """Return "A: squeeze", or "A + engine"."""
    (letter, *others) = option.letters
    same = letter is Letter.ENGINE
    return option.name if others or same else f"{letter}: {NAMES[letter]}"


def _verified(option: Option) -> str:
    if isinstance(option.verified, Missing):
        return numbers.DASH
    total, error = option.verified.total_bytes, option.error_share
    if not isinstance(total, int):
        return "failed"
    error_text = "" if error is None else f" ({100 * error:+.1f} %)"
    return f"{numbers.memory(total)}{error_text}"


def _left(left_bytes: int) -> str:
    if left_bytes < 0:
        return f"{numbers.memory(-left_bytes)} over"
    return numbers.memory(left_bytes, down=True)


def _summary(option: Option, plan: Plan) -> str:
    chosen = plan.actions_of(option)
    if len(chosen) < 2:
        return "".join(action.title for action in chosen)
    return f"{chosen[0].title}, {format_rest(len(chosen) - 1)}"


def _heading(option: Option, plan: Plan) -> str:
    best = ", the best" if option.name == plan.best else ""
    if Letter.PAY in option.letters or not isinstance(option.verified, Missing):
        return f"{option.name}{best}"
    return f"{option.name}{best}: {_span(option.low_bytes, option.high_bytes)}, predicted"


def describe_action(action: Action) -> str:
    """Return "Turn off x: saves 18 MB (16 to 22 MB), predicted; optional, criticality low"."""
    amounts = list(_amounts(action))
    source = f": {action.saving.source}" if action.saving.basis is Basis.QUOTED else ""
    if amounts or action.option is Letter.PAY:
        amounts.append(f"{action.saving.basis}{source}")
    cost = f"; {action.cost}" if action.cost else ""
    tried = f"; {_trial(action.verified)}" if isinstance(action.verified, Verified) else ""
    return plain(f"{action.title}{': ' if amounts else ''}{', '.join(amounts)}{cost}{tried}")


def _trial(verified: Verified) -> str:
    """Return how the boot of one action alone ended."""
    if verified.problem:
        return f"booted, it does not hold: {verified.problem}"
    total = verified.total_bytes
    took = f", {numbers.memory(total)} together" if isinstance(total, int) else ""
    return f"booted: everything is up{took}"


def _amounts(action: Action) -> Iterator[str]:
    """Yield what an action saves, of what; nothing for a larger machine."""
    saving = action.saving
    if action.option is Letter.PAY:
        return
    if saving.bytes > 0:
        span = _span(saving.low_bytes, saving.high_bytes)
        yield f"saves {numbers.memory(saving.bytes, down=True)} ({span})"
    elif saving.high_bytes > 0:
        yield f"up to {numbers.memory(saving.high_bytes)}"
    if action.start_bytes:
        yield f"{numbers.memory(action.start_bytes, down=True)} less while starting"
    if action.tier_bytes and not saving.bytes:
        yield f"saves {numbers.memory(action.tier_bytes, down=True)} on the tier"
    if action.disk_bytes >= LEAST_DISK_BYTES:
        yield f"{numbers.storage(action.disk_bytes, down=True)} of the disk"


def _span(low: int, high: int) -> str:
    return f"{numbers.memory(low, down=True).removesuffix(' MB')} to {numbers.memory(high)}"


def offers_table(plan: Plan) -> Table:
    """Return the machines that the stack fits on, the cheapest first."""
    rows = [
        Row(
            name=offer.tier,
            cells=(
                numbers.memory(offer.room_bytes, down=True),
                numbers.memory(offer.needed_bytes),
                numbers.DASH
                if isinstance(offer.usd_per_month, Missing)
                else f"{offer.usd_per_month:.2f}",
                "; ".join(filter(None, (offer.price, offer.free, *offer.remarks))),
            ),
        )
        for offer in plan.offers
    ]
    heads = ("machine", "has", "needed", "USD/month", "of that")
    return Table(heads=heads, rows=tuple(rows), texts=1, wraps=True)


def limits_table(plan: Plan) -> Table:
    """Return today's memory limit of each service beside the recommended one."""
    rows = [
        Row(
            name=limit.service,
            cells=(
                numbers.memory(limit.peak_bytes),
                numbers.DASH
                if limit.limit_bytes is None
                else numbers.memory(limit.limit_bytes, down=True),
                numbers.memory(limit.new_bytes) if limit.advised else numbers.DASH,
                numbers.memory(limit.reservation_bytes) if limit.advised else numbers.DASH,
                plain(limit.remark),
            ),
        )
        for limit in plan.limits
    ]
    heads = ("service", "peak", "today", "proposed", "reservation", "remark")
    return Table(heads=heads, rows=tuple(rows), texts=1, wraps=True)


def confidence_table(plan: Plan) -> Table:
    """Return each claim with its estimate and what was measured."""
    rows = [
        Row(
            name=claim.subject,
            cells=(numbers.percent(claim.estimated), *_probability(claim)),
        )
        for claim in plan.confidence
    ]
    return Table(
        heads=("claim", "estimated", "computed", "by"), rows=tuple(rows), texts=1, wraps=True
    )


def _probability(claim: Confidence) -> tuple[str, str]:
    if isinstance(claim.probability, Missing):
        return numbers.DASH, claim.probability.reason
    low, high = (numbers.percent(round(end, 3), down=True) for end in (claim.low, claim.high))
    share = numbers.percent(round(claim.probability, 3), down=True)
    span = f"{low.removesuffix(' %')} to {high}; " if low != high else ""
    return share, f"{span}{claim.basis}"


def _print_change(change: Change, *, width: int, color: bool) -> str:
    """Return a change to copy: complete, neither indented nor wrapped."""
    heading = f"Change {change.path}" if change.path else "On the machine"
    title = print_parts([Text(plain(heading), "bold")], width=width, color=color)
    lines = shown_lines(change, MOST_LINES)
    return "\n" + title + "".join(f"{disarm(line)}\n" for line in lines)


def shown_lines(change: Change, most: int = CHANGE_LINES) -> Sequence[str]:
    """Return the lines of a change, made harmless, spaces kept; the rest is counted."""
    lines = change.text.removesuffix("\n").split("\n")
    left = len(lines) - most
    rest = (f"… and {left:,} more lines",) if left > 0 else ()
    return (*map(_harmless, lines[:most]), *rest)


def _harmless(line: str) -> str:
    """Return a line without invisible characters; copied, it is still the change."""
    parts = re.split("([ \t]+)", line[:CHANGE_WIDTH])
    shown = "".join(part if not part.strip(" \t") else plain(part) for part in parts)
    return shown if len(line) <= CHANGE_WIDTH else f"{shown}…"


def language(change: Change) -> str:
    """Return the language of a change, by the name that Markdown has for it."""
    return "diff" if change.kind is ChangeKind.DIFF else "sh"


def _needed(report: Report) -> Plan | None:
    """Return the plan where the stack does not fit with headroom."""
    return report.plan if isinstance(report.plan, Plan) and not report.plan.roomy else None
