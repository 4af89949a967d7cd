"""One image's account: what its bytes are there for, which are dead, and what to change. Pure."""

from collections.abc import Sequence

from onegig.images.account import account
from onegig.images.accounts import dive_remark
from onegig.images.accounts.parity import dive_numbers
from onegig.images.causes import explain, parts_of
from onegig.images.fixes import dead_fixes, in_order, live_fixes, suggestions
from onegig.images.layer import LayerIndex
from onegig.model.images import Accounting


def make_accounting(
    layers: Sequence[LayerIndex],
    instructions: Sequence[str],
    *,
    base_layers: int,
    is_base_known: bool = True,
    workdir: str,
) -> Accounting:
    """Everything there is to say of an image's bytes.

    `instructions` are those of the layers, "" where unknown; `base_layers` is how many of the
    lowest layers came with FROM, a guess unless `is_base_known`; `workdir` is the config's. Raises
    AccountError, a bug of ours, should anything not add up.
    """
    made, parity = account(layers), dive_numbers(layers)
    files = explain(layers, made.live, instructions, base_layers=base_layers, workdir=workdir)
    live = live_fixes(files, instructions, base_layers=base_layers)
    dead = dead_fixes(made.dead, instructions, base_layers=base_layers)
    other = suggestions(files, base_layers=base_layers)
    return Accounting(
        live_bytes=made.live_bytes,
        overwritten_bytes=made.overwritten_bytes,
        deleted_bytes=made.deleted_bytes,
        deleted_with_directory_bytes=made.deleted_with_directory_bytes,
        metadata_bytes=made.metadata_bytes,
        dead=made.dead,
        parts=parts_of(files),
        fixes=in_order((*live, *dead, *other)),
        eliminable_bytes=made.dead_bytes + sum(fix.bytes for fix in live),
        parity=parity,
        remark=dive_remark.explain(parity, made),
        base_layers=base_layers if is_base_known else None,
        base_dead_bytes=sum(
            one.bytes for one in made.dead if is_base_known and one.killer < base_layers
        ),
    )
