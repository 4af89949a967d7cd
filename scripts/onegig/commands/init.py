"""`onegig init`: write budgets.yml from measured values, and the workflows for GitHub.

Every limit is the measured value plus a margin. A value that could not be measured gets no limit.
"""

import json
import os
import re
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, date, datetime
from importlib.metadata import PackageNotFoundError, distribution
from importlib.resources import files
from math import ceil
from pathlib import Path

import click
import yaml

from onegig import pipeline
from onegig.commands.options import EXISTING_FILE, progress_options, project_options, window_options
from onegig.errors import ConfigError
from onegig.files import write_new_file
from onegig.github.doctor.checkout import repository_of
from onegig.judge.memory import add_up, own_ranges
from onegig.judge.squeeze import Answer, Outcome, answer_of
from onegig.model.budgets import MemoryBudget, Metric
from onegig.model.codec import from_json
from onegig.model.images import ImagesReport
from onegig.model.measured import Missing
from onegig.model.memory import MemoryReport
from onegig.model.options import Options
from onegig.model.report import Report
from onegig.model.service import ServiceState
from onegig.model.sizes import Convention, format_mb, mb_down
from onegig.model.tiers import catalogue
from onegig.process import ask_git
from onegig.progress import Progress
from onegig.text import plain

MARGIN_SHARE = 0.25
MARGIN = f"{MARGIN_SHARE * 100:g} %"
LEAST_MB = 4  # a service of 1 MB may grow by more than a share of that
_STEPS = ((20, 1), (100, 5), (1000, 10))  # below so many MB, to multiples of so many
_LARGE_STEP = 50
_RUNNING = (ServiceState.HEALTHY, ServiceState.RUNNING, ServiceState.COMPLETED)
_PLAIN = re.compile(r"[a-z][a-z0-9_./-]*", re.ASCII)
_HEAD = """\
# Limits for this stack, written by `onegig init` on {today}. Limits of services and images are the
# measured values in the comments + {margin}, rounded up. Sizes need a unit: 1 MB is 2**20 bytes of
# memory and 10**6 bytes of images. Every key is optional; `onegig check` reports every mistake with
# its line number.
version: 1
"""
_IDLE = """\
# An idle stack proves little. A load is a command that runs while the stack is measured, from the
# image of one of its services:
#
# load: {service: NAME, command: [PROGRAM, ARGUMENT]}
"""
PACKAGE = Path(__file__).parents[1]
FOLDER = ".github/workflows"
NAMES = ("gate.yml", "comment.yml")
OWNER, NO_COMMIT, FILL_IN = "OWNER/onegig", "0" * 40, "# fill in"
_HOW_TO = re.compile(r"\A# Copy to .*?\n#\n", re.DOTALL)
_BRANCH = re.compile(r"[A-Za-z][\w./-]*", re.ASCII)  # others need quotes: by hand
_COMMIT = re.compile(r"[0-9a-f]{40}", re.ASCII)
NOBODY = "OWNER/NAME"
EPILOG = """\b
Exit codes:
  0  at least one file was written
  2  nothing was written: every file already exists
  others as for `onegig check`
"""


@dataclass(frozen=True, kw_only=True, slots=True)
class Source:
    """A repository on GitHub and one of its commits, or "" if not known."""

    repository: str = ""  # owner/name
    commit: str = ""
    tag: str = ""


@click.command(epilog=EPILOG)
@project_options
@window_options
@progress_options
@click.option(
    "--report",
    "source",
    type=EXISTING_FILE,
    help="Use the values of this report.json of an earlier `onegig check` instead of measuring.",
)
@click.option(
    "--workflows/--no-workflows",
    default=None,
    help="Also write gate.yml and comment.yml for GitHub Actions. Default: yes in the top folder "
    "of a checkout whose `origin` is on GitHub.",
)
def init(
    *, options: Options, progress: Progress, source: Path | None, workflows: bool | None
) -> None:
    """Write budgets.yml from measured values, and the workflows for GitHub.

    Measures the stack as `onegig check` does. Each limit is the measured value + 25 %. Existing
    files are not changed.
    """
    repository = origin_of(Path())
    if workflows is None:  # the top folder of a checkout that comes from GitHub
        is_top = not ask_git(Path(), "rev-parse", "--show-prefix").strip()
        workflows = bool(repository) and is_top
    paths = [options.budgets, *(Path(FOLDER, name) for name in NAMES if workflows)]
    present = [path for path in paths if os.path.lexists(path)]
    if present == paths:
        verb = "exists" if len(present) == 1 else "exist"
        raise ConfigError(
            f"nothing was written: {', '.join(map(str, present))} already {verb}",
            advice="delete or rename a file to have it written anew",
        )
    if options.budgets not in present:
        report = _read(source) if source else pipeline.check(options, progress)
        _write_budgets(options, report)
    missing = [path for path in paths[1:] if path not in present]
    if missing:
        _write_workflows(missing, find_source(), options.budgets)
    for path in present:
        click.echo(f"not changed, as it already exists: {plain(str(path))}")
    if missing:
        _print_badge(repository)
    also = ", then `onegig doctor`" if missing else ""
    click.echo(f"Next: read {plain(str(options.budgets))} and run `onegig check`{also}")


def _read(path: Path) -> Report:
    report = from_json(Report, path.read_bytes(), str(path))
    if isinstance(report.memory, Missing) and isinstance(report.images, Missing):
        raise ConfigError(
            f"nothing was measured in {path}: {report.memory.reason}",
            advice="use the report.json of a check that measured something",
        )
    return report


def _write_budgets(options: Options, report: Report) -> None:
    path, files = options.budgets, options.compose
    compose = os.path.relpath(files[0], path.parent) if len(files) == 1 else ""
    today = datetime.now(UTC).date()
    text = write_budgets(report, compose=compose, tier=options.tier or "", today=today)
    write_new_file(path, text)
    click.echo(plain(report.verdict.sentence))
    click.echo(f"wrote {plain(str(path))}; its limits are the measured values + {MARGIN}")
    if len(files) > 1:
        _note(f"`compose:` was not written: pass all {len(files)} files with --compose")
    if isinstance(report.memory, Missing):
        _note(f"memory was not measured, so its limits are the defaults: {report.memory.reason}")
    elif not ran_well(report.memory):
        _note("not every service ran well, so memory has only the default limit")
    elif (
        isinstance(total := report.verdict.total_bytes, int) and total > report.verdict.limit_bytes
    ):
        limit = format_mb(report.verdict.limit_bytes, down=True)
        _note(f"the stack needs more than {limit}, so memory.limit is that of a larger machine")


def _write_workflows(paths: Iterable[Path], source: Source, budgets: Path) -> None:
    for path in paths:
        write_new_file(path, workflow(path.name, source, default_branch_of(Path())))
        click.echo(f"wrote {path}")
    if not is_complete(source):
        owner = "" if source.repository else "OWNER by the account that has onegig, and "
        _note(f"replace {owner}the zeros by a commit of onegig; `onegig doctor` lists the places")
    if budgets != Options().budgets:
        _note(f"add `with: budgets: {budgets.as_posix()}` to onegig's steps in the workflows")


def _print_badge(repository: str) -> None:
    click.echo("Badge for README.md, after `onegig publish --seed` has created its branch:\n")
    click.echo(f"  {plain(badge(repository or NOBODY))}\n")
    if not repository:
        _note(f"this checkout has no `origin` on GitHub: replace {NOBODY} with your repository")


def _note(text: str) -> None:
    click.echo(f"note: {plain(text)}", err=True)


def ran_well(memory: MemoryReport | Missing) -> bool:
    """Return whether every service ran well, so that its memory is meaningful."""
    return not isinstance(memory, Missing) and all(
        service.state in _RUNNING and not service.oom_kills for service in memory.services
    )


def fits(memory: MemoryReport | Missing) -> bool:
    """Return false if the stack was squeezed and did not fit on its machine."""
    answer = memory if isinstance(memory, Missing) else answer_of(memory)
    return not isinstance(answer, Answer) or answer.outcome is not Outcome.DOES_NOT_FIT


def write_budgets(report: Report, *, compose: str, tier: str, today: date) -> str:
    """Return a budgets.yml with which a check of the same numbers is GO or WARN.

    `compose` is the file to name and `tier` the machine to show, "" for none. If a service was
    killed or never became healthy, memory gets only the machine's limit. A stack that did not fit
    gets a larger machine, unless `tier` is set.
    """
    machines = (waterfall.machine for waterfall in report.verdict.waterfalls)
    if fits(report.memory):
        tier = tier or next((name for name in machines if name in catalogue()), "")
    parts = [
        _HEAD.format(today=today.isoformat(), margin=MARGIN),
        f"compose: {_quoted(compose)}\n" if compose else "",
        f"tier: {tier} # the machine to check in addition to the limit\n" if tier else "",
        _memory(report),
        _images(report.images),
        _services(report),
        _IDLE if isinstance(report.memory, MemoryReport) and not report.memory.window.load else "",
    ]
    return "\n".join(filter(None, parts))


def _memory(report: Report) -> str:
    """Return the section `memory`: the machine's memory, and the growth allowed to a change."""
    memory, default = report.memory, MemoryBudget()
    limit, what = report.verdict.limit_bytes, "the machine: kernel, OS, engine and services"
    if isinstance(memory, Missing) or not ran_well(memory):
        why = "was not measured" if isinstance(memory, Missing) else "did not run well"
        return f"memory:\n  limit: {mb_down(limit)}MB # {what}; the stack {why}\n"
    metric = Metric(memory.window.metric)
    total = add_up(memory, MemoryBudget(metric=metric)).bytes
    boot = 0 if isinstance(memory.boot, Missing) else memory.boot.total_bytes
    peak = max(total, boot + default.system_overhead_bytes)
    if not fits(memory):
        peak = max(peak, limit + 1)  # a larger machine
    lines = [
        f"  limit: {mb_down(_machine(peak, limit))}MB # {what}; measured {format_mb(peak)}",
        f"  max_growth: {MARGIN_SHARE * 100:g}% # maximum growth of the total compared with main",
    ]
    if metric is not default.metric:
        lines.append(f"  metric: {metric.value} # as measured")
    return "\n".join(["memory:", *lines, ""])


def _machine(peak_bytes: int, limit_bytes: int) -> int:
    """Return the limit of the measurement, or the smallest machine that the stack fits on."""
    sizes = {tier.memory_bytes for tier in catalogue().values()}
    fitting = (size for size in sorted(sizes) if size >= peak_bytes)
    return limit_bytes if limit_bytes >= peak_bytes else next(fitting, 2 * peak_bytes)


def _images(images: ImagesReport | Missing) -> str:
    if isinstance(images, Missing):
        return ""
    total = images.total_bytes
    limit, measured = _limit(total, Convention.STORAGE), format_mb(total, Convention.STORAGE)
    return f"images:\n  total: {limit} # all images added up; measured {measured}\n"


def _services(report: Report) -> str:
    peaks = _peaks(report.memory)
    images = () if isinstance(report.images, Missing) else report.images.images
    sizes = {name: image.size_bytes for image in images for name in image.services}
    lines = []
    for name in dict.fromkeys((*peaks, *sizes)):
        limits, measured = [], []
        if peak := peaks.get(name):
            limits.append(f"memory: {_limit(peak)}")
            measured.append(format_mb(peak))
        if size := sizes.get(name):
            limits.append(f"image: {_limit(size, Convention.STORAGE)}")
            measured.append(f"image {format_mb(size, Convention.STORAGE)}")
        if limits:
            keys = f"{{{', '.join(limits)}}} # measured {', '.join(measured)}"
            lines.append(f"  {_quoted(name)}: {keys}")
    return "\n".join(["services:", *lines, ""]) if lines else ""


def _peaks(memory: MemoryReport | Missing) -> dict[str, int]:
    if isinstance(memory, Missing) or not ran_well(memory):
        return {}
    ranges = own_ranges(memory, Metric(memory.window.metric))
    return {name: high for name, (_, high) in ranges.items()}


def _limit(value_bytes: int, convention: Convention = Convention.MEMORY) -> str:
    """Return a value plus the margin, rounded up to a number that is easy to remember."""
    mb = ceil(value_bytes * (1 + MARGIN_SHARE) / convention.mb)
    step = next((step for most, step in _STEPS if mb < most), _LARGE_STEP)
    return f"{max(LEAST_MB, ceil(mb / step) * step)}MB"


def _quoted(text: str) -> str:
    """Return a YAML scalar that is read back as exactly this text."""
    if _PLAIN.fullmatch(text) and yaml.safe_load(text) == text:
        return text
    dumped: str = yaml.safe_dump(text, default_style='"', width=10**9, allow_unicode=False)
    return dumped.rstrip("\n")


def find_source(package: Path = PACKAGE) -> Source:
    """Return the origin of the onegig in the folder `package`, according to git or pip."""
    return _checkout(package) or _installed() or Source()


def origin_of(folder: Path) -> str:
    """Return owner/name of the checkout's `origin` on GitHub, or ""."""
    return repository_of(ask_git(folder, "remote", "get-url", "origin").strip())


def default_branch_of(folder: Path) -> str:
    """Return the default branch of the checkout's `origin`, or "main" if git does not know it."""
    head = ask_git(folder, "symbolic-ref", "--short", "refs/remotes/origin/HEAD").strip()
    return head.removeprefix("origin/") or "main"


def _checkout(package: Path) -> Source | None:
    """Ask git, if it tracks the package itself: it may be installed inside another checkout."""
    if not ask_git(package, "ls-files", "cli.py"):
        return None
    repository, commit = origin_of(package), ask_git(package, "rev-parse", "HEAD").strip()
    pushed = ask_git(package, "for-each-ref", "--contains", commit, "refs/remotes/origin")
    if not repository or not pushed:
        return Source(repository=repository)
    tag = ask_git(package, "tag", "--points-at", commit).partition("\n")[0]
    return Source(repository=repository, commit=commit, tag=tag)


def _installed() -> Source | None:
    """Return the repository that pip installed onegig from (PEP 610), if any."""
    try:
        text = distribution("onegig").read_text("direct_url.json")
        return parse_direct_url(text) if text else None
    except PackageNotFoundError:
        return None


def parse_direct_url(text: str) -> Source | None:
    """Return the repository and commit of a direct_url.json, or None if it names neither."""
    try:
        document = json.loads(text)
        url, vcs = document["url"], document["vcs_info"]
        repository, commit = repository_of(url), vcs["commit_id"]
    except (ValueError, LookupError, TypeError, AttributeError):
        return None
    if not repository or not isinstance(commit, str):
        return None
    revision = vcs.get("requested_revision")
    tag = revision if isinstance(revision, str) and revision.startswith("v") else ""
    return Source(repository=repository, commit=commit, tag=tag)


def workflow(name: str, source: Source, branch: str = "main") -> str:
    """Return the text of one of the workflows NAMES, for pushes to `branch`.

    Unknown parts of `source` stay placeholders.
    """
    text = files("onegig.commands").joinpath("workflows", name).read_text(encoding="utf-8")
    if _BRANCH.fullmatch(branch):
        text = text.replace("branches: [main]", f"branches: [{branch}]")
    if source.repository:
        text = text.replace(OWNER, source.repository)
    if not is_complete(source):
        return text
    note = f" # {source.tag}" if source.tag else ""
    text = text.replace(NO_COMMIT, source.commit).replace(f" {FILL_IN}", note)
    return _HOW_TO.sub("", text)


def is_complete(source: Source) -> bool:
    """Return whether no placeholder is left to fill in."""
    return bool(source.repository and _COMMIT.fullmatch(source.commit))


def badge(repository: str) -> str:
    """Return the badge of a repository (owner/name) as a line of Markdown."""
    raw = f"https://raw.githubusercontent.com/{repository}/onegig-data/badge.svg"
    return f"[![memory]({raw})](https://github.com/{repository}/tree/onegig-data)"
