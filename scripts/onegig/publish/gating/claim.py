"""Which commit a job measured and which one that goes on top of: what run.json claims."""

from onegig import __version__
from onegig.errors import ExitCode
from onegig.git import ask_git
from onegig.model.host_access import HostAccess
from onegig.model.run import Failure, RunReport
from onegig.pipeline import Options
from onegig.publish.github.job import Job

NO_COMMIT = "0" * 40  # GitHub's word for none: the first push of a branch
CUT_SHORT = Failure(
    message="the job ended before the check did: out of time, cancelled or killed",
    advice="look at its log; `measure` in budgets.yml says how long things may take",
    exit_code=int(ExitCode.INTERRUPTED),
)


def read_claim(
    job: Job,
    options: Options,
    failure: Failure | None,
    host_access: tuple[HostAccess, ...] = (),
) -> RunReport:
    """The claim of a job, from its event and the checkout that holds budgets.yml."""
    commits = ask_git(
        options.budgets.parent, "rev-list", "--parents", "--max-count=1", "HEAD"
    ).split()
    measured, parents = (commits[0], commits[1:]) if commits else ("", [])
    head, base = measured, measured
    if job.event_name == "pull_request":
        head = str(job.event["pull_request"]["head"]["sha"])
        base = parents[0] if parents[1:] == [head] else ""
    elif job.event_name == "merge_group":
        base = str(job.event["merge_group"]["base_sha"])
    elif job.event_name == "push":
        before = str(job.event.get("before", NO_COMMIT))
        base = before if before != NO_COMMIT else ""
    return RunReport(
        event=job.event_name,
        head_sha=head,
        measured_sha=measured,
        base_sha=base,
        onegig_version=__version__,
        reproduce=options.reproduce,
        failure=failure,
        host_access=host_access,
    )
