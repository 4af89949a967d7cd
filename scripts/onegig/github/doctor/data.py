"""Whether the data branch can be read and written."""

from collections.abc import Iterator, Mapping

from onegig.errors import OnegigError
from onegig.github.data.history import HISTORY, READ, read_files
from onegig.github.doctor.findings import Finding, good, must, should, unknown
from onegig.github.doctor.hosted import DataBranch, Hosted
from onegig.model.measured import Skipped, Unknown

FORBIDDING = {  # by rules: what publishing does, and they forbid
    "creation": "creating branches",
    "update": "pushing",
    "non_fast_forward": "replacing the branch's commit",
    "pull_request": "pushing without a pull request",
    "required_status_checks": "pushing without checks",
    "required_signatures": "commits without a signature",
    "merge_queue": "pushing past the queue",
    "required_deployments": "pushing without a deployment",
}
DATA_FILES = READ


def data_branch(hosted: Hosted) -> Iterator[Finding]:
    """Findings about the branch that the comparison, the badge and the trend come from."""
    data = hosted.data
    if isinstance(data.exists, Unknown):
        yield unknown(f"the branch {data.name}", data.exists.reason)
    elif not data.exists:
        yield should(
            f"there is no branch {data.name} yet: nothing to compare with, and a badge that is "
            "linked now stays broken in caches",
            f"onegig publish --seed\n(needs a token with contents: write; the first push to "
            f"{hosted.default_branch} adds the first numbers)",
        )
    else:
        yield _content(data)
    yield from _rules(data, hosted)


def _content(data: DataBranch) -> Finding:
    unread = [one for one in data.files.values() if isinstance(one, Unknown)]
    if unread:
        return unknown(f"the files on {data.name}", unread[0].reason)
    files: Mapping[str, str] = {
        name: text for name, text in data.files.items() if isinstance(text, str)
    }
    try:
        kept = read_files(files, data.name)
    except OnegigError as error:
        return must(
            f"{data.name} cannot be used: {error.message}", error.advice or "correct it by hand"
        )
    if isinstance(data.files.get(HISTORY), Skipped) or not kept.history:
        return good(f"{data.name} is there and waits for its first numbers")
    return good(f"{data.name} has the numbers of {len(kept.history)} commits")


def _rules(data: DataBranch, hosted: Hosted) -> Iterator[Finding]:
    if isinstance(data.rules, Unknown):
        yield unknown(f"whether {data.name} may be pushed to", data.rules.reason)
        return
    for rule in data.rules:
        if rule.type in FORBIDDING and not (rule.type == "creation" and data.exists is True):
            yield must(
                f"a ruleset forbids {FORBIDDING[rule.type]} on {data.name}, which the job that "
                "keeps the numbers does",
                f"exclude {data.name} from its targets: {hosted.page}/settings/rules/"
                f"{rule.ruleset}",
            )
