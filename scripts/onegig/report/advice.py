"""What to do about a NO-GO: for each failure its concrete cause, the worst offenders first."""

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass

from onegig.judge.services import has_own_limit
from onegig.model.images import Dive, Image, Layer
from onegig.model.measured import Missing
from onegig.model.memory import MemoryReport, ServiceMemory, ServiceState
from onegig.model.report import Report
from onegig.model.state import State
from onegig.model.verdict import Check
from onegig.report import accounts, changes, view, words

MOST = 6  # steps
ALIKE = 2  # steps of one kind
NAMED = 2  # services named as a cause


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
    """A handful of steps, those for failures that are new first; none unless it is a NO-GO."""
    kinds: Counter[str] = Counter()
    found: dict[str, Step] = {}
    for problem in view.problems(report):
        check = problem.check
        make = _MAKERS.get(check.id)
        if check.state is not State.NO_GO or make is None or kinds[check.id] >= ALIKE:
            continue
        step = make(report, check)
        if step:
            kinds[check.id] += 1
            found.setdefault(step.text, step)
    return tuple(found.values())[:MOST]


def _total(report: Report, check: Check) -> Step:
    return Step(text=f"Free {_over(check)}: {_memory_cause(report)}", place=_place(check))


def _memory_cause(report: Report) -> str:
    """Who grew against the baseline; without one, or when nobody did, who is the largest."""
    grown = changes.grown_memory(report)
    if grown:
        told = (_grew(one, one.name, words.memory, report) for one in grown[:NAMED])
        return ", ".join(told)
    rows = sorted(view.service_rows(report), key=lambda row: -row.cost)[: NAMED + 1]
    largest = ", ".join(f"{row.name} ({words.memory(row.cost)})" for row in rows if row.memory)
    nobody = changes.comparison(report) and f"no service grew against {changes.branch(report)}; "
    return f"{nobody or ''}the largest are {largest}"


def _grew(one: changes.Grown, who: str, size: Callable[[int], str], report: Report) -> str:
    if one.before is None:
        return f"{who} is new and takes {size(one.now)}"
    before = size(one.before).removesuffix(" MB")
    return f"{who} grew from {before} to {size(one.now)} against {changes.branch(report)}"


def _service(report: Report, check: Check) -> Step:
    since = _since(changes.grown_memory(report), words.memory, report, check)
    text = f"Bring {check.subject} down by {_over(check)}{since}"
    return Step(text=text, place=_place(check))


def _since(
    grown: Iterable[changes.Grown], size: Callable[[int], str], report: Report, check: Check
) -> str:
    """How the check's subject grew, if it did."""
    found = (one for one in grown if one.name == check.subject)
    return "".join(f": {_grew(one, 'it', size, report)}" for one in found)


def _state(report: Report, check: Check) -> Step | None:
    """For what was killed: by which limit. For what crashed or stayed ill: where to look."""
    memory, name = report.memory, check.subject
    service = _service_named(memory, name) if isinstance(memory, MemoryReport) else None
    if service is None or not isinstance(memory, MemoryReport):
        return None
    if service.state is ServiceState.OOM_KILLED or service.oom_kills:
        return _killed(memory, service, check)
    if service.state is ServiceState.WAITING:
        return None
    look = "its last lines are below" if service.log_tail.strip() else "it left no log"
    if service.state is ServiceState.REFUSED:
        look = "the engine's reason is above"
    return Step(text=f"Fix {name}, which {_ended(service)}: {look}")


def _killed(memory: MemoryReport, service: ServiceMemory, check: Check) -> Step:
    if has_own_limit(service):
        text = f"Make {service.name} smaller or its own limit larger: it was killed by that limit"
        return Step(text=text, place=_place(check))
    largest = max(memory.services, key=lambda one: one.rss_max_bytes)
    took = words.memory(largest.rss_max_bytes)
    full = f"when the machine was full ({words.memory(memory.box.cap_bytes, down=True)})"
    if largest is service:
        return Step(text=f"Make {service.name} smaller: it took {took} and was killed {full}")
    text = f"Make {largest.name} smaller: it took {took} {full} and {service.name} was killed"
    return Step(text=text)


def _boot(report: Report, check: Check) -> Step | None:
    """Fewer at once where the start itself filled the machine, else a smaller start."""
    memory = report.memory
    if isinstance(memory, Missing):
        return None
    start, peak = memory.start, memory.boot
    if not isinstance(start, Missing) and start.crowded:
        names = " ".join(service.name for service in memory.services[: start.parallel])
        text = f"Start {start.parallel} services at a time, or chain them with depends_on:"
        return Step(text=text, quoted=f"docker compose up -d {names}")
    causes = () if isinstance(peak, Missing) else peak.causes
    who = next((name for name, _ in causes if name != "engine"), "")
    if not who:
        return Step(text=f"Start fewer containers at once, or free {_over(check)}")
    text = f"Make {who} smaller while the stack starts, or run it apart from the others"
    return Step(text=text, place=_place(check))


def _ended(service: ServiceMemory) -> str:
    if service.state is ServiceState.REFUSED:
        return "could not be started"
    return "crashed" if service.state is ServiceState.CRASHED else "is unhealthy"


def _service_named(memory: MemoryReport, name: str) -> ServiceMemory | None:
    return next((one for one in memory.services if one.name == name), None)


def _image(report: Report, check: Check) -> Step | None:
    """Which layer of the image is to blame, and how the image grew."""
    image = _image_of(report, check.subject)
    if image is None:
        return None
    text = f"Make the image of {check.subject} smaller by {_over(check)}"
    since = _since(changes.grown_images(report), words.storage, report, check)
    return _with_layer(report, image, text + since, check)


def _images(report: Report, check: Check) -> Step | None:
    """The image that grew most, else the largest, and its layer."""
    grown = changes.grown_images(report)
    text = f"Take {_over(check)} off the images"
    if grown:
        image = _image_of(report, grown[0].name)
        one = grown[0]
        text += f": {_grew(one, f'that of {one.name}', words.storage, report)}"
    else:
        image = max(_images_of(report), key=lambda one: one.size_bytes, default=None)
        text += f": the largest is that of {_user(image)}" if image else ""
    return _with_layer(report, image, text, check) if image else None


def _with_layer(report: Report, image: Image, text: str, check: Check) -> Step:
    """What in the image to change: the fix that saves most, else its largest layer."""
    fix = accounts.largest_fix(image)
    if fix is not None:
        saved = words.storage(fix.bytes)
        text = f"{text}; {saved} can go:"
        return Step(text=text, place=_place(check), fix=fix.text, fix_place=fix.place)
    layer = _largest_layer(report, image)
    if layer is None:
        return Step(text=text, place=_place(check))
    size = words.storage(layer.size_bytes)
    text = f"{text}; its largest layer takes {size}:"
    return Step(text=text, quoted=layer.instruction, place=_place(check))


def _largest_layer(report: Report, image: Image) -> Layer | None:
    """Of the layers that only this image has; of all where it has none of its own."""
    uses = Counter(layer.chain_id for one in _images_of(report) for layer in one.layers)
    own = [layer for layer in image.layers if uses[layer.chain_id] == 1]
    return max(own or image.layers, key=lambda layer: layer.size_bytes, default=None)


def _wasted(report: Report, check: Check) -> Step | None:
    image = _image_of(report, check.subject)
    if image is None or not isinstance(image.dive, Dive) or not image.dive.worst:
        return None
    worst = image.dive.worst[0]
    size = words.storage(worst.bytes)
    text = f"Write each file of the image of {check.subject} once: {worst.copies:,} copies, {size},"
    return Step(text=f"{text} of", quoted=worst.path, place=_place(check))


def _dead(report: Report, check: Check) -> Step | None:
    """What most of the dead bytes are, and the fix for it, should there be one."""
    image = _image_of(report, check.subject)
    if image is None or isinstance(image.accounting, Missing):
        return None
    account, of_base = image.accounting, check.id == "image.base_dead"
    worst = next((one for one in account.dead if account.is_of_base(one) is of_base), None)
    if worst is None:
        return None
    if of_base:
        text = (
            f"Choose a base with {_over(check)} fewer dead bytes for the image of {check.subject}"
        )
        return Step(text=text, place=_place(check))
    fix = accounts.fix_of(account, worst)
    text = f"Take {_over(check)} of dead bytes off the image of {check.subject}"
    if fix is not None:
        return Step(text=f"{text}:", place=_place(check), fix=fix.text, fix_place=fix.place)
    text += f": {words.storage(worst.bytes)} of layer {worst.layer + 1} are {worst.fate.value} by"
    return Step(text=text, quoted=image.layers[worst.killer].instruction, place=_place(check))


def _dockerfile(report: Report, check: Check) -> Step | None:
    """The worst remark, at its line."""
    files = () if isinstance(report.images, Missing) else report.images.dockerfiles
    for one in files:
        if check.subject in (one.path, *one.services) and one.counted:
            worst = one.counted[0]
            return Step(
                text=f"Mend {one.path}:",
                place=_place(check),
                fix=worst.text,
                fix_place=f"{worst.path}:{worst.line}",
            )
    return None


def _images_of(report: Report) -> tuple[Image, ...]:
    return () if isinstance(report.images, Missing) else report.images.images


def _image_of(report: Report, subject: str) -> Image | None:
    """The image a check speaks of: of a service, or by its reference."""
    found: Iterator[Image] = (
        one for one in _images_of(report) if subject in (*one.services, one.reference)
    )
    return next(found, None)


def _user(image: Image) -> str:
    return image.services[0] if image.services else image.reference


def _place(check: Check) -> str:
    """A default limit is written nowhere."""
    return "" if check.where == "default" else check.where


def _over(check: Check) -> str:
    return words.check_headroom(check).removesuffix(" over")


_MAKERS: Mapping[str, Callable[[Report, Check], Step | None]] = {
    "memory.total": _total,
    "memory.boot": _boot,
    "memory.max_growth": _total,
    "service.memory": _service,
    "service.max_growth": _service,
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
