"""Advice for a NO-GO: the concrete cause of each failure, the largest offenders first."""

from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Literal

from onegig.judge.redis import audits
from onegig.judge.services import find_largest, has_own_limit
from onegig.model.images import Dive, Image
from onegig.model.measured import Missing
from onegig.model.memory import MemoryReport
from onegig.model.redis import RedisAudit
from onegig.model.report import Report
from onegig.model.service import ServiceMemory, ServiceState
from onegig.model.state import State
from onegig.model.verdict import Check
from onegig.report import accounts, comparison, numbers, view

MOST = 6  # steps
ALIKE = 2  # steps of one kind
NAMED = 2  # services named as a cause
_ENDINGS = {ServiceState.REFUSED: "could not be started", ServiceState.CRASHED: "crashed"}


@dataclass(frozen=True, kw_only=True, slots=True)
class Step:
    """One thing to do. `quoted` is an instruction or a path that ends the sentence.

    `fix` is the first change that would do so, `fix_place` the line of the Dockerfile to change.
    """

    text: str
    quoted: str = ""
    place: str = ""  # where the limit is written
    fix: str = ""
    fix_place: str = ""


def steps(report: Report) -> tuple[Step, ...]:
    """Return a few steps, those for new failures first; none unless it is a NO-GO."""
    kinds: Counter[str] = Counter()
    chosen: dict[str, Step] = {}
    for check in (problem.check for problem in view.problems(report)):
        make = _MAKERS.get(check.id)
        if check.state is not State.NO_GO or make is None or kinds[check.id] >= ALIKE:
            continue
        step = make(report, check)
        if step:
            kinds[check.id] += 1
            chosen.setdefault(step.text, step)
    return tuple(chosen.values())[:MOST]


def _total(report: Report, check: Check) -> Step:
    """Name the services that grew against the baseline, or else the largest."""
    grown = comparison.grown(report, "memory")[:NAMED]
    causes = [_growth(service, service.name, numbers.memory, report) for service in grown]
    if not causes:
        services = report.memory.services if isinstance(report.memory, MemoryReport) else ()
        largest = sorted(services, key=lambda service: -service.cost_bytes)[: NAMED + 1]
        sizes = [f"{top.name} ({numbers.memory(top.cost_bytes)})" for top in largest]
        branch = comparison.branch(report)
        compared = comparison.comparison(report)
        unchanged = f"no service grew against {branch}; " if compared else ""
        are = "are" if len(sizes) > 1 else "is"
        causes = [f"{unchanged}the largest {are} {', '.join(sizes)}"]
    return Step(text=f"Free {_over(check)}: {', '.join(causes)}", place=_place(check))


def _growth(
    service: comparison.Grown, name: str, size: Callable[[int], str], report: Report
) -> str:
    if service.before is None:
        return f"{name} is new and takes {size(service.now)}"
    before = size(service.before).removesuffix(" MB")
    return f"{name} grew from {before} to {size(service.now)} against {comparison.branch(report)}"


def _service(report: Report, check: Check) -> Step:
    since = _since(report, check, "memory", numbers.memory)
    return Step(
        text=f"Reduce the memory of {check.subject} by {_over(check)}{since}", place=_place(check)
    )


def _since(
    report: Report, check: Check, what: Literal["memory", "image"], size: Callable[[int], str]
) -> str:
    """Return the growth of the check's subject, if any."""
    grown = (service for service in comparison.grown(report, what) if service.name == check.subject)
    return "".join(f": {_growth(service, 'it', size, report)}" for service in grown)


def _state(report: Report, check: Check) -> Step | None:
    """Name the limit that killed the service; for other failures, say where to look."""
    memory, name = report.memory, check.subject
    services = () if isinstance(memory, Missing) else memory.services
    service = next((entry for entry in services if entry.name == name), None)
    if service is None or isinstance(memory, Missing) or service.state is ServiceState.WAITING:
        return None
    if service.state is ServiceState.OOM_KILLED or service.oom_kills:
        return _killed(memory, service, check)
    look = "its last lines are below" if service.log_tail.strip() else "it left no log"
    if service.state is ServiceState.REFUSED:
        look = "the engine's reason is above"
    return Step(text=f"Fix {name}, which {_ENDINGS.get(service.state, 'is unhealthy')}: {look}")


def _killed(memory: MemoryReport, service: ServiceMemory, check: Check) -> Step:
    name = service.name
    if has_own_limit(service):
        text = f"Make {name} smaller or raise its own limit, which it reached when it was killed"
        return Step(text=text, place=_place(check))
    largest, most = find_largest(memory) or (service, 0)
    took = f"it took {numbers.memory(most)}"
    full = f"when the machine was full ({numbers.memory(memory.box.cap_bytes, down=True)})"
    if largest is service:
        return Step(text=f"Make {name} smaller: {took} and was killed {full}")
    return Step(text=f"Make {largest.name} smaller: {took} {full} and {name} was killed")


def _boot(report: Report, check: Check) -> Step | None:
    """Start fewer at once if the start itself filled the machine, else make it smaller."""
    memory = report.memory
    if isinstance(memory, Missing):
        return None
    start, peak = memory.start, memory.boot
    if not isinstance(start, Missing) and start.crowded:
        names = " ".join(service.name for service in memory.services[: start.parallel])
        text = f"Start {start.parallel} services at a time, or chain them with depends_on:"
        return Step(text=text, quoted=f"docker compose up -d {names}")
    causes = () if isinstance(peak, Missing) else peak.causes
    name = next((name for name, _ in causes if name != "engine"), "")
    if not name:
        return Step(text=f"Start fewer containers at once, or free {_over(check)}")
    text = f"Make {name} smaller while the stack starts, or start it before the others"
    return Step(text=text, place=_place(check))


def _squeeze(report: Report, _check: Check) -> Step | None:
    """Name the largest service, and the room that there is."""
    memory = report.memory
    if isinstance(memory, Missing) or isinstance(memory.squeeze, Missing) or not memory.services:
        return None
    largest = max(memory.services, key=lambda service: service.cost_bytes)
    takes = f"it takes {numbers.memory(largest.cost_bytes)}"
    machine = memory.squeeze.machine or "the machine"
    room = numbers.memory(memory.squeeze.room_bytes, down=True)
    text = f"Make {largest.name} smaller, or choose a larger machine (tier): {takes}"
    return Step(text=f"{text}, {machine} leaves {room} to engine and stack")


def _image(report: Report, check: Check) -> Step | None:
    """Name the layer of the image that is to blame, and how the image grew."""
    image = _image_of(report, check)
    since = _since(report, check, "image", numbers.storage)
    text = f"Make the image of {check.subject} smaller by {_over(check)}{since}"
    return _with_layer(report, image, text, check) if image else None


def _images(report: Report, check: Check) -> Step | None:
    """Name the image that grew most, else the largest, and its layer."""
    grown = comparison.grown(report, "image")[:1]
    image = next(iter(accounts.images_of(report.images)), None)
    text = f"Make the images smaller by {_over(check)}"
    for most in grown:
        image = accounts.images_by_service(report.images).get(most.name)
        text += f": {_growth(most, f'that of {most.name}', numbers.storage, report)}"
    if image and not grown:
        text += f": the largest is that of {(*image.services, image.reference)[0]}"
    return _with_layer(report, image, text, check) if image else None


def _with_layer(report: Report, image: Image, text: str, check: Check) -> Step:
    """Name the change to make in the image: the largest fix, or else its largest layer."""
    fix = accounts.largest_fix(image)
    if fix is not None:
        text = f"{text}; {numbers.storage(fix.bytes)} can go:"
        return Step(text=text, place=_place(check), fix=fix.text, fix_place=fix.place)
    images = accounts.images_of(report.images)
    uses = Counter(layer.chain_id for entry in images for layer in entry.layers)
    own = [layer for layer in image.layers if uses[layer.chain_id] == 1]
    layer = max(own or image.layers, key=lambda layer: layer.size_bytes, default=None)
    if layer is None:
        return Step(text=text, place=_place(check))
    text = f"{text}; its largest layer takes {numbers.storage(layer.size_bytes)}:"
    return Step(text=text, quoted=layer.instruction, place=_place(check))


def _wasted(report: Report, check: Check) -> Step | None:
    image = _image_of(report, check)
    if image is None or not isinstance(image.dive, Dive) or not image.dive.worst:
        return None
    worst = image.dive.worst[0]
    copies = f"{worst.copies:,} copies, {numbers.storage(worst.bytes)}"
    text = f"Write each file in the image of {check.subject} only once: {copies} of"
    return Step(text=text, quoted=worst.path, place=_place(check))


def _dead(report: Report, check: Check) -> Step | None:
    """Name the largest part of the dead bytes, and its fix if there is one."""
    image = _image_of(report, check)
    if image is None or isinstance(image.accounting, Missing):
        return None
    account, of_base = image.accounting, check.id == "image.base_dead"
    worst = next((dead for dead in account.dead if account.is_of_base(dead) is of_base), None)
    if worst is None:
        return None
    whose = f"the image of {check.subject}"
    if of_base:
        text = f"Choose a base with {_over(check)} fewer dead bytes for {whose}"
        return Step(text=text, place=_place(check))
    fix = accounts.fix_of(account, worst)
    text = f"Remove {_over(check)} of dead bytes from {whose}:"
    if fix is not None:
        return Step(text=text, place=_place(check), fix=fix.text, fix_place=fix.place)
    size = numbers.storage(worst.bytes)
    text += f" {size} of layer {worst.layer + 1} are {worst.fate.value} by"
    return Step(text=text, quoted=image.layers[worst.killer].instruction, place=_place(check))


def _dockerfile(report: Report, check: Check) -> Step | None:
    files = () if isinstance(report.images, Missing) else report.images.dockerfiles
    for file in files:
        if check.subject in (file.path, *file.services) and file.counted:
            worst = file.counted[0]
            place = f"{worst.path}:{worst.line}"
            text = f"Fix {file.path}:"
            return Step(text=text, place=_place(check), fix=worst.text, fix_place=place)
    return None


def _image_of(report: Report, check: Check) -> Image | None:
    """Return the image a check is about: of a service, or by its reference."""
    images = accounts.images_of(report.images)
    matches = (image for image in images if check.subject in (*image.services, image.reference))
    return next(matches, None)


def _place(check: Check) -> str:
    """Return where the limit is written; a default is written nowhere."""
    return "" if check.where == "default" else check.where


def _over(check: Check) -> str:
    return numbers.check_headroom(check).removesuffix(" over")


def _leak(_: Report, check: Check) -> Step:
    """Name the service that leaks."""
    name = "the service that grows" if check.subject == "stack" else check.subject
    return Step(text=f"Find out what {name} never frees, or limit its caches", place=_place(check))


def _redis(report: Report, check: Check) -> Step:
    """Name the technique that saves most, where the audit knows one."""
    text = f"Bring the data in {check.subject} down by {_over(check)}"
    memory = report.memory
    for each in audits(() if isinstance(memory, Missing) else memory.redis):
        audit = each.audit
        if each.service == check.subject and isinstance(audit, RedisAudit):
            savings = () if isinstance(audit.savings, Missing) else audit.savings
            best = max(savings, key=lambda saving: saving.saved_bytes, default=None)
            if best is not None:
                saved = numbers.memory(best.saved_bytes, down=True)
                text = f"{text}; {saved} can go:"
                return Step(text=text, fix=best.advice, place=_place(check))
    return Step(text=text, place=_place(check))


def _reboot(_: Report, _check: Check) -> Step:
    """Advise on a start without compose's order."""
    text = "Let each service wait for its own dependencies, or free memory"
    return Step(text=f"{text}: after a reboot the engine starts everything at once")


_MAKERS: Mapping[str, Callable[[Report, Check], Step | None]] = {
    "memory.total": _total,
    "memory.boot": _boot,
    "memory.squeeze": _squeeze,
    "memory.reboot": _reboot,
    "redis.memory": _redis,
    "memory.max_growth": _total,
    "service.memory": _service,
    "service.max_growth": _service,
    "memory.growth": _leak,
    "service.growth": _leak,
    "service.state": _state,
    "service.image": _image,
    "image.max_growth": _image,
    "images.total": _images,
    "disk.total": _images,
    "image.efficiency": _wasted,
    "image.wasted": _wasted,
    "image.user_wasted": _wasted,
    "image.dead": _dead,
    "image.base_dead": _dead,
    "image.dockerfile": _dockerfile,
}
