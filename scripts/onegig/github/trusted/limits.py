"""budgets.yml as the base branch has it, which judges, and what a pull request makes of it."""

from dataclasses import dataclass
from urllib.parse import quote

from onegig.config.budgets import parse_budgets
from onegig.config.document import MAX_BYTES
from onegig.errors import ConfigError, GithubError
from onegig.github.baselines import GONE
from onegig.github.client import Client
from onegig.github.transport import RAW
from onegig.judge.limits import limit_changes
from onegig.model.budgets import Budgets
from onegig.model.report import LimitChange

TOO_LARGE = 200  # the status of an answer that was not read to its end
NO_FILE = b"version: 1\n"  # every key may be left out


@dataclass(frozen=True, kw_only=True, slots=True)
class Edit:
    """What a pull request changes in budgets.yml; `budgets` is why not where it is not usable."""

    changes: tuple[LimitChange, ...]
    budgets: Budgets | str


def read_budgets(client: Client, path: str, ref: str) -> Budgets:
    """Return the budgets at a commit; the defaults where there is no such file.

    ConfigError when the file has mistakes.
    """
    return parse_budgets(path, _read(client, path, ref))


def read_edit(client: Client, path: str, *, old_ref: str, new_ref: str) -> Edit | None:
    """Return what changes between two commits; None if nothing does. The new text is not trusted.

    GitHub follows a link to the file that it leads to. Of a pull request's own mistakes only how
    many there are is said.
    """
    old = _read(client, path, old_ref)
    try:
        new = _read(client, path, new_ref)
        budgets = parse_budgets(path, new)
    except ConfigError as error:
        return Edit(changes=(), budgets=error.message)
    except GithubError as error:
        if error.status != TOO_LARGE:
            raise
        return Edit(changes=(), budgets=error.message)
    if old == new:
        return None
    return Edit(changes=limit_changes(_parse(path, old), budgets), budgets=budgets)


def _parse(path: str, text: bytes) -> Budgets:
    try:
        return parse_budgets(path, text)
    except ConfigError:  # mended by this very change, maybe
        return parse_budgets(path, NO_FILE)


def _read(client: Client, path: str, ref: str) -> bytes:
    try:
        return client.download(f"contents/{quote(path)}", accept=RAW, most_bytes=MAX_BYTES, ref=ref)
    except GithubError as error:
        if error.status in GONE:
            return NO_FILE
        raise
