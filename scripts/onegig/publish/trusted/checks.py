"""The check run on the head commit, which a branch can require: what of a verdict it vouches for.

Its conclusion is the worst of what the numbers say by the base branch's limits, of how the gate's
own job ended (GitHub says so, not the artifact), and of how much the numbers can be trusted:

- NO-GO and INCOMPLETE are failures, whoever measured: nobody forges his own failure, and what was
  not measured was not passed.
- A gate that did not succeed is a failure, even where the numbers are within the base branch's
  limits: by the pull request's own limits they may not be, or the job broke afterwards.
- GO and WARN are a success only where onegig can vouch for the job that measured. It can't for a
  fork, nor for a pull request that changes how is measured: they are neutral, and say so. A neutral
  check does not block a merge; a person decides.
- A pull request that only loosens its own limits gains nothing: the base branch's limits judge.
"""

import re
from dataclasses import dataclass

from onegig.model.report import Report
from onegig.model.review import Review
from onegig.model.verdict import State
from onegig.publish.github.client import Client
from onegig.publish.trusted.runs import SUCCESS
from onegig.report.escape import markdown, plain

NAME = "onegig"
APP = "github-actions"
MOST_TITLE = 250
MOST_SUMMARY = 60_000  # GitHub takes 65,535
MOST_CHECKS = 100
_SHOWN = 30
_MEASURING = ("measure", "load", "compose", "profiles")  # of budgets.yml
_FAILING = (State.NO_GO, State.INCOMPLETE)


@dataclass(frozen=True, kw_only=True, slots=True)
class Opinion:
    """What the check is going to say; `conclusion` is success, neutral or failure."""

    conclusion: str
    title: str
    summary: str  # Markdown


def judge_run(report: Report, run_conclusion: str) -> Opinion:
    """The opinion on a judged report, `report.review` included."""
    failures, doubts = _failures(report, run_conclusion), _doubts(report)
    conclusion = "failure" if failures else "neutral" if doubts else SUCCESS
    title = report.verdict.sentence
    if failures and report.verdict.state not in _FAILING:
        title = f"{failures[0]}; by its numbers {title}"
    elif doubts and not failures:
        title += f" ({doubts[0]})"
    lines = [markdown(report.verdict.sentence)]
    lines += [f"- {markdown(text)}" for text in _first([*failures, *doubts])]
    lines += [f"- {markdown(text)}" for text in _first(_problems(report))]
    return Opinion(conclusion=conclusion, title=plain(title, MOST_TITLE), summary="\n".join(lines))


def refuse(reason: str) -> Opinion:
    """The opinion where there is nothing to judge: a failure that says why."""
    title = f"INCOMPLETE: {reason}"
    return Opinion(
        conclusion="failure", title=plain(title, MOST_TITLE), summary=markdown(title, 2000)
    )


def set_check(
    client: Client,
    head_sha: str,
    opinion: Opinion,
    *,
    order: tuple[int, int],
    links: dict[str, str],
    name: str = NAME,
) -> str:
    """Create the check run, or update that of an earlier run; its address, "" if a newer has it.

    `order` is the run's number and attempt, `links` what to show below the summary, by text.
    """
    fields = _fields(opinion, order, links)
    checks = client.pages(
        f"commits/{head_sha}/check-runs", key="check_runs", most=MOST_CHECKS, check_name=name
    )
    own = [one for one in checks if (one.get("app") or {}).get("slug") == APP]
    newest = max(own, key=lambda one: (_order(one["external_id"]), one["id"]), default=None)
    if newest is None:
        fields |= {"name": name, "head_sha": head_sha}
        return str(client.send("POST", "check-runs", fields)["html_url"])
    if _order(newest["external_id"]) > order:
        return ""
    return str(client.send("PATCH", f"check-runs/{newest['id']}", fields)["html_url"])


def _fields(opinion: Opinion, order: tuple[int, int], links: dict[str, str]) -> dict[str, object]:
    shown = " · ".join(f"[{text}]({url})" for text, url in links.items() if url)
    summary = opinion.summary[: MOST_SUMMARY - len(shown)]
    return {
        "status": "completed",
        "conclusion": opinion.conclusion,
        "external_id": f"{order[0]}.{order[1]}",
        "output": {"title": opinion.title, "summary": f"{summary}\n\n{shown}".rstrip()},
    }


def _failures(report: Report, run_conclusion: str) -> list[str]:
    found = []
    if report.verdict.state in _FAILING:
        found.append(f"the verdict is {report.verdict.state}")
    if run_conclusion != SUCCESS:
        found.append(f"the gate's own job ended as {run_conclusion}")
    return found


def _doubts(report: Report) -> list[str]:
    """Why onegig does not vouch for the numbers."""
    review = report.review
    found = []
    if review and review.self_reported:
        found.append(f"self-reported by {review.self_reported}")
    if review and (review.measuring_changes or _measured_otherwise(review)):
        found.append("measured in a way that this pull request changes")
    if review and review.unverified:
        found.append(review.unverified)
    return found


def _measured_otherwise(review: Review) -> bool:
    """Whether its budgets.yml measures differently: the gate's job reads the pull request's own."""
    return any(change.key.partition(".")[0] in _MEASURING for change in review.limit_changes)


def _problems(report: Report) -> list[str]:
    checks = [check for check in report.verdict.checks if check.state in _FAILING]
    checks.sort(key=lambda check: check.state is not State.NO_GO)
    return list(dict.fromkeys(check.message for check in checks))


def _first(texts: list[str]) -> list[str]:
    rest = len(texts) - _SHOWN
    return texts if rest <= 0 else [*texts[:_SHOWN], f"{rest:,} more"]


def _order(external_id: object) -> tuple[int, int]:
    """The run of a check; that of one we did not write is older than any."""
    match = re.fullmatch(r"(\d{1,18})\.(\d{1,9})", str(external_id), re.ASCII)
    return (int(match[1]), int(match[2])) if match else (0, 0)
