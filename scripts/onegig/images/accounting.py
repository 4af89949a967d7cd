"""One image's accounting: what its bytes are there for, which are dead, what to change. Pure."""

from collections.abc import Sequence

from onegig.images.account import account
from onegig.images.bases import NOTHING_KNOWN, Evidence, count_base_layers
from onegig.images.causes import explain, parts_of
from onegig.images.fixes import dead_fixes, in_order, live_fixes, suggestions
from onegig.images.layer import LayerIndex
from onegig.images.manifests import ArchivedImage, instructions
from onegig.model.images import Accounting, Fate


def account_for(
    layers: Sequence[LayerIndex], image: ArchivedImage, evidence: Evidence = NOTHING_KNOWN
) -> Accounting:
    """Account for an image; without evidence of its base, where FROM ends is guessed."""
    made_by = instructions(image.history, len(layers))
    return make_accounting(
        layers,
        made_by,
        base_layers=count_base_layers(evidence, image.history, len(layers)),
        is_base_known=evidence.layers is not None or any(made_by),
        workdir=image.workdir,
    )


def make_accounting(
    layers: Sequence[LayerIndex],
    instructions: Sequence[str],
    *,
    base_layers: int,
    is_base_known: bool = True,
    workdir: str,
) -> Accounting:
    """Return the accounting of an image's layers, lowest first.

    `instructions` are those of the layers, "" where unknown; `base_layers` is how many of the
    lowest layers came with FROM, a guess unless `is_base_known`; `workdir` is the config's. Raises
    AccountError, a bug of ours, should anything not add up.
    """
    total = account(layers)
    files = explain(layers, total.live, instructions, base_layers=base_layers, workdir=workdir)
    live = live_fixes(files, instructions, base_layers=base_layers)
    dead = dead_fixes(total.dead, instructions, base_layers=base_layers)
    bases = suggestions(files, base_layers=base_layers)
    dead_in_base = (each.bytes for each in total.dead if each.killer < base_layers)
    return Accounting(
        live_bytes=total.live_bytes,
        overwritten_bytes=total.dead_bytes(Fate.OVERWRITTEN),
        deleted_bytes=total.dead_bytes(Fate.DELETED),
        deleted_with_directory_bytes=total.dead_bytes(Fate.DELETED_WITH_DIRECTORY),
        metadata_bytes=total.dead_bytes(Fate.METADATA),
        dead=total.dead,
        parts=parts_of(files),
        fixes=in_order((*live, *dead, *bases)),
        eliminable_bytes=total.dead_bytes() + sum(fix.bytes for fix in live),
        base_layers=base_layers if is_base_known else None,
        base_dead_bytes=sum(dead_in_base) if is_base_known else 0,
    )
