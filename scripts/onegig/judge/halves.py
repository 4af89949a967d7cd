"""A run has two halves, memory and images; either may be missing while the other is judged."""

from collections.abc import Sequence

from onegig.model.baseline import Mark
from onegig.model.measured import Missing
from onegig.model.verdict import Check

_OF_MEMORY = ("memory.", "service.memory", "service.max_growth", "service.state", "tier.cpus")
_OF_IMAGES = ("image.", "images.", "disk.", "service.image", "tier.architecture")


def missing_half(identity: str, lines: Sequence[Check] | Sequence[Mark]) -> Missing | None:
    """Why a run can't know of this check: the half of the report that it belongs to is missing."""
    total = ""
    if identity.startswith(_OF_MEMORY):
        total = "memory.total"
    elif identity.startswith(_OF_IMAGES):
        total = "images.total"
    values = [line.value for line in lines if line.id == total]
    return next((value for value in values if isinstance(value, Missing)), None)
