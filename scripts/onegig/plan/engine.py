"""The same stack under another engine: Docker tuned to take less, or Podman.

Podman starts each container by itself: only conmon stays beside it, and health checks are started
by systemd, each as a process of Podman's. Its Docker-compatible API runs while it has clients.
"""

import json
from collections.abc import Iterator, Mapping
from typing import Any

from onegig.model.budgets import Metric
from onegig.model.engines import TUNED_ENVIRONMENT, TUNED_SETTINGS, EngineKind
from onegig.model.measured import Missing
from onegig.model.memory import EnginePart
from onegig.model.plan import Action, Basis, Change, ChangeKind, Letter, Loss, Saving
from onegig.plan.case import Case
from onegig.plan.podman import find_lacks

TUNED, PODMAN = "engine:tuned", "engine:podman"
KIB = 1024
# Measured with the reference stack on a twin of 968 MB (Debian 13, Podman 5.4.2): docs/plan.md.
CONMON_BYTES = 420 * KIB  # of memory that one conmon does not share
CONMON_KERNEL_BYTES = 250 * KIB  # the kernel's memory for it
DNS_BYTES = 3000 * KIB  # aardvark-dns, one for all networks
CHECK_BYTES = 34 * 1024 * KIB  # podman, conmon and crun of one health check
TUNED_SHARE = 0.05  # of the engine's memory that GOGC saves
_SPREAD = 0.2  # of a saving, either way
_TUNED = f"""\
sudo tee /etc/docker/daemon.json <<'END'
{json.dumps(TUNED_SETTINGS, indent=2)}
END
sudo mkdir -p /etc/systemd/system/docker.service.d
sudo tee /etc/systemd/system/docker.service.d/memory.conf <<'END'
[Service]
Environment={" ".join(f"{name}={value}" for name, value in TUNED_ENVIRONMENT.items())}
END
sudo systemctl daemon-reload
sudo systemctl restart docker
"""
_PODMAN = """\
sudo apt-get install --yes podman crun aardvark-dns catatonit
sudo systemctl disable --now docker.socket docker.service containerd.service
sudo mkdir -p /etc/systemd/system/podman-restart.service.d
sudo tee /etc/systemd/system/podman-restart.service.d/unless-stopped.conf <<'END'
[Service]
ExecStart=/usr/bin/podman start --all --filter restart-policy=unless-stopped
ExecStop=/usr/bin/podman stop --all --filter restart-policy=unless-stopped
END
sudo systemctl enable --now podman.socket podman-restart.service
export DOCKER_HOST=unix:///run/podman/podman.sock
docker compose up -d
"""


def other_engines(case: Case) -> Iterator[Action]:
    """Yield Docker tuned and Podman, where Docker was measured as it is."""
    parts = {part.name: part for part in case.memory.engine}
    if case.memory.engine_kind is EngineKind.DOCKER and "dockerd" in parts:
        yield _tuned(parts)
        yield _podman(case, parts)


def _tuned(parts: Mapping[str, EnginePart]) -> Action:
    proxies = parts["proxy"].pss_bytes if "proxy" in parts else 0
    daemons = sum(
        parts[name].pss_bytes for name in ("dockerd", "containerd", "shim") if name in parts
    )
    return Action(
        id=TUNED,
        option=Letter.ENGINE,
        title="Tune Docker: no userland proxy, live restore, earlier garbage collection",
        saving=_saving(proxies + round(daemons * TUNED_SHARE), low=proxies),
        cost="logs are in Docker's own format; the engine collects garbage more often",
        loss=Loss.COMFORT,
        changes=(Change(kind=ChangeKind.COMMANDS, text=_TUNED),),
        excludes=(PODMAN,),
    )


def _podman(case: Case, parts: Mapping[str, EnginePart]) -> Action:
    lacks = () if isinstance(case.stack, Missing) else find_lacks(_services(case))
    return Action(
        id=PODMAN,
        option=Letter.ENGINE,
        title="Run the stack under Podman (conmon and crun) instead of Docker",
        saving=_saving(_podman_saving(case, parts)),
        cost="; ".join(("images are pulled or built again", *lacks)),
        loss=Loss.FEATURE,
        changes=(Change(kind=ChangeKind.COMMANDS, text=_PODMAN),),
        excludes=(TUNED, "engine:shim"),
    )


def _podman_saving(case: Case, parts: Mapping[str, EnginePart]) -> int:
    """Return what all of Docker's processes take, less what Podman's would."""
    memory = case.memory
    containers = sum(service.containers for service in memory.services)
    checked = not isinstance(case.stack, Missing) and any(
        service.has_healthcheck for service in case.stack.services
    )
    conmon = CONMON_BYTES
    saved = sum(part.pss_bytes for part in parts.values())
    if case.budgets.memory.metric in (Metric.COST, Metric.CHARGED):
        own = sum(service.kernel_bytes for service in memory.services)
        saved += max(0, memory.box.kernel_bytes - own)
        conmon += CONMON_KERNEL_BYTES
    return saved - containers * conmon - DNS_BYTES - CHECK_BYTES * checked


def _services(case: Case) -> Mapping[str, Any]:
    assert not isinstance(case.stack, Missing)  # noqa: S101 - the caller looked
    return json.loads(case.stack.config_json).get("services") or {}


def _saving(saved: int, low: int | None = None) -> Saving:
    spread = round(abs(saved) * _SPREAD)
    return Saving(
        bytes=saved,
        low_bytes=saved - spread if low is None else low,
        high_bytes=saved + spread,
        basis=Basis.PREDICTED,
        source="the engine's memory, and what the other engine took for the reference stack",
    )
