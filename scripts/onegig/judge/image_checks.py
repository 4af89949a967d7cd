"""Images judged: each one's size, all together, and the disk (dive's rules: dive_checks)."""

from collections.abc import Iterator
from dataclasses import replace

from onegig.judge.dead_checks import check_dead
from onegig.judge.dive_checks import check_dive
from onegig.judge.dockerfile_checks import check_dockerfiles
from onegig.judge.words import compare, reason
from onegig.model.budgets import Budgets
from onegig.model.images import Image, ImagesReport
from onegig.model.measured import Missing
from onegig.model.sizes import Convention
from onegig.model.verdict import Check, State, Unit

NOT_COUNTED = "what containers write, logs, volumes, the engine and the OS come on top"


def check_images(budgets: Budgets, report: ImagesReport) -> Iterator[Check]:
    """Yield every check of images that were inspected."""
    total = check_storage(
        "images.total",
        "stack",
        "Images added up",
        (report.total_bytes, budgets.images.total_bytes),
        budgets.where("images.total"),
        lead="images added up take ",
    )
    over_default = total.state is State.NO_GO and total.where == "default"
    yield replace(total, state=State.WARN) if over_default else total
    yield check_storage(
        "disk.total",
        "stack",
        "Disk",
        (report.disk_bytes, budgets.disk_bytes),
        budgets.where("disk.limit"),
        lead="images take ",
        tail=f" on disk; {NOT_COUNTED}",
    )
    for image in report.images:
        yield from _sizes(budgets, image)
        yield from check_dive(budgets, image)
        yield from check_dead(budgets, image)
    yield from check_dockerfiles(budgets, report)


def missing_images(budgets: Budgets, missing: Missing) -> Iterator[Check]:
    """The checks of images that were not inspected."""
    for identity, title, limit, key in (
        ("images.total", "Images added up", budgets.images.total_bytes, "images.total"),
        ("disk.total", "Disk", budgets.disk_bytes, "disk.limit"),
    ):
        yield Check(
            id=identity,
            subject="stack",
            title=title,
            unit=Unit.STORAGE,
            value=missing,
            limit=limit,
            state=State.INCOMPLETE,
            message=reason(missing, "images", "inspected"),
            where=budgets.where(key),
        )


def check_storage(
    identity: str,
    subject: str,
    title: str,
    value_and_limit: tuple[int, int],
    where: str,
    *,
    lead: str,
    tail: str = "",
) -> Check:
    """A size against its limit; the message is `lead`, the figures and `tail`."""
    value, limit = value_and_limit
    figures = compare(value, limit, Convention.STORAGE)
    return Check(
        id=identity,
        subject=subject,
        title=title,
        unit=Unit.STORAGE,
        value=value,
        limit=limit,
        state=State.GO if value <= limit else State.NO_GO,
        message=f"{lead}{figures.of}, {figures.room}{tail}",
        where=where,
    )


def _sizes(budgets: Budgets, image: Image) -> Iterator[Check]:
    """One check for every service the image serves; for the image itself when it serves none."""
    for name in image.services or (image.reference,):
        own = budgets.service(name).image_bytes
        limit = budgets.images.each_bytes if own is None else own
        if limit is not None:
            key = "images.each" if own is None else f"services.{name}.image"
            yield check_storage(
                "service.image",
                name,
                f"Image of {name}",
                (image.size_bytes, limit),
                budgets.where(key),
                lead=f"the image of {name} takes ",
            )
