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

from collections.abc import Iterator, Mapping, Sequence

from onegig.images.accounts.dive_tree import StackedTree, Tree, by_names, make_tree
from onegig.images.dive import user_wasted_share
from onegig.images.layer import LayerIndex
from onegig.model.images import Parity


def dive_numbers(layers: Sequence[LayerIndex]) -> Parity:
    """What dive says of an image of these layers, lowest first.

    Where dive divides by zero the user-wasted share is 1 or 0, as in images/dive.py.
    """
    visits = _Visits()
    trees = [make_tree(layer.entries) for layer in layers]
    for tree, lower in zip(trees, _lower(trees), strict=True):
        _visit(tree, lower, visits)
    smallest, total, wasted = visits.sums()
    return Parity(
        efficiency=smallest / total if total else 1.0,
        wasted_bytes=wasted,
        user_wasted_share=user_wasted_share(wasted, sum(one.size_bytes for one in layers[1:])),
    )


class _Visits:
    """What each path weighed whenever it was visited."""

    def __init__(self) -> None:
        self._rounds: list[Mapping[str, int]] = []
        self._once: set[str] = set()
        self._again: set[str] = set()
        self._missed: set[str] = set()

    def add(self, weights: Mapping[str, int]) -> None:
        """Visit each of these paths once."""
        self._rounds.append(weights)
        self._again |= weights.keys() & self._once
        self._once |= weights.keys()

    def miss(self, path: str) -> None:
        """A path that was to be visited, and was not there."""
        self._missed.add(path)

    def sums(self) -> tuple[int, int, int]:
        """The smallest weight of every path, all weights, those of paths visited again."""
        total = sum(sum(weights.values()) for weights in self._rounds)
        wasted = 0
        smallest: dict[str, int] = {}
        for weights in self._rounds:
            for path in weights.keys() & self._again:
                weight = weights[path]
                wasted += weight
                if weight < smallest.get(path, total + 1):
                    smallest[path] = weight
        visited_once = total - wasted - len(self._missed - self._once)
        return visited_once + sum(smallest.values()), total, wasted


def _visit(tree: Tree, lower: StackedTree, visits: _Visits) -> None:
    """Every leaf of a layer, up to the first whiteout of what is not there."""
    leaves = tree.leaves()
    removed = {
        name: lower.weight(path)
        for name, path in tree.whiteouts.items()
        if name not in tree.parents
    }
    missing = [name for name, weight in removed.items() if weight is None]
    if missing:
        first = min(missing, key=by_names)
        visits.miss(tree.whiteouts[first])
        end = by_names(first)
        leaves = {path: size for path, size in leaves.items() if by_names(path) < end}
        removed = {name: weight for name, weight in removed.items() if by_names(name) < end}
    visits.add(leaves)
    visits.add(
        {tree.whiteouts[name]: weight for name, weight in removed.items() if weight is not None}
    )


def _lower(trees: Sequence[Tree]) -> Iterator[StackedTree]:
    """For each layer the tree that its whiteouts look into: the lowest one's is its own."""
    last = max((place for place, tree in enumerate(trees) if tree.whiteouts), default=-1)
    stacked = StackedTree()
    for place, tree in enumerate(trees):
        if place == 0 <= last:
            stacked.copy(tree)
        yield stacked
        if place < last:
            stacked.stack(tree)
