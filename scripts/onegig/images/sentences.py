"""Words for sizes, instructions and lists in sentences about an image. Pure."""

from collections.abc import Mapping, Sequence

from onegig.model.sizes import Convention, format_mb
from onegig.text import format_list

SHOWN = 70  # characters of an instruction
NAMES = 3  # in a list; the others are counted


def size_of(count_bytes: int) -> str:
    """As reports write it, rounded up."""
    return format_mb(count_bytes, Convention.STORAGE)


def layer_of(instructions: Sequence[str], layer: int) -> str:
    """An instruction and its layer, counted from 1: "`RUN make` in layer 3"."""
    instruction = " ".join(instructions[layer].replace("`", "'").split())
    place = f"layer {layer + 1}"
    if not instruction:
        return place
    cut = instruction[: SHOWN - 1].rstrip() + "…"
    return f"`{instruction if len(instruction) <= SHOWN else cut}` in {place}"


def listing(sizes: Mapping[str, int]) -> str:
    """The largest of what is named and how many more: "mypy 2.4.1 61 MB, ruff 26 MB and 9 more"."""
    ordered = sorted(sizes.items(), key=lambda item: (-item[1], item[0]))
    if len(ordered) == 1:
        return ordered[0][0]
    return format_list([f"{name} {size_of(size)}" for name, size in ordered], NAMES)
