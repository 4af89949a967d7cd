"""All steps, one after the other."""

from dataclasses import dataclass

from onegig.config.builds import read_build_files
from onegig.errors import OnegigError
from onegig.model.budgets import Budgets
from onegig.model.codec import from_json
from onegig.model.images import ImagesReport
from onegig.model.measured import Missing, Unknown
from onegig.model.memory import MemoryReport
from onegig.model.report import Report
from onegig.model.stack import Stack
from onegig.pipeline.building import build
from onegig.pipeline.inspection import inspect, with_places
from onegig.pipeline.judge import judge_reports
from onegig.pipeline.loading import load
from onegig.pipeline.measure import measure_stack, warn_of_host_access
from onegig.pipeline.options import Options
from onegig.pipeline.sessions import session
from onegig.progress import Progress


@dataclass(frozen=True, kw_only=True, slots=True)
class Attempt:
    """A check as far as it went: what was measured before an error stays in the report."""

    report: Report
    budgets: Budgets
    stack: Stack | None  # None: it could not be read
    error: OnegigError | None


def check(options: Options, progress: Progress) -> Report:
    """Run every step and return the report. Raises OnegigError where a step fails."""
    made = attempt(options, progress)
    if made.error:
        raise made.error
    return made.report


def attempt(options: Options, progress: Progress) -> Attempt:
    """Run every step; an error ends it but keeps what is known by then."""
    budgets, stack = Budgets(path=str(options.budgets), compose=""), None
    images: ImagesReport | Missing | None = None
    memory: MemoryReport | Missing | None = None
    error: OnegigError | None = None
    try:
        with progress.step("read budgets and stack"):
            budgets, stack = load(options)
            inspected = [from_json(ImagesReport, p.read_bytes(), str(p)) for p in options.inspected]
        warn_of_host_access(stack, progress)
        with session(progress) as (engine, current):
            build(stack, budgets, current, progress)
            users, update = stack.users_by_image, options.update_database
            found = inspect(
                engine,
                users,
                stack.name,
                progress,
                inspected,
                update_database=update,
                weigh=options.weigh,
                build_files=read_build_files(stack),
            )
            images = with_places(found, stack, options.settings_commit)
            memory = measure_stack(engine, stack, budgets, current, progress)
    except OnegigError as caught:
        error = caught
    missing = Unknown(reason=error.message if error else "")
    report = judge_reports(options, budgets, images or missing, memory or missing)
    return Attempt(report=report, budgets=budgets, stack=stack, error=error)
