"""The data of an audited Redis against its limit, and what an audit that failed leaves open."""

from dataclasses import replace

import pytest

from judging import BUDGETS, GO, INCOMPLETE, MIB, NO_GO, TODAY, WARN, checks, measured, service
from onegig.judge.verdict import judge
from onegig.model.budgets import RedisBudget
from onegig.model.measured import Missing, Skipped, Unknown
from onegig.model.redis import RedisAudit, ServiceRedis
from onegig.model.state import State
from onegig.model.verdict import Verdict
from redis_audits import make_audit

NO_TLS = Unknown(reason="the server speaks TLS only")


def judged(audit: RedisAudit | Missing, limit_mb: int | None) -> Verdict:
    memory = replace(
        measured([service("cache", 90 * MIB)]), redis=(ServiceRedis(service="cache", audit=audit),)
    )
    asked = RedisBudget(memory_bytes=limit_mb * MIB if limit_mb else None)
    budgets = replace(BUDGETS, redis=asked, lines=(("redis.memory", 12),))
    return judge(budgets, Skipped(reason="not asked for"), memory, None, today=TODAY)


@pytest.mark.parametrize(
    ("audit", "limit_mb", "state", "message"),
    [
        (
            make_audit(),
            90,
            NO_GO,
            "cache holds 238 of 90 MB, 148 MB (165 %) over; 96 MB of it in trades:{symbol}",
        ),
        (
            make_audit(80 * MIB),
            90,
            GO,
            "cache holds 80 of 90 MB, 10 MB (11 %) to spare; 33 MB of it in trades:{symbol}",
        ),
        (make_audit(), None, GO, "cache holds 238 MB; 96 MB of it in trades:{symbol}"),
        (replace(make_audit(), patterns=()), None, GO, "cache holds 238 MB, without a key"),
        (
            replace(make_audit(), servers=()),
            90,
            INCOMPLETE,
            "the used memory of cache is not known: its user may not run INFO",
        ),
        (NO_TLS, 90, INCOMPLETE, "cache was not audited: the server speaks TLS only"),
        (NO_TLS, None, WARN, "cache was not audited: the server speaks TLS only"),
    ],
)
def test_used_memory_is_held_against_the_limit(
    audit: RedisAudit | Missing, limit_mb: int | None, state: State, message: str
) -> None:
    [check] = checks(judged(audit, limit_mb), "redis.memory")
    assert (check.state, check.message) == (state, message)
    assert (check.subject, check.where) == ("cache", "budgets.yml:12")


def test_notes_say_what_could_be_saved_and_what_is_not_explained() -> None:
    whole = make_audit()
    unexplained = replace(whole, unexplained_bytes=20 * MIB, savings=())
    assert [note for note in judged(whole, 90).notes if "cache" in note] == [
        "cache: 162 MB could be saved (measured), which leaves 76 MB"
    ]
    assert [note for note in judged(unexplained, 90).notes if "cache" in note] == [
        "cache: the audit does not explain 20 MB of its memory"
    ]


def test_a_report_without_an_audit_that_was_asked_for_is_incomplete() -> None:
    memory = measured([service("cache", 90 * MIB)])
    images = Skipped(reason="not asked for")
    budgets = replace(BUDGETS, redis=RedisBudget(memory_bytes=MIB))
    [check] = checks(judge(budgets, images, memory, None, today=TODAY), "redis.memory")
    assert (check.state, check.subject) == (INCOMPLETE, "stack")
    assert checks(judge(BUDGETS, images, memory, None, today=TODAY), "redis.memory") == []
