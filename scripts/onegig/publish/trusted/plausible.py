"""Whether numbers of a stranger can be true at all: counts, sums and names that fit together.

A forger who does the sums gets through, so nothing here makes a number trusted. It keeps out what
would make the judge or the renderers say something absurd. Every function yields what is wrong, as
the end of a sentence that names the document.
"""

import re
from collections import Counter
from collections.abc import Iterable, Iterator

from onegig.images.sharing import disk_bytes, own_bytes, users_by_chain
from onegig.model.budgets import Metric
from onegig.model.images import Dive, Image, ImagesReport
from onegig.model.measured import Missing
from onegig.model.memory import MemoryReport, ServiceMemory
from onegig.model.run import RunReport
from onegig.publish.trusted.plausible_accounts import doubt_duplicates, doubt_image
from onegig.publish.trusted.plausible_policies import doubt_dockerfiles

MOST_SERVICES = 2_000
MOST_LAYERS = 128  # an engine takes no more
MOST_SAMPLES = 50_000
MOST_PARTS = 100
MOST_NAME = 255
MOST_REASONS = 10_000
MOST_REASON = 5_000  # a path has at most 4,096 bytes
_SHA = re.compile(r"[0-9a-f]{40}")
_EVENT = re.compile(r"[a-z_]{1,40}")


def doubt_run(run: RunReport) -> Iterator[str]:
    """What can't be so of a run."""
    if not _EVENT.fullmatch(run.event):
        yield "names no event of GitHub"
    if not _SHA.fullmatch(run.head_sha):
        yield "has a head_sha that is not 40 hex digits"
    for name, sha in (("measured_sha", run.measured_sha), ("base_sha", run.base_sha)):
        if sha and not _SHA.fullmatch(sha):
            yield f"has a {name} that is not 40 hex digits"
    if len(run.host_access) > MOST_REASONS:
        yield f"has more than {MOST_REASONS:,} reasons for access to the machine"
    elif any(
        not 0 < len(one.service) <= MOST_NAME or not 0 < len(one.reason) <= MOST_REASON
        for one in run.host_access
    ):
        yield "has access to the machine with an empty or overlong name or reason"


def doubt_images(report: ImagesReport) -> Iterator[str]:
    """What can't be so of images."""
    services = [name for image in report.images for name in image.services]
    if max(len(report.images), len(services)) > MOST_SERVICES:
        yield f"has more than {MOST_SERVICES:,} images or services"
        return
    yield from _names("image", [image.reference for image in report.images])
    yield from _names("service", services)
    for image in report.images:
        yield from _doubt_image(image)
        yield from doubt_image(image)
    yield from doubt_duplicates(report.duplicates, report.duplicates_remark)
    if not isinstance(report.large, Missing):
        yield "lists large files, as only parts of a stack do"
    yield from doubt_dockerfiles(report.dockerfiles)
    stack = [image.layers for image in report.images]
    users = users_by_chain(stack)
    if report.total_bytes != sum(
        one.size_bytes * max(1, len(one.services)) for one in report.images
    ):
        yield "has a total_bytes that is not the sum over its services"
    if report.disk_bytes != disk_bytes(stack):
        yield "has a disk_bytes that is not the sum over its layers"
    if any(image.own_bytes != own_bytes(image.layers, users) for image in report.images):
        yield "has own_bytes that are not those of the layers no other image has"


def doubt_memory(report: MemoryReport) -> Iterator[str]:
    """What can't be so of a measured stack."""
    if len(report.services) > MOST_SERVICES:
        yield f"has more than {MOST_SERVICES:,} services"
    if len(report.samples) > MOST_SAMPLES:
        yield f"has more than {MOST_SAMPLES:,} samples"
    if max(len(report.engine), len(report.incomplete), len(report.windows)) > MOST_PARTS:
        yield f"has more than {MOST_PARTS} engine parts, windows or gaps"
    yield from _names("service", [service.name for service in report.services])
    yield from _names("part of the engine", [part.name for part in report.engine])
    if report.window.metric not in tuple(Metric):
        yield "was measured by a metric that does not exist"
    for service in report.services:
        yield from _doubt_service(service)
    if any(len(one.service_bytes) != len(report.services) for one in report.samples):
        yield "has a sample that is not one number for every service"
    yield from _doubt_windows(report)
    yield from _doubt_sums(report)


def _doubt_image(image: Image) -> Iterator[str]:
    if len(image.layers) > MOST_LAYERS:
        yield f"has an image of more than {MOST_LAYERS} layers"
    if image.size_bytes != sum(layer.size_bytes for layer in image.layers):
        yield "has an image whose size_bytes is not the sum of its layers"
    if image.compressed_bytes != sum(layer.compressed_bytes for layer in image.layers):
        yield "has an image whose compressed_bytes is not the sum of its layers"
    if image.size_bytes != image.own_bytes + image.shared_bytes:
        yield "has an image whose own and shared bytes are not its size"
    if isinstance(image.dive, Dive):
        if image.dive.efficiency > 1:
            yield "has an efficiency above 100 %"
        if len(image.dive.worst) > MOST_PARTS:
            yield f"has more than {MOST_PARTS} wasted files of one image"


def _doubt_service(service: ServiceMemory) -> Iterator[str]:
    if not service.rss_min_bytes <= service.rss_bytes <= service.rss_max_bytes:
        yield "has a service whose rss_bytes lies outside of its own range"


def _doubt_windows(report: MemoryReport) -> Iterator[str]:
    for window in report.windows:
        if len(window.totals) > MOST_SAMPLES:
            yield f"has a window of more than {MOST_SAMPLES:,} samples"
        if len(window.services) != len(report.services):
            yield "has a window that is not one range for every service"
        for low, high in ((window.low_bytes, window.high_bytes), *window.services):
            if low > high:
                yield "has a range whose lowest is above its highest"


def _doubt_sums(report: MemoryReport) -> Iterator[str]:
    """The box holds at least what its services do; a container that is gone may have added more."""
    box, services = report.box, report.services
    if box.total_rss_bytes < sum(service.rss_bytes for service in services):
        yield "has a box with less RSS than its services"
    if box.total_pss_bytes < sum(service.pss_bytes for service in services):
        yield "has a box with less PSS than its services"
    if box.oom_kills < sum(service.oom_kills for service in services):
        yield "has a box with fewer OOM kills than its services"
    if box.cost_bytes < sum(service.cost_bytes for service in services):
        yield "has a box with a lower real cost than its services"
    if report.window.metric != Metric.CHARGED and any(
        sample.total_bytes < sample.engine_bytes + sum(sample.service_bytes)
        for sample in report.samples
    ):
        yield "has a sample whose total is less than its parts"
    if not isinstance(report.boot, Missing) and len(report.boot.causes) > MOST_SERVICES:
        yield f"has more than {MOST_SERVICES:,} causes of its peak"


def _names(kind: str, names: Iterable[str]) -> Iterator[str]:
    counts = Counter(names)
    if any(count > 1 for count in counts.values()):
        yield f"has the same {kind} twice"
    if any(not 0 < len(name) <= MOST_NAME for name in counts):
        yield f"has a {kind} whose name is empty or longer than {MOST_NAME} characters"
