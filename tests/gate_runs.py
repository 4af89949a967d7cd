"""A pull request whose gate has run, on the stand-in: what the trusted half finds."""

import io
import json
import stat
import zipfile
from collections.abc import Callable, Mapping
from copy import deepcopy
from dataclasses import dataclass, replace
from functools import cache
from hashlib import sha256
from pathlib import Path
from typing import Any

from factories import MIB, SERVICES, make_images, make_memory, make_service
from github.bodies import repository_id
from github.description import NPM
from github.stand_in import StandIn
from github.state import Pull, Run, State
from onegig.github.trusted.plan import abridge
from onegig.github.trusted.poster import Outcome
from onegig.images.sharing import disk_bytes, own_bytes, users_by_chain
from onegig.memory.growth import find_trend
from onegig.model.codec import to_json
from onegig.model.images import Image, ImagesReport
from onegig.model.memory import MemoryReport
from onegig.model.plan import Plan
from onegig.model.report import RunReport
from onegig.model.service import Trend

HERE = "octo/stack"
FORK = "mallory/stack"
EXAMPLES = NPM / "@octokit/webhooks-examples/api.github.com/index.json"
GATE, COMMENT = ".github/workflows/gate.yml", ".github/workflows/comment.yml"
OWN_GATE = Path(__file__).parents[1] / GATE
BUDGETS = "version: 1\nmemory: {limit: 1024MB}\n"
TIGHT = "version: 1\nmemory: {limit: 300MB}\n"
LOOSE = "version: 1\nmemory: {limit: 4096MB}\n"
REGULAR = stat.S_IFREG | 0o644
Post = Callable[..., Outcome]
Open = Callable[..., "Scene"]

CLAIM = RunReport(
    event="pull_request",
    head_sha="a" * 40,
    measured_sha="b" * 40,
    base_sha="c" * 40,
    onegig_version="0.1.0",
    reproduce="onegig check",
)


@dataclass(kw_only=True, slots=True)
class Scene:
    """One pull request and the run of its gate."""

    stand_in: StandIn
    pull: Pull
    run: Run
    older: str  # a commit of main before that
    base: str  # the commit it was measured on top of
    merge: str

    @property
    def state(self) -> State:
        return self.stand_in.state

    def claim(self, **changes: Any) -> RunReport:
        """run.json as an honest gate writes it, but for `changes`."""
        run = RunReport(
            event="pull_request",
            head_sha=self.run.head_sha,
            measured_sha=self.merge,
            base_sha=self.base,
            onegig_version="0.1.0",
            reproduce="onegig check --tier aws-t2-micro",
        )
        return replace(run, **changes)

    def upload(self, content: bytes | None = None, **claims: Any) -> None:
        """The artifact of the run; without content an honest GO."""
        data = zipped(self.claim(**claims)) if content is None else content
        self.state.artifact(self.run, "onegig-numbers", data)

    def event(self, action: str = "completed", **changes: Any) -> dict[str, Any]:
        """The payload of `workflow_run`; `changes` are of the run."""
        return event(self.state, self.run, **changes) | {"action": action}

    def dispatch(self, pull: object = None, head: object = None, **run: Any) -> dict[str, Any]:
        """The payload of a maintainer's confirmation, whose run GitHub has recorded."""
        pull = self.pull.number if pull is None else pull
        head = self.pull.head_sha if head is None else head
        started = {
            "head_sha": self.state.branches["main"],
            "head_branch": "main",
            "event": "workflow_dispatch",
            "name": "comment",
            "path": COMMENT,
            "title": f"confirm #{pull} at {head}",
            "actor": "maintainer",
            "conclusion": None,
            "status": "in_progress",
        }
        self.state.run(**{**started, **run})
        payload = event(self.state, self.run)
        inputs = {"pull": str(pull), "head": str(head)}
        return {
            "repository": payload["repository"],
            "ref": "refs/heads/main",
            "workflow": COMMENT,
            "inputs": inputs,
        }

    def bodies(self) -> list[str]:
        """All comments of the pull request."""
        return [
            comment.body
            for comment in self.state.comments.values()
            if comment.issue == self.pull.number
        ]

    def only_body(self) -> str:
        """The one comment of the pull request."""
        (body,) = self.bodies()
        return body

    def status(self, name: str = "onegig") -> str:
        """What the newest status of the run's head says: "success: #7 into main: ..."."""
        result = [status for status in self.state.statuses if status.sha == self.run.head_sha]
        texts = [f"{entry.state}: {entry.description}" for entry in result if entry.context == name]
        return texts[-1] if texts else "none"

    def standing(self, name: str = "onegig") -> str:
        """The state of that."""
        return self.status(name).partition(":")[0]

    def rerun(self, rss_mib: float | None = None, **fields: Any) -> Run:
        """Another run for the pull request's present head, the scene's from now on."""
        self.run = self.state.run(self.pull, **fields)
        if rss_mib is not None:
            self.upload(zipped(self.claim(), memory=make_honest_memory(rss_mib)))
        return self.run

    def push(self, message: str = "Another") -> str:
        """A new head of the pull request."""
        self.pull.head_sha = self.state.commit(parents=(self.pull.head_sha,), message=message)
        return self.pull.head_sha


def open_scene(
    stand_in: StandIn,
    *,
    head_repository: str = FORK,
    files: Mapping[str, str] | None = None,
    modes: Mapping[str, str] | None = None,
    before: Mapping[str, str] | None = None,
    before_modes: Mapping[str, str] | None = None,
    **run: Any,
) -> Scene:
    """A pull request into main; `files` are the head's, `before` more of main's."""
    state = stand_in.state
    there = {"budgets.yml": BUDGETS, GATE: OWN_GATE.read_text(encoding="utf-8"), **(before or {})}
    older = state.commit(branch="main", message="Older")
    base = state.commit(there, branch="main", message="Budgets", modes=dict(before_modes or {}))
    changed = dict(files or {})
    head = state.commit(changed, parents=(base,), message="The change", modes=dict(modes or {}))
    merge = state.commit(changed, parents=(base, head), message="Merge", modes=dict(modes or {}))
    pull = state.pull(
        base_sha=base, head_sha=head, head_repository=head_repository, merge_sha=merge
    )
    return Scene(
        stand_in=stand_in,
        pull=pull,
        run=state.run(pull, **run),
        older=older,
        base=base,
        merge=merge,
    )


def event(state: State, run: Run, **changes: Any) -> dict[str, Any]:
    """GitHub's own example of the payload, about this run."""
    payload = deepcopy(_example())
    here = {"id": repository_id(state.repository), "full_name": state.repository}
    home = run.head_repository
    payload["workflow_run"] |= {
        "id": run.id,
        "run_number": run.number,
        "run_attempt": run.attempt,
        "run_started_at": run.started,
        "event": run.event,
        "path": run.path,
        "conclusion": run.conclusion,
        "head_sha": run.head_sha,
        "head_branch": run.head_branch,
        "head_repository": home and {"id": repository_id(home), "full_name": home},
        "repository": here,
        "pull_requests": [],
        "html_url": f"https://github.com/{state.repository}/actions/runs/{run.id}",
        **changes,
    }
    payload["repository"] |= {
        **here,
        "default_branch": state.default_branch,
        "html_url": f"https://github.com/{state.repository}",
    }
    return payload


@cache
def _example() -> dict[str, Any]:
    hooks = json.loads(EXAMPLES.read_text(encoding="utf-8"))
    examples = next(hook["examples"] for hook in hooks if hook["name"] == "workflow_run")
    example: dict[str, Any] = next(
        entry
        for entry in examples
        if entry["action"] == "completed" and entry["workflow_run"]["conclusion"] == "success"
    )
    return example


def make_honest_images() -> ImagesReport:
    """The factory's images, each with a layer of its own and with sums that fit."""
    report = make_images(SERVICES)
    images = [_own_layer(image) for image in report.images]
    users = users_by_chain([image.layers for image in images])
    summed = []
    for image in images:
        own = own_bytes(image.layers, users)
        compressed = sum(layer.compressed_bytes for layer in image.layers)
        summed.append(
            replace(
                image,
                own_bytes=own,
                shared_bytes=image.size_bytes - own,
                compressed_bytes=compressed,
            )
        )
    disk = disk_bytes([image.layers for image in images])
    return replace(report, images=tuple(summed), disk_bytes=disk)


def make_honest_memory(rss_mib: float | None = None) -> MemoryReport:
    """The factory's stack, which gives memory back; `rss_mib` is what every service takes."""
    held = [(at / 10, 90 * MIB - 9_000 * at + 4096 * (at * 7 % 13)) for at in range(150)]
    trend = find_trend(held)
    assert isinstance(trend, Trend)
    report = make_memory(
        [make_service(name, rss_mib or rss, trend=trend) for name, rss in SERVICES.items()]
    )
    return replace(report, box=replace(report.box, trend=trend))


def zipped(
    run: RunReport,
    images: ImagesReport | None = None,
    memory: MemoryReport | None = None,
    plan: Plan | None = None,
) -> bytes:
    """An artifact with the files of a run."""
    return zip_files(
        {
            "run.json": to_json(run),
            "images.json": to_json(images or make_honest_images()),
            "memory.json": to_json(memory or make_honest_memory()),
            **({"plan.json": to_json(abridge(plan))} if plan else {}),
        }
    )


def zip_files(files: Mapping[str, str | bytes]) -> bytes:
    """A zip as upload-artifact makes it."""
    target = io.BytesIO()
    with zipfile.ZipFile(target, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in files.items():
            entry = zipfile.ZipInfo(name)
            entry.compress_type = zipfile.ZIP_DEFLATED
            entry.external_attr = REGULAR << 16
            archive.writestr(entry, content)
    return target.getvalue()


def _own_layer(image: Image) -> Image:
    chain = f"sha256:{sha256(image.reference.encode()).hexdigest()}"
    return replace(image, layers=(*image.layers[:-1], replace(image.layers[-1], chain_id=chain)))
