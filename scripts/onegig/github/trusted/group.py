"""The status of a merge group: the commit that a merge queue is about to make the branch's next.

A group's numbers are vouched for. Each pull request in it has passed its own status on its way into
the queue, so whatever of it measures differently was confirmed; and GitHub itself starts the
group's run, on a branch that only the queue can write.
"""

import re
from dataclasses import replace
from pathlib import Path

from onegig import pipeline
from onegig.errors import OnegigError
from onegig.github.baselines import find_baseline
from onegig.github.client import Client
from onegig.github.trees import branch_tip
from onegig.github.trusted.decisive import why_waiting
from onegig.github.trusted.evaluation import Evaluation
from onegig.github.trusted.limits import read_budgets
from onegig.github.trusted.numbers import fetch_numbers
from onegig.github.trusted.opinions import Opinion, judge_run, refuse, wait
from onegig.github.trusted.review import Measured
from onegig.github.trusted.runs import ENDED, MERGE_GROUP, GateRun, list_runs
from onegig.github.trusted.settings import Settings
from onegig.github.trusted.statuses import Status, describe
from onegig.github.trusted.trigger import Home
from onegig.pipeline import Options

_BRANCH = re.compile(r"gh-readonly-queue/(?P<base>.+)/pr-[0-9]+-[0-9a-f]{40}", re.ASCII)


def evaluate_group(client: Client, home: Home, head_sha: str, settings: Settings) -> Evaluation:
    """Return the status of a group's commit by its newest run that was not skipped or cancelled."""
    runs = list_runs(client, home.repository, settings.workflow, head_sha, MERGE_GROUP)
    standing = [run for run in runs if why_waiting(run) or run.conclusion in ENDED]
    if not standing:
        return Evaluation(status=None, reason=f"no run has measured the group {head_sha[:12]}")
    run = standing[0]
    match = _BRANCH.fullmatch(run.head_branch)
    if match is None or run.fork:
        return Evaluation(status=None, reason=f"{run.head_branch} is not a branch of a merge queue")
    try:
        opinion = _judge(client, run, match["base"], settings)
    except OnegigError as error:
        opinion = refuse(error)
    description = describe("merge group", match["base"], opinion.text)
    return Evaluation(status=Status(state=opinion.state, description=description, url=run.url))


def _judge(client: Client, run: GateRun, base: str, settings: Settings) -> Opinion:
    if why := why_waiting(run):
        return wait(why)
    measured = Measured.of(fetch_numbers(client, run, settings.artifact, trigger=MERGE_GROUP))
    budgets = read_budgets(client, settings.budgets, branch_tip(client, base))
    # Only commits of the base branch have numbers on the data branch: the nearest is one of it.
    found = find_baseline(client, run.head_sha, base)
    main = found[0] if isinstance(found, tuple) else None
    options = Options(budgets=Path(settings.budgets))
    report = pipeline.judge_reports(options, budgets, measured.images, measured.memory, main)
    return judge_run(replace(report, commit=run.head_sha), run.conclusion, budgets)
