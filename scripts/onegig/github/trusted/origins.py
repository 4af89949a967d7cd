"""For which base branch a run of the gate was started, as far as GitHub tells.

The workflow that runs is that of the merge into the base branch, and GitHub does not record which
one that was. So the numbers of a run are vouched for only where no other base was possible.
"""

from onegig.github.client import Client
from onegig.github.trusted.pulls import Pull

MOST_EVENTS, MOST_PULLS = 1000, 200
BASE_CHANGED = "base_ref_changed"


def last_base_change(client: Client, number: int) -> str:
    """Return when the base branch of a pull request was last changed, ISO 8601; "" if never."""
    events = client.pages(f"issues/{number}/events", most=MOST_EVENTS)
    times = (str(one["created_at"]) for one in events if one["event"] == BASE_CHANGED)
    return max(times, default="")


def other_origin(client: Client, pull: Pull) -> str:
    """Return why runs for the pull request's head may be another one's; "" if they can't be."""
    if pull.head_repository is None:
        return ""
    owner = pull.head_repository.name.partition("/")[0]
    listed = client.pages("pulls", most=MOST_PULLS, state="all", head=f"{owner}:{pull.head_branch}")
    for other in listed:
        number = int(other["number"])
        if number == pull.number or other["head"]["sha"] != pull.head_sha:
            continue
        if other["base"]["ref"] != pull.base.name or last_base_change(client, number):
            return f"#{number} has the same head, and the gate of its base may have measured"
    return ""
