"""The same stack under another engine: Docker tuned to take less, or Podman.

Podman starts each container by itself: only conmon stays beside it, and health checks are started
by systemd, each as a process of Podman's. Its Docker-compatible API runs while it has clients.
"""

import json
from collections.abc import Iterator, Mapping

from onegig.model.budgets import Metric
from onegig.model.engines import TUNED_ENVIRONMENT, TUNED_SETTINGS, EngineKind
from onegig.model.memory import EnginePart
from onegig.model.plan import Action, Basis, Change, ChangeKind, Letter, Loss, Saving
from onegig.model.twin import MachineKind
from onegig.plan.case import Case
from onegig.plan.podman import find_lacks
from onegig.plan.shim import SHIM

TUNED, PODMAN = "engine:tuned", "engine:podman"
KIB, MIB = 1024, 1024**2
# Measured with the reference stack's 15 containers: Podman 5.4.2 on a twin (Debian 13), Docker 29
# tuned in a box; docs/plan.md has the table.
CONMON_BYTES = 390 * KIB  # PSS of one conmon
CONMON_KERNEL_BYTES = 600 * KIB  # the kernel's memory for a container, without the services' own
DNS_BYTES = 2300 * KIB  # aardvark-dns, one for all networks
CHECK_BYTES = 34 * MIB  # podman, conmon and crun of one health check
# What available memory falls by beyond what is counted: page cache of programs that come and go, of
# which the kernel takes only a part for available.
LOST_BYTES = 100 * MIB
TUNED_SHARE = 0.1  # of the daemons' memory, saved by GOGC; 0.05 where they were idle
DAEMONS = ("dockerd", "containerd")
_SPREAD = 0.2  # of a saving, either way
_TUNED = f"""\
# where there is a daemon.json already, this writes nothing: add these keys to it
sudo sh -c 'set -C; cat >/etc/docker/daemon.json' <<'END'
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
    daemons = sum(parts[name].pss_bytes for name in DAEMONS if name in parts)
    saved = proxies + round(daemons * TUNED_SHARE)
    return Action(
        id=TUNED,
        option=Letter.ENGINE,
        title="Tune Docker: no userland proxy, live restore, earlier garbage collection",
        saving=_saving(saved, spread=(saved - proxies) // 2),
        cost="logs are in Docker's own format; the engine collects garbage more often",
        loss=Loss.COMFORT,
        changes=(Change(kind=ChangeKind.COMMANDS, text=_TUNED),),
        excludes=(PODMAN,),
    )


def _podman(case: Case, parts: Mapping[str, EnginePart]) -> Action:
    return Action(
        id=PODMAN,
        option=Letter.ENGINE,
        title="Run the stack under Podman (conmon and crun) instead of Docker",
        saving=_saving(_podman_saving(case, parts)),
        cost="; ".join(("images are pulled or built again", *find_lacks(case.configs))),
        loss=Loss.FEATURE,
        changes=(Change(kind=ChangeKind.COMMANDS, text=_PODMAN),),
        excludes=(TUNED, SHIM),
    )


def _podman_saving(case: Case, parts: Mapping[str, EnginePart]) -> int:
    """Return what all of Docker's processes take, less what Podman's would."""
    memory = case.memory
    containers = sum(service.containers for service in memory.services)
    each, other = CONMON_BYTES, CHECK_BYTES
    saved = sum(part.pss_bytes for part in parts.values())
    if case.budgets.memory.metric is Metric.COST and memory.machine is MachineKind.TWIN:
        other = LOST_BYTES
    if case.budgets.memory.metric in (Metric.COST, Metric.CHARGED):
        saved += max(0, memory.box.kernel_bytes - sum(s.kernel_bytes for s in memory.services))
        each += CONMON_KERNEL_BYTES
    return saved - containers * each - DNS_BYTES - other


def _saving(saved: int, spread: int | None = None) -> Saving:
    spread = round(abs(saved) * _SPREAD) if spread is None else spread
    return Saving(
        bytes=saved,
        low_bytes=saved - spread,
        high_bytes=saved + spread,
        basis=Basis.PREDICTED,
        source="the engine's memory, and what the other engine took for the reference stack",
    )
