"""Dockerfiles judged by `images.policy` of budgets.yml: what hadolint and our own rules remark.

By `error` remarks block, by `warn` they warn; by `note`, the default, they are only told: how a
Dockerfile is written does not decide whether a stack fits. Hints (hadolint's info and style) never
count. A Dockerfile that hadolint did not look at is not clean: by a policy it warns.
"""

from collections.abc import Iterator

from onegig.judge.words import one_line
from onegig.model.budgets import Budgets, Policy
from onegig.model.images import ImagesReport
from onegig.model.measured import Missing
from onegig.model.policy import DockerfilePolicy, Remark
from onegig.model.verdict import Check, State, Unit

SHOWN = 2  # remarks in a message
_STATES = {Policy.WARN: State.WARN, Policy.ERROR: State.NO_GO}


def check_dockerfiles(budgets: Budgets, report: ImagesReport) -> Iterator[Check]:
    """A check for each Dockerfile of the stack, where a policy makes one."""
    if budgets.images.policy not in _STATES:
        return
    where = budgets.where("images.policy")
    for one in report.dockerfiles:
        if one.counted:
            text = f"{len(one.counted):,} to mend: {_first(one.counted)}"
            yield _check(one, len(one.counted), _STATES[budgets.images.policy], text, where)
        elif not isinstance(one.hadolint, Missing):
            ignored = f", {len(one.ignored):,} ignored by comments" if one.ignored else ""
            yield _check(one, 0, State.GO, f"nothing to mend{ignored}", where)
        else:
            yield _check(one, one.hadolint, State.WARN, one_line(one.hadolint.reason), where)


def dockerfile_notes(budgets: Budgets, report: ImagesReport) -> Iterator[str]:
    """How much there is to mend, where it is only told; what it is has a section of its own."""
    if budgets.images.policy is Policy.NOTE:
        for one in report.dockerfiles:
            if one.counted:
                yield f"{one_line(one.path)}: {len(one.counted):,} to mend (listed in the report)"


def _first(remarks: tuple[Remark, ...]) -> str:
    shown = [f"{one_line(one.text)} (line {one.line:,}, {one.rule})" for one in remarks[:SHOWN]]
    more = len(remarks) - len(shown)
    return "; ".join([*shown, *([f"and {more:,} more"] if more else [])])


def _check(
    one: DockerfilePolicy, value: int | Missing, state: State, text: str, where: str
) -> Check:
    path = one_line(one.path)
    return Check(
        id="image.dockerfile",
        subject=one.services[0] if len(one.services) == 1 else path,
        title=f"Dockerfile {path}",
        unit=Unit.COUNT,
        value=value,
        limit=0,
        state=state,
        message=f"{path}: {text}",
        where=where,
    )
