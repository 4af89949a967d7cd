"""An honest artifact spoiled in one way at a time: in the zip, its names, its JSON, its numbers."""

from functools import cache

from gate_runs import make_honest_images, make_honest_memory, zip_files
from mutations.accounts import accounts
from mutations.changes import FILES, changed
from mutations.plans import plans
from mutations.shapes import shapes
from mutations.texts import texts
from mutations.values import values
from mutations.zips import names, zips
from onegig.github.trusted.plan import abridge
from onegig.model.codec import to_json
from onegig.model.report import RunReport
from planned import plan_of

__all__ = ["mutations"]


@cache
def mutations(claim: RunReport) -> dict[str, bytes]:
    """All of them by name; each must be refused."""
    files = {
        "run.json": to_json(claim),
        "images.json": to_json(make_honest_images()),
        "memory.json": to_json(make_honest_memory()),
        "plan.json": to_json(abridge(plan_of())),
    }
    spoiled = dict(zips(files))
    spoiled |= names(files)
    for name in FILES:
        spoiled |= {f"{name}: {what}": data for what, data in texts(files, name)}
    for what, name, change in (*shapes(), *values(), *accounts(), *plans()):
        spoiled[f"{name}: {what}"] = zip_files({**files, name: changed(files[name], change)})
    return spoiled
