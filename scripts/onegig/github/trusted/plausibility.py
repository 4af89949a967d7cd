"""Check whether a stranger's numbers can be true at all: counts, sums and names that fit together.

A forger who does the sums gets through, so nothing here makes a number trusted. It keeps out what
would make the judge or the renderers say something absurd. Every function yields what is wrong, as
the end of a sentence that names the document.
"""

import re
from collections import Counter
from collections.abc import Iterable, Iterator

from onegig.github.trusted.redis_plausibility import doubt_redis
from onegig.images.sharing import disk_bytes, own_bytes, sum_compressed, users_by_chain
from onegig.model.budgets import Metric
from onegig.model.images import (
    Accounting,
    Dive,
    DockerfilePolicy,
    Duplicate,
    Fate,
    Image,
    ImagesReport,
)
from onegig.model.measured import Missing
from onegig.model.memory import BootPeak, MemoryReport, Reboot, Squeeze, Throttled
from onegig.model.report import RunReport
from onegig.model.scan import Scan
from onegig.model.service import Trend
from onegig.model.settings import Settings
from onegig.model.twin import TwinMemory

MOST_ITEMS = 20_000  # parts or findings of one image
MOST_FIXES = 500
MOST_DUPLICATES = 1_000
MOST_SHOWN = 5  # largest paths of a loss, places of a duplicate
MOST_TEXT = 20_000  # the longest path, each of its bytes escaped
MOST_FILES = 2_000
MOST_REMARKS = 10_000  # of one Dockerfile
MOST_REMARK = 5_000
MOST_SERVICES = 2_000
MOST_LAYERS = 128  # an engine takes no more
MOST_SAMPLES = 50_000
MOST_PARTS = 100
MOST_CPUS = 10_000
MOST_WINDOWS = 500  # of all boots
MOST_NAME = 255
MOST_REASONS = 10_000
MOST_REASON = 5_000  # a path has at most 4,096 bytes
_SHA = re.compile(r"[0-9a-f]{40}")
_EVENT = re.compile(r"[a-z_]{1,40}")


def service_names(images: ImagesReport | Missing, memory: MemoryReport | Missing) -> frozenset[str]:
    """Return the names of a stack's services."""
    images_of = () if isinstance(images, Missing) else images.images
    services = () if isinstance(memory, Missing) else memory.services
    names = (name for image in images_of for name in image.services)
    return frozenset((*names, *(service.name for service in services)))


def doubt_run(run: RunReport) -> Iterator[str]:
    """Yield contradictions in a run."""
    if not _EVENT.fullmatch(run.event):
        yield "does not name an event of GitHub"
    if not _SHA.fullmatch(run.head_sha):
        yield "has a head_sha that is not 40 hex digits"
    for name, sha in (("measured_sha", run.measured_sha), ("base_sha", run.base_sha)):
        if sha and not _SHA.fullmatch(sha):
            yield f"has a {name} that is not 40 hex digits"
    if len(run.host_access) > MOST_REASONS:
        yield f"has more than {MOST_REASONS:,} reasons for access to the machine"
    elif any(
        not 0 < len(access.service) <= MOST_NAME or not 0 < len(access.reason) <= MOST_REASON
        for access in run.host_access
    ):
        yield "has access to the machine with an empty or overlong name or reason"


def doubt_images(report: ImagesReport) -> Iterator[str]:
    """Yield contradictions in the report of images."""
    services = [name for image in report.images for name in image.services]
    if max(len(report.images), len(services)) > MOST_SERVICES:
        yield f"has more than {MOST_SERVICES:,} images or services"
        return
    yield from _names("image", [image.reference for image in report.images])
    yield from _names("service", services)
    for image in report.images:
        yield from _doubt_image(image)
    yield from _doubt_duplicates(report.duplicates, report.duplicates_remark)
    if not isinstance(report.large, Missing):
        yield "lists large files, as only parts of a stack do"
    yield from _doubt_dockerfiles(report.dockerfiles)
    stack = [image.layers for image in report.images]
    users = users_by_chain(stack)
    copies = (image.size_bytes * max(1, len(image.services)) for image in report.images)
    if report.total_bytes != sum(copies):
        yield "has a total_bytes that is not the sum over its services"
    if report.disk_bytes != disk_bytes(stack):
        yield "has a disk_bytes that is not the sum over its layers"
    if any(image.own_bytes != own_bytes(image.layers, users) for image in report.images):
        yield "has own_bytes that are not those of the layers no other image has"


def doubt_memory(report: MemoryReport) -> Iterator[str]:
    """Yield contradictions in the report of memory."""
    if len(report.services) > MOST_SERVICES:
        yield f"has more than {MOST_SERVICES:,} services"
    if len(report.samples) > MOST_SAMPLES:
        yield f"has more than {MOST_SAMPLES:,} samples"
    if max(len(report.engine), len(report.incomplete), len(report.boots)) > MOST_PARTS:
        yield f"has more than {MOST_PARTS} engine parts, boots or gaps"
    if len(report.windows) > MOST_WINDOWS:
        yield f"has more than {MOST_WINDOWS} windows"
    yield from _names("service", [service.name for service in report.services])
    yield from _names("part of the engine", [part.name for part in report.engine])
    if report.window.metric not in tuple(Metric):
        yield "was measured by a metric that does not exist"
    for service in report.services:
        if not service.rss_min_bytes <= service.rss_bytes <= service.rss_max_bytes:
            yield "has a service whose rss_bytes lies outside of its own range"
    trends = (report.box.trend, *(service.trend for service in report.services))
    for trend in trends:
        if isinstance(trend, Trend):
            yield from _doubt_trend(trend)
    if any(len(sample.service_bytes) != len(report.services) for sample in report.samples):
        yield "has a sample that is not one number for every service"
    yield from _doubt_windows(report)
    yield from _doubt_sums(report)
    if not isinstance(report.squeeze, Missing):
        yield from _doubt_squeeze(report.squeeze, report)
    if not isinstance(report.throttled, Missing):
        yield from _doubt_throttled(report.throttled, report)
    if not isinstance(report.settings, Missing):
        yield from _doubt_settings(report.settings)
    if not isinstance(report.twin, Missing):
        yield from _doubt_twin(report.twin)
    if not isinstance(report.reboot, Missing):
        yield from _doubt_reboot(report.reboot, report)
    if not isinstance(report.redis, Missing):
        yield from doubt_redis(report.redis, [service.name for service in report.services])


def _doubt_trend(trend: Trend) -> Iterator[str]:
    low, high = trend.low_bytes_per_second, trend.high_bytes_per_second
    if not low <= trend.bytes_per_second <= high:
        yield "has a growth that lies outside of its own interval"
    if trend.grows and low <= 0:
        yield "has something that grows by nothing"


def _doubt_image(image: Image) -> Iterator[str]:
    if len(image.layers) > MOST_LAYERS:
        yield f"has an image of more than {MOST_LAYERS} layers"
    if image.size_bytes != sum(layer.size_bytes for layer in image.layers):
        yield "has an image whose size_bytes is not the sum of its layers"
    if image.compressed_bytes != sum_compressed(image.layers):
        yield "has an image whose compressed_bytes is not the sum of its layers"
    if image.size_bytes != image.own_bytes + image.shared_bytes:
        yield "has an image whose own and shared bytes are not its size"
    if isinstance(image.dive, Dive):
        if image.dive.efficiency > 1:
            yield "has an efficiency above 100 %"
        if len(image.dive.worst) > MOST_PARTS:
            yield f"has more than {MOST_PARTS} wasted files of one image"
    if isinstance(image.accounting, Accounting):
        yield from _doubt_account(image, image.accounting)
    if isinstance(image.scan, Scan):
        yield from _doubt_scan(image.scan)


def _doubt_duplicates(duplicates: tuple[Duplicate, ...], remark: str) -> Iterator[str]:
    if len(duplicates) > MOST_DUPLICATES:
        yield f"has more than {MOST_DUPLICATES:,} duplicates"
    for each in duplicates:
        if each.copies < 2 or each.wasted_bytes != each.bytes * (each.copies - 1):
            yield "has a duplicate that does not waste all of its copies but one"
        if len(each.places) > min(MOST_SHOWN, each.copies):
            yield "has a duplicate in more places than it has copies, or than are listed"
        yield from _texts(each.places)
    yield from _texts((remark,))


def _doubt_account(image: Image, account: Accounting) -> Iterator[str]:
    """Check that live + dead by fate = the sum of its layers' bytes, exactly."""
    if account.live_bytes + account.dead_bytes != image.size_bytes:
        yield "has an image whose live and dead bytes are not its size"
    if account.live_bytes != sum(part.bytes for part in account.parts):
        yield "has an image whose parts are not its live bytes"
    if account.eliminable_bytes > image.size_bytes:
        yield "has an image of which more than all can be eliminated"
    if max(len(account.parts), len(account.dead)) > MOST_ITEMS or len(account.fixes) > MOST_FIXES:
        yield "has an image with an account that is too long"
    layers = len(image.layers)
    yield from _doubt_dead(account, layers)
    for part in account.parts:
        if len(set(part.layers)) != len(part.layers) or any(at >= layers for at in part.layers):
            yield "has a part of an image in a layer that is not there, or in one twice"
        yield from _texts((part.name, part.kind))
    for fix in account.fixes:
        if fix.bytes > image.size_bytes:
            yield "has a fix that saves more than its image has"
        if fix.layer is not None and fix.layer >= layers:
            yield "has a fix of a layer that is not there"
        yield from _texts((fix.text, fix.place))
    yield from _texts((account.remark,))


def _doubt_dead(account: Accounting, layers: int) -> Iterator[str]:
    """Check each loss against the sums; not every loss need be listed."""
    sums = {
        Fate.LIVE: 0,
        Fate.OVERWRITTEN: account.overwritten_bytes,
        Fate.DELETED: account.deleted_bytes,
        Fate.DELETED_WITH_DIRECTORY: account.deleted_with_directory_bytes,
        Fate.METADATA: account.metadata_bytes,
    }
    for fate, total in sums.items():
        if sum(dead.bytes for dead in account.dead if dead.fate is fate) > total:
            yield f"has an image with more bytes {fate.value} than it says"
    if account.base_layers is not None and account.base_layers > layers:
        yield "has an image with more layers of its base than layers"
    of_base = sum(dead.bytes for dead in account.dead if account.is_of_base(dead))
    if not of_base <= account.base_dead_bytes <= account.dead_bytes:
        yield "has an image whose base has other dead bytes than it says"
    if account.base_layers is None and account.base_dead_bytes:
        yield "has an image with dead bytes of a base that is not known"
    for dead in account.dead:
        if not dead.layer <= dead.killer < layers:
            yield "has dead bytes of a layer that is not there, or not below the one that killed it"
        if len(dead.largest) > min(MOST_SHOWN, dead.files):
            yield "has dead bytes with more paths than files, or than are listed"
        if sum(each.bytes for each in dead.largest) > dead.bytes:
            yield "has dead bytes that are fewer than those of its paths"
        yield from _texts(item.path for item in dead.largest)


def _doubt_scan(scan: Scan) -> Iterator[str]:
    packages = () if isinstance(scan.packages, Missing) else scan.packages
    if max(len(scan.findings), len(packages)) > MOST_ITEMS:
        yield "has an image with more findings or packages than there can be"
    if len(scan.scanners) > MOST_SHOWN:
        yield "has an image with more scanners than there are"
    yield from _texts((scan.trivy_version, *scan.scanners))
    for item in scan.findings:
        yield from _texts(
            (item.id, item.target, item.installed, item.fixed, item.title, item.system)
        )
    yield from _texts(packages)
    if any(item.count < 1 or (item.id and item.count > 1) for item in scan.findings):
        yield "has a finding that is not there, or there more than once"


def _texts(texts: Iterable[str]) -> Iterator[str]:
    if any(len(text) > MOST_TEXT for text in texts):
        yield f"has a text of more than {MOST_TEXT:,} characters"


def _doubt_dockerfiles(policies: tuple[DockerfilePolicy, ...]) -> Iterator[str]:
    if len(policies) > MOST_FILES:
        yield f"has more than {MOST_FILES:,} Dockerfiles"
        return
    if len({policy.path for policy in policies}) != len(policies):
        yield "has a Dockerfile twice"
    for policy in policies:
        remarks, hadolint = policy.remarks, policy.hadolint
        if len(remarks) > MOST_REMARKS or len(policy.services) > MOST_FILES:
            yield "has a Dockerfile with more remarks or services than there can be"
        if any(remark.path != policy.path or remark.line < 1 for remark in remarks):
            yield "has a remark about another Dockerfile, or about no line of it"
        texts = [policy.path, *(text for each in remarks for text in (each.rule, each.text))]
        texts.append(hadolint.reason if isinstance(hadolint, Missing) else hadolint)
        if any(len(text) > MOST_REMARK for text in (*texts, *policy.services)):
            yield f"has a remark of more than {MOST_REMARK:,} characters"


def _doubt_windows(report: MemoryReport) -> Iterator[str]:
    if report.boots and {window.boot for window in report.windows} != {
        number for number, _ in enumerate(report.boots, start=1)
    }:
        yield "has a boot without a window, or a window of a boot that is not there"
    for boot in report.boots:
        if boot.high_bytes > boot.peak_bytes:
            yield "has a boot whose peak is below that of its windows"
        yield from _names("service that failed", boot.failed)
    for window in report.windows:
        if len(window.totals) > MOST_SAMPLES:
            yield f"has a window of more than {MOST_SAMPLES:,} samples"
        if len(window.services) != len(report.services):
            yield "has a window that is not one range for every service"
        for low, high in ((window.low_bytes, window.high_bytes), *window.services):
            if low > high:
                yield "has a range whose lowest is above its highest"


def _doubt_sums(report: MemoryReport) -> Iterator[str]:
    """Check that the box has at least what its services have; containers that are gone may add."""
    box, services = report.box, report.services
    for whole, parts, text in (
        (box.total_rss_bytes, (service.rss_bytes for service in services), "less RSS"),
        (box.total_pss_bytes, (service.pss_bytes for service in services), "less PSS"),
        (box.oom_kills, (service.oom_kills for service in services), "fewer OOM kills"),
        (box.cost_bytes, (service.cost_bytes for service in services), "a lower real cost"),
    ):
        if whole < sum(parts):
            yield f"has a box with {text} than its services"
    if report.window.metric != Metric.CHARGED and any(
        sample.total_bytes < sample.engine_bytes + sum(sample.service_bytes)
        for sample in report.samples
    ):
        yield "has a sample whose total is less than its parts"
    if not isinstance(report.boot, Missing):
        yield from _doubt_boot(report.boot, report)


def _doubt_boot(boot: BootPeak, report: MemoryReport) -> Iterator[str]:
    """Check that nothing sampled was higher."""
    if len(boot.causes) > MOST_SERVICES:
        yield f"has more than {MOST_SERVICES:,} causes of its peak"
    if any(sample.total_bytes > boot.total_bytes for sample in report.samples):
        yield "has a peak since its start that is below its samples"


def _doubt_squeeze(squeeze: Squeeze, report: MemoryReport) -> Iterator[str]:
    """Check that it is one of the same stack, and had no more room than the first boot."""
    names = [service.name for service in report.services]
    if not squeeze.problem and [service.name for service in squeeze.services] != names:
        yield "has a squeeze of other services"
    if squeeze.room_bytes > report.box.cap_bytes or squeeze.window_seconds <= 0:
        yield "has a squeeze with more room than there was, or without a window"
    if _is_too_long(squeeze):
        yield "has a squeeze with a text or a list that is too long"


def _doubt_throttled(throttled: Throttled, report: MemoryReport) -> Iterator[str]:
    """Check that it is a boot of the same stack, on less of a processor than there is."""
    names = [service.name for service in report.services]
    if not throttled.problem and [service.name for service in throttled.services] != names:
        yield "has a throttled boot of other services"
    if not 0 < throttled.cpus <= MOST_CPUS:
        yield "has a throttled boot with a number of processors that does not exist"
    if _is_too_long(throttled):
        yield "has a throttled boot with a text or a list that is too long"


def _is_too_long(boot: Squeeze | Throttled) -> bool:
    texts = (boot.machine, boot.problem, *boot.gaps)
    return len(boot.gaps) > MOST_PARTS or max(map(len, texts)) > MOST_REASON


def _doubt_twin(twin: TwinMemory) -> Iterator[str]:
    """Check that no more of the machine is available than it has, and less and less of it."""
    readings = (twin.before, twin.peak, twin.lowest)
    if not twin.memtotal_bytes <= twin.sold_bytes:
        yield "has a twin with more memory than was sold"
    if any(each.available_bytes > twin.memtotal_bytes for each in readings):
        yield "has a twin with more memory available than it has"
    if twin.lowest.available_bytes > twin.peak.available_bytes:
        yield "has a twin whose least available memory is not the least"
    if twin.swap_peak_bytes > twin.swap_bytes:
        yield "has a twin that uses more swap than it has"
    guest = twin.guest
    texts = (guest.accelerator, guest.os, guest.kernel, guest.engine_version, twin.swap_kind)
    if any(len(text) > MOST_NAME for text in texts) or len(guest.image) > MOST_REASON:
        yield "has a twin with a text that is too long"


def _doubt_reboot(reboot: Reboot, report: MemoryReport) -> Iterator[str]:
    """Check that it is one of the same stack."""
    names = {service.name for service in report.services}
    back = [service.name for service in reboot.services]
    if not {*back, *reboot.absent} <= names or len(reboot.absent) > len(names):
        yield "has a reboot of other services"
    yield from _names("service after a reboot", back)
    if len(reboot.problem) > MOST_REASON:
        yield "has a reboot with a text that is too long"


def _doubt_settings(settings: Settings) -> Iterator[str]:
    if settings.vcpus is not None and not 0 < settings.vcpus <= MOST_CPUS:
        yield "has a number of processors that does not exist"
    elif settings.cpus is not None and not 0 < settings.cpus <= (settings.vcpus or MOST_CPUS):
        yield "has a share of its processors that does not exist"
    if len(settings.kernel) > MOST_NAME:
        yield "has the version of a kernel that is too long"


def _names(kind: str, names: Iterable[str]) -> Iterator[str]:
    counts = Counter(names)
    if any(count > 1 for count in counts.values()):
        yield f"has the same {kind} twice"
    if any(not 0 < len(name) <= MOST_NAME for name in counts):
        yield f"has a {kind} whose name is empty or longer than {MOST_NAME} characters"
