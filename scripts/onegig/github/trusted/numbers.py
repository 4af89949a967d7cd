"""The artifact of a run: which one, whether it is this attempt's, and what is in it."""

from collections.abc import Iterator, Mapping
from datetime import datetime
from hashlib import sha256
from typing import Any

from onegig.errors import ArtifactError, GithubError
from onegig.github.client import Client
from onegig.github.trusted.artifact import MOST_BYTES, Numbers, read_artifact
from onegig.github.trusted.runs import PULL_REQUEST, SUCCESS, GateRun
from onegig.model.measured import Unknown

ARTIFACT = "onegig-numbers"
GONE = (404, 410)
MOST_ARTIFACTS = 1000


def fetch_numbers(
    client: Client, run: GateRun, name: str = ARTIFACT, *, trigger: str = PULL_REQUEST
) -> Numbers | Unknown:
    """What the run that `trigger` started measured; Unknown where it left nothing.

    ArtifactError when it left something that is refused: that is never the same as nothing.
    """
    found = list(_of_this_attempt(client, run, name))
    if not found:
        return Unknown(reason=_left_nothing(run))
    newest = max(found, key=lambda one: int(one["id"]))
    if newest["expired"]:
        return Unknown(reason="the gate's numbers have expired: run it again")
    data = _download(client, newest)
    if data is None:
        return Unknown(reason="the gate's numbers have been deleted: run it again")
    numbers = read_artifact(data)
    _check_claim(numbers, run, trigger)
    return numbers


def _of_this_attempt(client: Client, run: GateRun, name: str) -> Iterator[Mapping[str, Any]]:
    """Artifacts of that name; those of earlier attempts stay listed, but are no news."""
    started = datetime.fromisoformat(run.started)
    listed = client.pages(
        f"actions/runs/{run.id}/artifacts", key="artifacts", most=MOST_ARTIFACTS, name=name
    )
    for artifact in listed:
        created = artifact["created_at"]
        if artifact["name"] == name and created and datetime.fromisoformat(created) >= started:
            yield artifact


def _download(client: Client, artifact: Mapping[str, Any]) -> bytes | None:
    """The zip; None when it is gone."""
    if artifact["size_in_bytes"] > MOST_BYTES:
        raise ArtifactError(
            f"the numbers of this run are refused: they are larger than {MOST_BYTES:,} bytes",
            advice="nothing of them was used; run the gate again, and look at its log",
        )
    try:
        data = client.download(f"actions/artifacts/{artifact['id']}/zip", most_bytes=MOST_BYTES)
    except GithubError as error:
        if error.status in GONE:
            return None
        raise
    digest = artifact.get("digest")
    if digest and digest != f"sha256:{sha256(data).hexdigest()}":
        raise ArtifactError(
            "the numbers of this run are refused: they are not those that were uploaded",
            advice="run this job again",
        )
    return data


def _check_claim(numbers: Numbers, run: GateRun, trigger: str) -> None:
    claim = numbers.run
    if claim.head_sha != run.head_sha or claim.event != trigger:
        raise ArtifactError(
            "the numbers of this run are refused: run.json speaks of another commit or event",
            advice="nothing of them was used; run the gate again, and look at its log",
        )


def _left_nothing(run: GateRun) -> str:
    if run.conclusion == SUCCESS:
        return "the gate ended as success, but left no numbers"
    return f"the gate ended as {run.conclusion} before it measured"
