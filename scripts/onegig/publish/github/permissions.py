"""Which `permissions:` a request needs, as the YAML that grants them to GITHUB_TOKEN."""

import re

GRANTABLE = (  # what `permissions:` of a workflow may name and this program could need
    *("actions", "attestations", "checks", "contents", "deployments", "discussions", "id-token"),
    *("issues", "models", "packages", "pages", "pull-requests", "security-events", "statuses"),
)
_ALWAYS = "metadata"  # every token may read it
_READ = ("GET", "HEAD")
_NEEDS = (  # by path below the repository, for answers that do not say it themselves
    (r"actions/permissions\b", "administration"),
    (r"branches/[^/]+/protection\b", "administration"),
    (r"issues(/\d+|/comments/.*|/\d+/comments)?$", "pull-requests"),
    (r"pulls\b", "pull-requests"),
    (r"commits/[^/]+/(check-runs|check-suites)$", "checks"),
    (r"(check-runs|check-suites)\b", "checks"),
    (r"commits/[^/]+/status(es)?$", "statuses"),
    (r"statuses/", "statuses"),
    (r"actions/", "actions"),
    (r"", "contents"),
)
READ_ONLY = (
    "in a run for a fork's or Dependabot's pull request the token is read-only whatever the YAML "
    "says: comment.yml, which runs on workflow_run, is the one to write"
)


def missing_permissions(accepted: str, method: str, path: str) -> dict[str, str]:
    """Such as {"pull-requests": "write"}.

    `accepted` is the header x-accepted-github-permissions, like "issues=write; pull_requests=write"
    (either) or "contents=write,workflows=write" (both); where it is empty, `method` and `path` (as
    in `Client`) tell.
    """
    choices = [_parse(choice) for choice in accepted.split(";")]
    choices = [choice for choice in choices if choice]
    if not choices:
        need = next(name for pattern, name in _NEEDS if re.match(pattern, path))
        return {need: "read" if method in _READ else "write"}
    return next((choice for choice in choices if "pull-requests" in choice), choices[0])


def advice(accepted: str, method: str, path: str) -> str:
    """What to change so that the request will be allowed, to the letter."""
    needed = missing_permissions(accepted, method, path)
    grantable = {name: level for name, level in needed.items() if name in GRANTABLE}
    others = [f"{name}: {level}" for name, level in needed.items() if name not in GRANTABLE]
    words = []
    if grantable:
        lines = "".join(f"\n      {name}: {level}" for name, level in grantable.items())
        words.append(f"add to the job in the workflow file:\n\n    permissions:{lines}\n")
    if others:
        words.append(
            f"no `permissions:` grant GITHUB_TOKEN {' and '.join(others)}: use the token of a "
            "person or an app that has it"
        )
    if "write" in grantable.values():
        words.append(f"({READ_ONLY})")
    return "\n".join(words)


def _parse(choice: str) -> dict[str, str]:
    pairs = re.findall(r"([a-z_]+)\s*=\s*(read|write|admin)\b", choice)
    return {name.replace("_", "-"): level for name, level in pairs if name != _ALWAYS}
