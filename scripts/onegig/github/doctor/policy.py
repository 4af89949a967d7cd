"""Whether a repository lets the workflows' actions run, those inside of other actions included."""

from collections.abc import Iterator, Mapping
from fnmatch import fnmatchcase

from onegig.github.doctor.action import inside_onegigs
from onegig.github.doctor.checkout import Checkout
from onegig.github.doctor.findings import Finding, good, must, unknown
from onegig.github.doctor.hosted import ActionsPolicy, Hosted
from onegig.github.doctor.workflow import is_remote
from onegig.model.measured import Missing, Unknown

OF_GITHUB = ("actions/", "github/")
SHA_LENGTH = 40
Used = Mapping[str, str]  # actions of other repositories; the action that each is inside of, or ""


def actions_policy(checkout: Checkout, hosted: Hosted) -> Iterator[Finding]:
    """Findings about which actions may run, and whether they must be pinned."""
    policy, page = hosted.policy, f"{hosted.page}/settings/actions"
    if isinstance(policy, Unknown):
        yield unknown("whether Actions may run", policy.reason)
        return
    if not policy.enabled:
        yield must(
            "Actions are switched off in this repository",
            f"gh api --method PUT repos/{hosted.repository}/actions/permissions "
            f"--field enabled=true --field allowed_actions=all\n(or {page})",
        )
        return
    used = used_actions(checkout)
    yield from _refused(policy, used, hosted)
    loose = [one for one in used if "@" in one and len(one.partition("@")[2]) != SHA_LENGTH]
    if policy.sha_pinning and loose:
        yield must(
            f"the repository wants actions pinned by commit, and these are not: "
            f"{_listed(loose, used)}",
            "write the 40 digits of the commit after @",
        )


def used_actions(checkout: Checkout) -> Used:
    """All that the gate and the comment run; without @ where it is not known at which commit."""
    found: dict[str, str] = {}
    for path in (checkout.gate, checkout.comment):
        if path not in checkout.workflows:
            continue
        found |= dict.fromkeys(checkout.workflows[path].actions(), "")
        for action in checkout.actions[path]:
            for one in filter(is_remote, action.inside):
                found.setdefault(one, action.folder)
    inner = {one: outer for outer in found for one in inside_onegigs(outer)}
    return dict(sorted((inner | found).items()))


def _refused(policy: ActionsPolicy, used: Used, hosted: Hosted) -> Iterator[Finding]:
    page = f"{hosted.page}/settings/actions"
    if policy.allowed == "all":
        yield good("Actions are switched on, and all of them may run")
    elif isinstance(policy.selected, Unknown):
        yield unknown("which actions may run", policy.selected.reason)
    else:
        owner = hosted.repository.partition("/")[0]
        refused = [one for one in used if not _allowed(one, owner, policy.selected)]
        if refused:
            names = ",\n".join(dict.fromkeys(f"{one.partition('@')[0]}@*" for one in refused))
            yield must(
                f"the repository does not allow these actions: {_listed(refused, used)}",
                f"allow them at {page} (Allow select actions):\n{names}",
            )
        else:
            yield good("Actions are switched on, and those used here are allowed")


def _listed(actions: list[str], used: Used) -> str:
    return ", ".join(one + (f" (inside of {used[one]})" if used[one] else "") for one in actions)


def _allowed(action: str, owner: str, selected: Mapping[str, object] | Missing) -> bool:
    """Creators that GitHub has verified are not told from others: they need a pattern, too."""
    if action.startswith(f"{owner}/"):
        return True
    if not isinstance(selected, Mapping):
        return False
    if selected.get("github_owned_allowed") and action.startswith(OF_GITHUB):
        return True
    patterns = selected.get("patterns_allowed")
    listed = map(str, patterns) if isinstance(patterns, list) else ()
    return any(_matches(action, pattern) for pattern in listed)


def _matches(action: str, pattern: str) -> bool:
    known = pattern if "@" in action else pattern.partition("@")[0]
    return fnmatchcase(action, known)
