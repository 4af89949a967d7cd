"""The audit of a server: its facts, its keys by pattern, what they contain, and what would save."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from random import Random
from time import monotonic

from onegig.model.redis import DEFAULT_SAMPLE, MOST_FULL, Coverage, RedisAudit
from onegig.redis.cluster import find_primaries, merge
from onegig.redis.connect import Address, Session, is_denied, open_session
from onegig.redis.contents import add_contents
from onegig.redis.groups import Group
from onegig.redis.pace import Pace
from onegig.redis.scan import Scanner
from onegig.redis.server import Facts, advise_settings, describe_server, read_facts

MOST_PATTERNS = 200  # in the document
PINGS = 5
ONE_OF_CLUSTER = "this is one server of a cluster; the others were not reached"


@dataclass(frozen=True, kw_only=True, slots=True)
class AuditOptions:
    """Settings of an audit."""

    sample: int | None = None  # keys that are read of a database; None: all, or some of very many
    full: bool = False  # all keys, however many
    limit_bytes: int = 0  # that used memory is held against
    seed: int | None = None  # of the sample
    contents: bool = True  # look into values, and predict what techniques save
    replay: bool = False  # measure that in a scratch server
    image: str = ""  # with the server's programs, where they are not installed here


def audit(address: Address, *, options: AuditOptions | None = None) -> RedisAudit:
    """Return the audit of the server at an address; of a cluster, of all its primaries.

    Raises RedisError, RefusedError.
    """
    options = options or AuditOptions()
    began = monotonic()
    with open_session(address) as session:
        facts = read_facts(session)
        primaries = find_primaries(session) if facts.is_cluster else ()
        if len(primaries) < 2:
            document = _audit_server(session, facts, options)
    if len(primaries) > 1:
        document = merge([_audit_primary(each, options) for each in primaries], str(address))
    elif facts.is_cluster:
        document = replace(document, notes=(*document.notes, ONE_OF_CLUSTER))
    seconds = round(monotonic() - began, 3)
    return replace(document, seconds=seconds, limit_bytes=options.limit_bytes)


def _audit_primary(address: Address, options: AuditOptions) -> RedisAudit:
    with open_session(address) as session:
        return _audit_server(session, read_facts(session), replace(options, contents=False))


def _audit_server(session: Session, facts: Facts, options: AuditOptions) -> RedisAudit:
    _be_quiet(session)
    if facts.is_cluster:  # else a replica only says where the primary of a key is
        session.ask("READONLY")
    pace = Pace(_ping(session))
    chance = Random(options.seed)  # noqa: S311 - a sample
    scanner = Scanner(session, pace, facts.uncounted, chance, is_cluster=facts.is_cluster)
    groups, sampled = _read(session, scanner, facts, options)
    document = _document(session.address, facts, groups, scanner, sampled=sampled)
    session.rest()
    if options.contents:
        document = add_contents(
            session.client, document, groups, replays=options.replay, image=options.image
        )
    return replace(document, latency_ms=round(pace.busy_ms, 3))


def _be_quiet(session: Session) -> None:
    """Keep reads from counting as uses of keys, where the server knows how (7.2 and later)."""
    session.ask("CLIENT", "NO-TOUCH", "ON")


def _ping(session: Session) -> float:
    """Return the seconds of the fastest of a few round trips."""
    ping = b"*1\r\n$4\r\nPING\r\n"
    return min(session.batch([ping], 1).seconds for _ in range(PINGS))


def _read(
    session: Session, scanner: Scanner, facts: Facts, options: AuditOptions
) -> tuple[list[Group], bool]:
    """Return the patterns of every database, the largest first, and whether some were sampled."""
    groups: list[Group] = []
    sampled = False
    for number, (keys, _) in sorted(facts.databases.items()):
        # a user who may only read may not select: the first database is the selected one
        if is_denied(session.ask("SELECT", number)) and number:
            scanner.tally.gaps.append(f"SELECT {number} is denied: its {keys:,} keys are unknown")
        elif options.full or keys <= (options.sample or MOST_FULL):
            groups += scanner.read_all(number)
        else:
            groups += scanner.read_sample(number, keys, options.sample or DEFAULT_SAMPLE)
            sampled = True
    return sorted(groups, key=lambda group: -group.bytes.value), sampled


def _document(
    address: Address, facts: Facts, groups: Sequence[Group], scanner: Scanner, *, sampled: bool
) -> RedisAudit:
    tally = scanner.tally
    patterns = tuple(group.pattern for group in groups[:MOST_PATTERNS])
    servers = (describe_server(facts),) if facts.info else ()
    coverage = Coverage(
        keys=sum(keys for keys, _ in facts.databases.values()),
        examined_keys=tally.examined,
        bytes=sum(group.pattern.bytes.value for group in groups),
        is_sampled=sampled,
        gaps=(*facts.gaps, *tally.gaps, *_gaps(scanner)),
    )
    document = RedisAudit(
        target=str(address),
        seconds=0.0,
        latency_ms=0.0,
        servers=servers,
        coverage=coverage,
        patterns=patterns,
        unexplained_bytes=0,
        settings=advise_settings(facts),
    )
    known = document.key_bytes + document.overhead_bytes
    return replace(document, unexplained_bytes=document.used_bytes - known if servers else 0)


def _gaps(scanner: Scanner) -> tuple[str, ...]:
    tally = scanner.tally
    numbers = (
        (tally.denied, "keys may not be read by this user"),
        (tally.failed, "keys could not be read"),
        (tally.gone, "keys expired or were deleted meanwhile"),
    )
    return tuple(f"{number:,} {text}" for number, text in numbers if number)
