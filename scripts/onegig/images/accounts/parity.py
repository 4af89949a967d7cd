"""dive's numbers worked out from the index, to the digit (dive 0.13.1). Pure.

dive makes a tree of each layer's tar (dive_tree.py) and visits the nodes that have nothing
below them. What a visited path weighs is added up over the layers:

    efficiency    = sum over paths of the smallest weight / sum of all weights; 1 when that is 0
    wasted bytes  = all weights of every path visited at least twice
    user wasted   = wasted bytes / bytes of all layers but the lowest

To equal it, one has to do what it really does:

- A regular file weighs its length. Links, devices, empty directories and the whiteout of a file
  weigh nothing, but are visits and make the smallest weight of their path 0.
- The whiteout of a directory weighs all that lies below it in the lower layers. It is visited at
  the directory's own path, as a rule once: to dive `rm -rf` is efficient.
- A whiteout of what is not there ends the visit of its layer; the nodes after it (name by name, in
  the order of bytes) are left out. Its own path counts as -1 bytes unless it is visited elsewhere.
- In the lowest layer a whiteout looks into that layer itself.
- Of a path that comes twice in one layer the last one counts; the layer's size has them all.

Sources: dive/filetree/efficiency.go, dive/image/analysis.go. Two things the index does not keep, so
that the numbers of such tars differ: a length that the header of a link, a directory or a whiteout
gives (builders write 0; dive adds it), and AUFS's own files, whose directory dive counts.
"""

from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from onegig.images.accounts.dive_tree import StackedTree, Tree, make_tree
from onegig.images.dive import user_wasted_share
from onegig.images.reading.index import LayerIndex
from onegig.model.accounting import Parity


@dataclass(kw_only=True, slots=True)
class _Visits:
    """Those of one path over all layers; `smallest` is -1 before the first one."""

    smallest: int = -1
    total: int = 0
    times: int = 0

    def add(self, weight: int) -> None:
        self.smallest = weight if self.smallest < 0 else min(self.smallest, weight)
        self.total += weight
        self.times += 1


def dive_numbers(layers: Sequence[LayerIndex]) -> Parity:
    """What dive says of an image of these layers, lowest first.

    Where dive divides by zero the user-wasted share is 1 or 0, as in images/dive.py.
    """
    paths = _visits([make_tree(layer.entries) for layer in layers])
    smallest = sum(path.smallest for path in paths)
    total = sum(path.total for path in paths)
    wasted = sum(path.total for path in paths if path.times > 1)
    return Parity(
        efficiency=smallest / total if total else 1.0,
        wasted_bytes=wasted,
        user_wasted_share=user_wasted_share(wasted, sum(one.size_bytes for one in layers[1:])),
    )


def _visits(trees: Sequence[Tree]) -> list[_Visits]:
    paths: defaultdict[str, _Visits] = defaultdict(_Visits)
    for tree, lower in zip(trees, _lower(trees), strict=True):
        for path in tree.leaves():
            removed = tree.whiteouts.get(path)
            visits = paths[path if removed is None else removed]
            weight = tree.sizes[path] if removed is None else lower.weight(removed)
            if weight is None:
                break
            visits.add(weight)
    return list(paths.values())


def _lower(trees: Sequence[Tree]) -> Iterator[StackedTree]:
    """For each layer the tree that its whiteouts look into: the lowest one's is its own."""
    last = max((place for place, tree in enumerate(trees) if tree.whiteouts), default=0)
    stacked = StackedTree()
    for place, tree in enumerate(trees):
        if place == 0:
            stacked.copy(tree)
        yield stacked
        if place < last:
            stacked.stack(tree)
