"""The doors between onegig's rooms: who may know the container engine, the box and the outside."""

import ast
from functools import cache
from pathlib import Path

import onegig

ROOT = Path(onegig.__file__).parent
MODULES = sorted(str(path.relative_to(ROOT)) for path in ROOT.rglob("*.py"))
PURE = ("model", "judge", "plan", "report")
BOOTS = "plan/verify.py"  # the only module of a pure room that may have effects
EFFECTS = {"subprocess", "requests", "urllib3", "socket", "time", "random", "os", "docker"}
EFFECTS |= {"http", "tempfile", "shutil", "secrets", "psutil", "threading", "asyncio"}
CLOCK = {"now", "today", "utcnow"}
BOX = {f"onegig.machine.{name}" for name in ("box", "nesting", "project", "start")}
BOX |= {"onegig.machine.subnets", "onegig.machine.watch"}


@cache
def parse(module: str) -> ast.Module:
    return ast.parse((ROOT / module).read_text(encoding="utf-8"))


def imported(tree: ast.AST) -> set[str]:
    """Return the full names of everything a module imports, inside functions, too."""
    names: set[str] = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            names |= {node.module, *(f"{node.module}.{alias.name}" for alias in node.names)}
    return names


def docker_commands(tree: ast.AST) -> list[int]:
    """Return the lines where a command begins with the word docker."""
    starred = [node.value for node in ast.walk(tree) if isinstance(node, ast.Starred)]
    tuples = [node for node in starred if isinstance(node, ast.Tuple)]
    lists = [node for node in ast.walk(tree) if isinstance(node, ast.List)]
    firsts = [node.elts[0] for node in (*lists, *tuples) if len(node.elts) > 1]
    return [n.lineno for n in firsts if isinstance(n, ast.Constant) and n.value == "docker"]


def clock_calls(tree: ast.AST) -> set[str]:
    calls = (node.func for node in ast.walk(tree) if isinstance(node, ast.Call))
    return {call.attr for call in calls if isinstance(call, ast.Attribute)} & CLOCK


def room_of(module: str) -> str:
    return Path(module).parts[0].removesuffix(".py")


def test_only_the_engine_room_knows_docker() -> None:
    others = [module for module in MODULES if room_of(module) != "engine"]
    assert [m for m in others if any(n.split(".")[0] == "docker" for n in imported(parse(m)))] == []
    assert {m: lines for m in others if (lines := docker_commands(parse(m)))} == {}


def test_only_the_machine_room_knows_the_box() -> None:
    others = [module for module in MODULES if room_of(module) != "machine"]
    assert [module for module in others if imported(parse(module)) & BOX] == []


def test_pure_rooms_have_no_effects() -> None:
    modules = [m for m in MODULES if room_of(m) in PURE and m != BOOTS]
    assert {room_of(module) for module in modules} == set(PURE)
    found = {m: {n.split(".")[0] for n in imported(parse(m))} & EFFECTS for m in modules}
    assert {m: effects for m, effects in found.items() if effects} == {}
    assert [module for module in modules if clock_calls(parse(module))] == []


def test_no_measuring_room_imports_what_judges_or_renders() -> None:
    later = {f"onegig.{room}" for room in ("judge", "plan", "report", "github", "commands")}
    early = [m for m in MODULES if room_of(m) in ("model", "engine", "machine", "memory")]
    named = {m: {".".join(n.split(".")[:2]) for n in imported(parse(m))} for m in early}
    assert {m: names & later for m, names in named.items() if names & later} == {}


def test_no_rooms_import_each_other_in_a_circle() -> None:
    rooms = {room_of(module) for module in MODULES} - {"__init__"}
    edges: dict[str, set[str]] = {room: set() for room in rooms}
    for module in MODULES:
        names = [n.split(".")[1] for n in imported(parse(module)) if n.startswith("onegig.")]
        edges.setdefault(room_of(module), set()).update(rooms.intersection(names))
    reached = {room: set(edges[room]) for room in rooms}
    for _ in rooms:
        for room in rooms:
            reached[room] = reached[room].union(*(edges[other] for other in reached[room]))
    circles = {(a, b) for a in rooms for b in reached[a] if a < b and a in reached[b]}
    assert circles == set()


def test_every_door_would_notice() -> None:
    hidden = ast.parse("def f():\n    from subprocess import run\n    import docker.errors")
    assert imported(hidden) == {"subprocess", "subprocess.run", "docker.errors"}
    commands = ast.parse('["docker", "ps"]; x = [*("docker", y)]; {"docker": 1}; ("docker", 1)')
    assert docker_commands(commands) == [1, 1]
    assert clock_calls(ast.parse("datetime.now()")) == {"now"}
