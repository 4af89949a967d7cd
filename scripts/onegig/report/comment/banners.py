"""What a reviewer must know before trusting the figures: one box above them, none as a rule."""

from onegig.judge.limits import describe_host_access
from onegig.model.report import LimitChange, Report, Review
from onegig.report.comment.footer import link
from onegig.report.comment.room import Room
from onegig.report.comment.syntax import alert, bullets, paragraphs
from onegig.text import code, format_list, markdown


def banner(report: Report, room: Room) -> str:
    """Changed limits, changed ways of measuring, numbers of a fork's own job, who vouches."""
    review = report.review
    if review is None:
        return ""
    body = paragraphs(
        (
            _limits(review, room.limits),
            _measuring(review, room.files),
            _host_access(review),
            _self_reported(review),
            _confirmation(review),
        )
    )
    return alert("WARNING" if _distorts(review) else "NOTE", body) if body else ""


def _distorts(review: Review) -> bool:
    """Whether the pull request may look better than it is."""
    changes = review.limit_changes
    unread = bool(review.proposed) and not changes
    return bool(review.measuring_changes) or unread or any(one.looser for one in changes)


def _limits(review: Review, shown: int) -> str:
    changes = review.limit_changes
    if not changes and not review.proposed:
        return ""
    order = sorted(changes, key=lambda one: not one.looser)
    branch = code(review.base_branch)
    proposed = f" By the proposed ones: {markdown(review.proposed)}" if review.proposed else ""
    lead = f"**This pull request changes limits.** Judged by those of {branch}.{proposed}"
    return paragraphs((lead, bullets([_change(one) for one in order], shown)))


def _change(change: LimitChange) -> str:
    looser = " (looser)" if change.looser else ""
    return f"{code(change.key)}: {markdown(change.old, 200)} → {markdown(change.new, 200)}{looser}"


def _measuring(review: Review, shown: int) -> str:
    files = review.measuring_changes
    if not files:
        return ""
    return (
        "**This pull request changes how it is measured:** "
        f"{format_list(tuple(map(code, files)), shown)}. "
        "Its numbers may not be comparable."
    )


def _host_access(review: Review) -> str:
    if not review.host_access:
        return ""
    return (
        f"**Not vouched for:** {markdown(describe_host_access(review.host_access))}. "
        f"{code('allow_host_access')} in {code('budgets.yml')} of {code(review.base_branch)} "
        "accepts that."
    )


def _self_reported(review: Review) -> str:
    if not review.self_reported:
        return ""
    return f"**Self-reported:** measured by a job of {code(review.self_reported)}."


def _confirmation(review: Review) -> str:
    """Say who vouches for the numbers, or how a maintainer does."""
    if review.confirmed_by:
        return f"**Confirmed** for this commit by {code(review.confirmed_by)}."
    if not review.confirm_command:
        return ""
    return (
        "**Waits for a maintainer.** If you have read the changes and trust these numbers, confirm "
        f"them for this commit: {code(review.confirm_command)}, or "
        f"{link('by hand', review.confirm_url)}."
    )
