"""Every single value of budgets.yml: what a person calls it, writes for it, and what is looser."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from onegig.judge.checks import percent
from onegig.model.budgets import Budgets, Forks, Growth, Metric, Policy
from onegig.model.scan import Severity
from onegig.model.sizes import Convention, format_mb

NONE = "none"
_GB = 1000**3
_TIGHTER = {(Metric.PSS, Metric.COST), (Metric.PSS, Metric.RSS)}  # all others may count less


@dataclass(frozen=True, kw_only=True, slots=True)
class Rule:
    """One value. None stands for one that was left out and has no default: no limit."""

    key: str  # in budgets.yml
    field: str  # in Budgets, dotted
    write: Callable[[Any], str]
    looser: Callable[[Any, Any], bool]  # whether the second lets more pass than the first

    def value(self, budgets: Budgets) -> Any:
        """Return what the budgets say; None also where what it is part of is left out."""
        value: Any = budgets
        for name in self.field.split("."):
            value = getattr(value, name, None)
        return value

    def texts(self, old: Any, new: Any) -> tuple[str, str]:
        """Both as a person writes them; exactly, where rounding hides the difference."""
        pair = _text(self.write, old), _text(self.write, new)
        return pair if pair[0] != pair[1] else (_text(_exact, old), _text(_exact, new))


def memory_text(value_bytes: int) -> str:
    """Return a limit of memory: "1,024 MB"."""
    return format_mb(value_bytes, Convention.MEMORY, down=True)


def storage_text(value_bytes: int) -> str:
    """Return a limit of images or disk: "1,900 MB", "30 GB"."""
    if value_bytes < 10 * _GB:
        return format_mb(value_bytes, Convention.STORAGE, down=True)
    return f"{value_bytes / _GB:g} GB"


def growth_text(growth: Growth, convention: Convention) -> str:
    """Write a limit of growth: "10 %", "20 MB"."""
    if growth.is_share:
        return percent(growth.value)
    return format_mb(int(growth.value), convention, down=True)


def memory_growth_text(growth: Growth) -> str:
    """Write a limit of the growth of memory."""
    return growth_text(growth, Convention.MEMORY)


def _storage_growth_text(growth: Growth) -> str:
    return growth_text(growth, Convention.STORAGE)


def grown(old: Growth | None, new: Growth | None) -> bool:
    """Return whether more may grow; a share and an amount can't be compared, so it may."""
    if old is None or new is None:
        return new is None
    return old.is_share != new.is_share or new.value > old.value


def raised(old: float | None, new: float | None) -> bool:
    """Tell whether a limit from above is looser: higher, or gone."""
    return new is None or (old is not None and new > old)


def lowered(old: float | None, new: float | None) -> bool:
    """Tell whether a limit from below is looser: it asks for less, or nothing."""
    return new is None or (old is not None and new < old)


def _either(_old: Any, _new: Any) -> bool:
    """No direction can be told: it may let more pass."""
    return True


def _neither(_old: Any, _new: Any) -> bool:
    return False


def _metric(old: Metric, new: Metric) -> bool:
    return (old, new) not in _TIGHTER


def _severity(old: Severity, new: Severity) -> bool:
    return tuple(Severity).index(new) > tuple(Severity).index(old)


def _policy(old: Policy, new: Policy) -> bool:
    return tuple(Policy).index(new) > tuple(Policy).index(old)


def _trusted(_old: Forks, new: Forks) -> bool:
    return new is Forks.TRUST


def _switched_on(old: object, new: object) -> bool:
    return bool(new) and not old


def _counted(noun: str) -> Callable[[int], str]:
    return lambda count: f"{count:,} {noun}{'' if count == 1 else 's'}"


def _yes(value: bool) -> str:  # noqa: FBT001 - the value itself
    return "yes" if value else "no"


def _seconds(value: float) -> str:
    return f"{value:g} s"


def _number(value: float) -> str:
    return f"{int(value) if float(value).is_integer() else value:,}"


def _words(command: tuple[str, ...]) -> str:
    return " ".join(command)


def _files(names: tuple[str, ...]) -> str:
    return ", ".join(names) or "docker compose's choice"


def _profiles(names: tuple[str, ...]) -> str:
    return ", ".join(names) or "COMPOSE_PROFILES"


def _names(names: tuple[str, ...]) -> str:
    return ", ".join(names) or NONE


def _added(old: tuple[str, ...], new: tuple[str, ...]) -> bool:
    return not set(new) <= set(old)


def _variables(variables: tuple[tuple[str, str], ...]) -> str:
    return ", ".join(f"{name}={value}" for name, value in variables) or NONE


def _text(write: Callable[[Any], str], value: Any) -> str:
    return NONE if value is None else write(value)


def _exact(value: Any) -> str:
    return f"{value:,} bytes" if isinstance(value, int) else str(value)


def _rule(
    key: str,
    field: str,
    write: Callable[[Any], str],
    looser: Callable[[Any, Any], bool],
) -> Rule:
    return Rule(key=key, field=field, write=write, looser=looser)


RULES = (
    _rule("compose", "compose_files", _files, _either),
    _rule("profiles", "profiles", _profiles, _either),
    _rule("tier", "tier", str, _either),  # limits.py knows which machine is judged without one
    _rule("memory.limit", "memory.limit_bytes", memory_text, raised),
    _rule("memory.metric", "memory.metric", str, _metric),
    _rule("memory.headroom", "memory.headroom_share", percent, lowered),
    _rule("memory.system_overhead", "memory.system_overhead_bytes", memory_text, lowered),
    _rule("memory.max_growth", "memory.max_growth", memory_growth_text, grown),
    _rule("memory.max_service_growth", "memory.max_service_growth", memory_growth_text, grown),
    _rule("disk.limit", "disk_bytes", storage_text, raised),
    _rule("images.total", "images.total_bytes", storage_text, raised),
    _rule("images.each", "images.each_bytes", storage_text, raised),
    _rule("images.min_efficiency", "images.min_efficiency", percent, lowered),
    _rule("images.max_wasted", "images.max_wasted_bytes", storage_text, raised),
    _rule("images.max_user_wasted", "images.max_user_wasted_share", percent, raised),
    _rule(
        "images.ignore_user_wasted_below",
        "images.ignore_user_wasted_below_bytes",
        storage_text,
        raised,
    ),
    _rule("images.max_dead", "images.max_dead_bytes", storage_text, raised),
    _rule("images.max_base_dead", "images.max_base_dead_bytes", storage_text, raised),
    _rule("images.max_growth", "images.max_growth", _storage_growth_text, grown),
    _rule("images.policy", "images.policy", str, _policy),
    _rule("scan.severity", "scan.severity", str, _severity),
    _rule("scan.ignore_unfixed", "scan.ignore_unfixed", _yes, _switched_on),
    _rule("scan.vulnerabilities", "scan.vulnerabilities", _number, raised),
    _rule("scan.secrets", "scan.secrets", _number, raised),
    _rule("scan.misconfigurations", "scan.misconfigurations", _number, raised),
    # less is seen of what grows when it is shorter, less of the start when it is longer
    _rule("measure.settle", "measure.settle_seconds", _seconds, _either),
    _rule("measure.window", "measure.window_seconds", _seconds, lowered),
    _rule("measure.hz", "measure.hz", lambda hz: f"{hz:g} Hz", lowered),
    _rule("measure.healthy_timeout", "measure.healthy_timeout_seconds", _seconds, raised),
    _rule("measure.repeats", "measure.repeats", _counted("window"), lowered),
    _rule("load.service", "load.service", str, _either),
    _rule("load.command", "load.command", _words, _either),
    _rule("load.environment", "load.environment", _variables, _either),
    _rule("load.rate", "load.rate", _number, lowered),
    _rule("allow_host_access", "allow_host_access", _names, _added),
    _rule("forks", "forks", str, _trusted),
    _rule("shards.start", "shards.start", _counted("image"), _neither),
    _rule("shards.most", "shards.most", _counted("machine"), _neither),
)
