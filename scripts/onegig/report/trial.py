"""Before and after another Dockerfile, side by side, as text."""

from collections.abc import Callable, Iterator
from textwrap import indent

from onegig.model.images import Accounting, Boot, Cause, Image, Side, Trial
from onegig.model.measured import Missing
from onegig.report import words
from onegig.report.console import figures, printed
from onegig.text import plain

FROM_REGISTRY = "official"  # what Image.base says then
DEAD = "deleted or overwritten"


def render_trial(trial: Trial, width: int = 100) -> str:
    """The table, and what a container that did not turn healthy had to say."""
    table = figures(("before", "after", "change"), names=plain(trial.service), most=40)
    for row in _rows(trial):
        table.add_row(*row)
    text = printed([table], width=width)
    for name, side in (("before", trial.before), ("after", trial.after)):
        if side.boot.problem:
            lines = "\n".join(plain(line) for line in side.boot.problem.splitlines())
            text += f"\n{name}:\n{indent(lines, '  ')}\n"
    return text


def _rows(trial: Trial) -> Iterator[tuple[str, str, str, str]]:
    before, after = trial.before, trial.after
    yield "base", _base(before), _base(after), ""
    if any(side.image.base != FROM_REGISTRY for side in (before, after)):
        yield "base made", plain(before.image.base), plain(after.image.base), ""
    yield _sizes("image", before.image.size_bytes, after.image.size_bytes)
    pulled = before.image.compressed_bytes, after.image.compressed_bytes
    yield _measured("to pull", *pulled, words.storage)
    yield "layers", str(len(before.image.layers)), str(len(after.image.layers)), ""
    yield from _causes(before.image, after.image)
    used = before.boot.rss_bytes, after.boot.rss_bytes
    yield _measured("memory (RSS)", *used, words.memory)
    yield "health check", _health(before.boot), _health(after.boot), ""


def _causes(before: Image, after: Image) -> Iterator[tuple[str, str, str, str]]:
    """What the live bytes are for, and the dead ones; nothing where it is not known of both."""
    accounts = before.accounting, after.accounting
    one, other = accounts
    if not isinstance(one, Accounting) or not isinstance(other, Accounting):
        return
    for cause in Cause:
        values = one.bytes_of(cause), other.bytes_of(cause)
        if any(values):
            yield _sizes(f"  {cause}", *values)
    if one.dead_bytes or other.dead_bytes:
        yield _sizes(f"  {DEAD}", one.dead_bytes, other.dead_bytes)


def _base(side: Side) -> str:
    """Without its digest, which is long and in the Dockerfile."""
    return plain(side.base.partition("@")[0])


def _sizes(name: str, before: int, after: int) -> tuple[str, str, str, str]:
    return name, words.storage(before), words.storage(after), _change(before, after)


def _measured(
    name: str, before: int | Missing, after: int | Missing, show: Callable[[int], str]
) -> tuple[str, str, str, str]:
    if isinstance(before, int) and isinstance(after, int):
        return name, show(before), show(after), _change(before, after)
    first, second = (
        show(one) if isinstance(one, int) else words.missing(one) for one in (before, after)
    )
    return name, first, second, ""


def _change(before: int, after: int) -> str:
    if not before:
        return "new" if after else ""
    share = (after - before) / before
    return "same" if round(share * 100) == 0 else f"{share:+.0%}".replace("%", " %")


def _health(boot: Boot) -> str:
    if boot.problem:
        return "failed"
    return f"passed in {boot.seconds:.0f} s" if boot.checked else f"none; ran {boot.seconds:.0f} s"


def healthy(side: Side) -> bool:
    """Whether the container turned healthy, or, without a health check, ran."""
    return not side.boot.problem
