"""Remarks about Dockerfiles beside those of a baseline: which ones a change brings.

Lines move, so a remark is known by its file, its rule and its text, and several of one kind are
counted. Other versions of hadolint and of our own rules remark other things of the same file: what
they say is not compared.

Find the services that may reach the machine they run on, and name them in a sentence.
"""

import re
from collections import Counter
from collections.abc import Iterator, Sequence

from onegig.judge.figures import shorten
from onegig.model.budgets import Budgets
from onegig.model.dockerfiles import DockerfilePolicy, Remark
from onegig.model.images import ImagesReport
from onegig.model.measured import Environment, Missing, Skipped, Unknown
from onegig.model.report import NOT_COMPARED, RemarkDelta, Report
from onegig.model.stack import HostAccess
from onegig.model.verdict import NO_REMARKS, Baseline, Remarked
from onegig.text import format_list, plain

MOST_REMARKS = 2_000  # of a stack
OTHER_RULES = Skipped(reason="the baseline was looked at by other rules")
_HADOLINT = re.compile(r"[A-Z]{2}\d+")  # DL3018, SC2046; our own rules have names


def remarks_of(report: ImagesReport | Missing) -> tuple[Remarked, ...] | Missing:
    """What is kept of the remarks about a stack's Dockerfiles."""
    if isinstance(report, Missing):
        return NO_REMARKS
    if sum(len(one.remarks) for one in report.dockerfiles) > MOST_REMARKS:
        return Unknown(reason=f"there are more than {MOST_REMARKS:,} remarks about Dockerfiles")
    return tuple(
        Remarked(
            path=one.path,
            hadolint=one.hadolint,
            remarks=tuple(remark.told for remark in one.remarks),
        )
        for one in report.dockerfiles
    )


def compare_remarks(report: Report, baseline: Baseline) -> tuple[RemarkDelta, ...] | Missing:
    """Each remark of the report once, with how often the baseline had it."""
    if isinstance(report.images, Missing):
        return NOT_COMPARED
    if isinstance(baseline.dockerfiles, Missing):
        return baseline.dockerfiles
    known = {one.path: one for one in baseline.dockerfiles}
    version = report.images.environment.onegig_version
    same = version == _version(baseline.environment)
    return tuple(
        delta
        for one in report.images.dockerfiles
        for delta in _deltas(one, known.get(one.path), same_onegig=same)
    )


def _deltas(
    now: DockerfilePolicy, before: Remarked | None, *, same_onegig: bool
) -> Iterator[RemarkDelta]:
    """A Dockerfile that the baseline does not have had no remarks."""
    counts = Counter(before.remarks if before else ())
    same_hadolint = before is None or before.hadolint == now.hadolint
    for remark in {one.told: one for one in now.remarks}.values():
        comparable = same_hadolint if _is_hadolints(remark) else before is None or same_onegig
        yield RemarkDelta(
            path=now.path,
            told=remark.told,
            before=counts[remark.told] if comparable else OTHER_RULES,
        )


def _is_hadolints(remark: Remark) -> bool:
    return _HADOLINT.fullmatch(remark.rule) is not None


def _version(environment: Environment | Missing) -> str:
    """Of onegig; "" where that is not known."""
    return "" if isinstance(environment, Missing) else environment.onegig_version


MOST_NAMED = 4
REASON_LENGTH = 60


def unallowed(host_access: Sequence[HostAccess], budgets: Budgets) -> tuple[HostAccess, ...]:
    """Return what services ask for that `allow_host_access` does not list."""
    return tuple(one for one in host_access if one.service not in budgets.allow_host_access)


def describe_host_access(host_access: Sequence[HostAccess]) -> str:
    """Return the sentence that names the services, or "" where there are none."""
    reasons: dict[str, list[str]] = {}
    for one in host_access:
        reasons.setdefault(one.service, []).append(one.reason)
    if not reasons:
        return ""
    named = [_service(name, found) for name, found in list(reasons.items())[:MOST_NAMED]]
    rest = len(reasons) - len(named)
    listed = [*named, f"{rest} more"] if rest else named
    names = " and ".join(filter(None, (", ".join(listed[:-1]), listed[-1])))
    return f"{names} can reach the machine they run on"


def _service(name: str, reasons: Sequence[str]) -> str:
    short = [shorten(plain(reason), REASON_LENGTH) for reason in reasons]
    return f"{plain(name)} ({format_list(short, 1)})"
