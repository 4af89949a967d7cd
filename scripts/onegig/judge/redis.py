"""The data of each Redis that was audited, against `redis.memory`.

An audit that was asked for and failed leaves the limit without an answer; without a limit that is a
WARN.
"""

from collections.abc import Iterator

from onegig.judge.checks import Case, compare
from onegig.model.measured import Missing, Unknown
from onegig.model.redis import RedisAudit, Saving, ServiceRedis
from onegig.model.sizes import format_mb
from onegig.model.state import State
from onegig.model.verdict import Check, make_check
from onegig.text import plain

LEAST_SAVING_BYTES = 1024**2
UNEXPLAINED_SHARE = 0.05  # of used memory: from here on the sum of the parts explains too little
UNEXPLAINED_BYTES = 1024**2  # of an empty server's small memory, less is no wonder
WHOLE = "stack"
NO_INFO = Unknown(reason="its user may not run INFO")


def check_redis(case: Case) -> Iterator[Check]:
    """Judge the used memory of every server that was audited; nothing where nobody asked."""
    asked, memory = case.budgets.redis, case.memory
    if asked is None or isinstance(memory, Missing):
        return
    limit, where = asked.memory_bytes, case.budgets.where("redis.memory")
    unanswered = State.WARN if limit is None else State.INCOMPLETE
    if isinstance(memory.redis, Missing):
        message = f"no Redis was audited: {plain(memory.redis.reason)}"
        yield make_check("redis.memory", WHOLE, memory.redis, limit, unanswered, message, where)
        return
    for each in memory.redis:
        value: int | Missing
        if isinstance(each.audit, Missing):
            value, state = each.audit, unanswered
            message = f"{each.service} was not audited: {plain(each.audit.reason)}"
        elif not each.audit.servers:
            value, state = NO_INFO, unanswered
            message = f"the used memory of {each.service} is not known: {NO_INFO.reason}"
        else:
            value = each.audit.used_bytes
            state = State.GO if limit is None or value <= limit else State.NO_GO
            message = _describe(each.service, each.audit, limit)
        yield make_check("redis.memory", each.service, value, limit, state, message, where)


def _describe(service: str, audit: RedisAudit, limit: int | None) -> str:
    used = format_mb(audit.used_bytes) if limit is None else str(compare(audit.used_bytes, limit))
    largest = max(audit.patterns, key=lambda pattern: pattern.bytes.value, default=None)
    if largest is None:
        return f"{service} holds {used}, without a key"
    share = f"{format_mb(largest.bytes.value)} of it in {plain(largest.name, 80)}"
    return f"{service} holds {used}; {share}"


def redis_notes(case: Case) -> Iterator[str]:
    """Yield by how much each server could be made smaller, and what its audit leaves open."""
    for each in audits(case.memory.redis if not isinstance(case.memory, Missing) else ()):
        if isinstance(each.audit, Missing) or not each.audit.servers:
            continue
        audit, used = each.audit, max(1, each.audit.used_bytes)
        if last := last_saving(audit):
            saved = f"{format_mb(last.cumulative_bytes, down=True)} could be saved"
            how = "measured" if last.measured else "predicted"
            yield f"{each.service}: {saved} ({how}), which leaves {format_mb(last.left_bytes)}"
        if abs(audit.unexplained_bytes) > max(UNEXPLAINED_BYTES, UNEXPLAINED_SHARE * used):
            open_bytes = format_mb(abs(audit.unexplained_bytes))
            yield f"{each.service}: the audit does not explain {open_bytes} of its memory"


def last_saving(audit: RedisAudit) -> Saving | None:
    """Return the last technique, which has what all save; None where that is not worth a word."""
    savings = () if isinstance(audit.savings, Missing) else audit.savings
    is_worth = bool(savings) and savings[-1].cumulative_bytes >= LEAST_SAVING_BYTES
    return savings[-1] if is_worth else None


def audits(redis: tuple[ServiceRedis, ...] | Missing) -> tuple[ServiceRedis, ...]:
    """Return the audits of a report, none where there was no audit."""
    return () if isinstance(redis, Missing) else redis
