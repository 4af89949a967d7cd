"""Compose files made at random, with what a loader must read from each.

Every service gets one of the ways to write an image, a number of replicas, a memory limit, a health
check, labels and dependencies, and a handful of options that change none of these.
"""

import random
from dataclasses import dataclass, field
from typing import Any

import yaml

Mapping = dict[str, Any]
NAMES = ("web", "api", "db", "cache", "worker", "cron", "proxy", "mail", "search", "auth")
MIB = 1024**2
PLAIN: Mapping = {
    "builds": False,
    "dockerfile": None,
    "replicas": 1,
    "has_healthcheck": False,
    "depends_on": (),
    "optional": False,
    "criticality": "",
    "memory_limit_bytes": None,
}

# Keys and ways to write them; none decides what a loader reads.
OPTIONS: dict[str, tuple[Any, ...]] = {
    "annotations": ({"a.b": "c"}, ["a.b=c"]),
    "cap_add": (["NET_ADMIN"], ["ALL"]),
    "cap_drop": (["ALL"],),
    "cgroup": ("host", "private"),
    "cgroup_parent": ("limited",),
    "command": ("sleep 1d", ["sleep", "1d"], [], None, "echo $$HOME ${UNSET_HERE:-x}"),
    "cpu_shares": (512, "512"),
    "cpuset": ("0", "0-3"),
    "devices": (["/dev/null:/dev/null0"], ["/dev/dri:/dev/dri:rwm"]),
    "dns": ("1.1.1.1", ["1.1.1.1", "8.8.8.8"]),
    "dns_search": ("example.org", ["example.org"]),
    "domainname": ("example.org",),
    "entrypoint": ("/entry.sh -v", ["/entry.sh"], None),
    "environment": ({"A": 1, "B": None, "C": True, "D": 0.5}, ["A=1", "B"], {}),
    "expose": ([80, "443"], ["8000-8010"]),
    "extra_hosts": (["a:10.0.0.1"], {"a": "10.0.0.1"}, ["host.docker.internal:host-gateway"]),
    "group_add": (["20", "audio"],),
    "hostname": ("host-1",),
    "init": (True, False, "true"),
    "ipc": ("host", "shareable", "private"),
    "logging": (
        {"driver": "none"},
        {"driver": "json-file", "options": {"max-size": "1m", "max-file": 3}},
    ),
    "mac_address": ("02:42:ac:11:00:03",),
    "mem_reservation": ("16m", 1048576),
    "mem_swappiness": (0, 60),
    "memswap_limit": ("2g", -1),
    "networks": (["front"], {"front": None, "back": {"aliases": ["x"]}}, {"back": {"priority": 5}}),
    "oom_kill_disable": (True, False),
    "oom_score_adj": (-500, 500),
    "pid": ("host",),
    "platform": ("linux/amd64", "linux/arm64/v8"),
    "ports": (["80"], [80], ["127.0.0.1:8080:80/tcp"], [{"target": 80, "published": "8080"}]),
    "privileged": (True, "false"),
    "pull_policy": ("always", "missing", "never"),
    "read_only": (True,),
    "restart": ("no", "always", "on-failure:3", "unless-stopped"),
    "runtime": ("runc", "nvidia"),
    "secrets": (["token"], [{"source": "token", "target": "t", "mode": 0o400}]),
    "configs": (["conf"], [{"source": "conf", "target": "/etc/conf"}]),
    "security_opt": (["no-new-privileges:true"], ["seccomp:unconfined"]),
    "shm_size": ("64m", 67108864),
    "stdin_open": (True,),
    "stop_grace_period": ("1m30s", "0s"),
    "stop_signal": ("SIGQUIT",),
    "sysctls": ({"net.core.somaxconn": 1024}, ["net.core.somaxconn=1024"]),
    "tmpfs": ("/tmp", ["/run", "/tmp:size=8m,mode=1777"]),
    "tty": (True,),
    "ulimits": ({"nproc": 65535}, {"nofile": {"soft": 1024, "hard": 2048}}),
    "user": ("1000:1000", "nobody"),
    "userns_mode": ("host",),
    "uts": ("host",),
    "volumes": (
        ["data:/data", "/srv/x:/x:ro", "./here:/here"],
        [{"type": "tmpfs", "target": "/t", "tmpfs": {"size": "1m"}}],
        [{"type": "volume", "source": "data", "target": "/d", "volume": {"nocopy": True}}],
        ["/var/run/docker.sock:/var/run/docker.sock"],
    ),
    "working_dir": ("/srv",),
    "x-note": ("free", {"any": ["thing"]}),
}
MEMORY_LIMITS = {
    **dict.fromkeys(("64m", "64M", "64mb"), 64 * MIB),
    **dict.fromkeys(("8388608", "8192k", "8388608b"), 8 * MIB),
    "1g": 1024 * MIB,
    "0.5g": 512 * MIB,
}
HEALTHCHECKS: tuple[tuple[Mapping, bool], ...] = (
    ({"test": "curl -f localhost"}, True),
    ({"test": ["CMD", "true"], "interval": "5s", "retries": 3}, True),
    ({"test": ["CMD-SHELL", "exit 0"], "start_period": "1m", "start_interval": "1s"}, True),
    ({"test": ["NONE"]}, False),
    ({"disable": True}, False),
    ({"interval": "1m"}, False),
)
LABELS: tuple[tuple[Any, bool, str], ...] = (
    ({"onegig.optional": "true"}, True, ""),
    ({"onegig.optional": True, "onegig.criticality": "low"}, True, "low"),
    (["onegig.optional=1", "traefik.enable=true"], True, ""),
    (["onegig.criticality=high"], False, "high"),
    ({"onegig.optional": "no", "n": 1, "empty": None}, False, ""),
)
# By aspect of a service, ways to write it: keys, and the fields that a loader must read from them.
ASPECTS: tuple[list[tuple[Mapping, Mapping]], ...] = (
    [
        (keys, {"replicas": count})
        for count in range(4)
        for keys in (
            {"scale": count},
            {"deploy": {"replicas": count}},
            {"deploy": {"replicas": str(count)}},
        )
    ],
    [
        (keys, {"memory_limit_bytes": limit_bytes})
        for text, limit_bytes in MEMORY_LIMITS.items()
        for keys in (
            {"mem_limit": text},
            {"deploy": {"resources": {"limits": {"memory": text, "cpus": "0.5", "pids": 64}}}},
        )
    ],
    [({"healthcheck": check}, {"has_healthcheck": counts}) for check, counts in HEALTHCHECKS],
    [
        ({"labels": labels}, {"optional": optional, "criticality": criticality})
        for labels, optional, criticality in LABELS
    ],
)


@dataclass(frozen=True, kw_only=True, slots=True)
class GeneratedFile:
    """A compose file, and by service that would start, the fields that a loader must read."""

    name: str
    text: str
    services: dict[str, Mapping]


@dataclass(kw_only=True, slots=True)
class _Draft:
    """A service under construction: its keys in the file, and what a loader must read."""

    name: str
    keys: Mapping = field(default_factory=dict)
    fields: Mapping = field(default_factory=lambda: dict(PLAIN))

    @property
    def starts(self) -> bool:
        return "profiles" not in self.keys and self.fields["replicas"] > 0


def generate_files(count: int, *, seed: int) -> tuple[GeneratedFile, ...]:
    """Return `count` files, the same ones for the same seed."""
    chance = random.Random(seed)
    return tuple(_generate_file(f"generated-{number:03}", chance) for number in range(count))


def _generate_file(name: str, chance: random.Random) -> GeneratedFile:
    drafts: list[_Draft] = []
    for service in chance.sample(NAMES, chance.randint(1, 5)):
        drafts.append(_draft_service(service, name, drafts, chance))
    # One service at least would start.
    image = {"image": "scratch"}
    drafts.append(_Draft(name="always", keys=image, fields=PLAIN | image))
    document = {
        "name": name,
        "services": {draft.name: draft.keys for draft in drafts},
        "networks": {"front": None, "back": {"internal": True}},
        "volumes": {"data": None},
        "secrets": {"token": {"environment": "TOKEN"}},
        "configs": {"conf": {"content": "a = 1\n"}},
    }
    if chance.random() < 0.2:
        document = {"version": chance.choice(("2", "3", "3.8")), **document}
    flow = chance.choice((None, False, True))
    text = yaml.safe_dump(document, sort_keys=False, default_flow_style=flow, width=100)
    started = {draft.name: draft.fields for draft in drafts if draft.starts}
    return GeneratedFile(name=name, text=text, services=started)


def _draft_service(name: str, project: str, earlier: list[_Draft], chance: random.Random) -> _Draft:
    draft = _Draft(name=name)
    _choose_image(draft, project, chance)
    for ways in ASPECTS:
        if chance.random() < 0.5:
            keys, fields = chance.choice(ways)
            draft.keys = _merge(draft.keys, keys)
            draft.fields |= fields
    _choose_dependencies(draft, earlier, chance)
    if chance.random() < 0.15:
        draft.keys["profiles"] = ["debug"]
    for option in chance.sample(sorted(OPTIONS), chance.randint(2, 9)):
        draft.keys.setdefault(option, chance.choice(OPTIONS[option]))
    if draft.keys.get("networks") is not None and chance.random() < 0.3:
        del draft.keys["networks"]
        draft.keys["network_mode"] = chance.choice(("host", "none", "bridge"))
    return draft


def _merge(keys: Mapping, more: Mapping) -> Mapping:
    nested = {
        key: _merge(keys[key], value)
        for key, value in more.items()
        if isinstance(value, dict) and key in keys
    }
    return {**keys, **more, **nested}


def _choose_image(draft: _Draft, project: str, chance: random.Random) -> None:
    image = chance.choice((f"example/{draft.name}:1", f"ghcr.io/example/{draft.name}", "redis"))
    build, dockerfile = chance.choice(
        (
            (None, None),
            (".", "Dockerfile"),
            ({"context": "app", "target": "x"}, "app/Dockerfile"),
            ({"context": "app", "dockerfile": "D"}, "app/D"),
        )
    )
    draft.fields |= {"builds": build is not None, "dockerfile": dockerfile}
    if build is not None:
        draft.keys["build"] = build
    if build is None or chance.random() < 0.4:
        draft.keys["image"] = draft.fields["image"] = image
    else:
        draft.fields["image"] = f"{project}-{draft.name}"


def _choose_dependencies(draft: _Draft, earlier: list[_Draft], chance: random.Random) -> None:
    """Depend on some of the earlier services; on those of inactive profiles as not required."""
    chosen = sorted(
        (service for service in earlier if chance.random() < 0.4), key=lambda service: service.name
    )
    if not chosen:
        return
    if chance.random() < 0.5 and not any("profiles" in service.keys for service in chosen):
        draft.keys["depends_on"] = [service.name for service in chosen]
    else:
        conditions = ("service_started", "service_healthy", "service_completed_successfully")
        draft.keys["depends_on"] = {
            service.name: {
                "condition": chance.choice(conditions),
                "required": "profiles" not in service.keys,
            }
            for service in chosen
        }
    draft.fields["depends_on"] = tuple(service.name for service in chosen if service.starts)
