"""Patterns of key names, learned while the names go by: "price:{symbol}:{time}".

What is a variable at first sight (numbers, dates, UUIDs, hexadecimal and mixed tokens) is replaced;
what is left is a path of words in a tree. A position with so many different words that they can't
be names of kinds of things becomes a variable, too, and what was below its words is merged. That
is what log miners do (Drain, He et al., ICWS 2017, https://doi.org/10.1109/ICWS.2017.13), with the
number of different words in place of a similarity of whole lines.

Patterns are kept, not names: at most MOST_PATTERNS of them, whatever the names look like.
"""

import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Generic, Protocol, Self, TypeVar

MOST_PATTERNS = 1000
MOST_SHAPES = 20_000  # remembered, so that most names need no walk through the tree
MOST_NAME = 512  # bytes of a name that are looked at
MOST_TOKENS = 24
# Different words in one place from which on they are looked at; all capitals are symbols.
MOST_SYMBOLS, MOST_WORDS, MOST_ROOTS, MOST_CHILDREN = 4, 24, 64, 128
ALIKE_SHARE = 0.6  # of the words that must lead on in the same way
EXAMPLES = 32  # names of a pattern from which its variables get their names
REST = b"(others)"

_KINDS = (  # the first that fits; "word" in a bound: letters and digits
    ("uuid", rb"[0-9a-fA-F]{8}(?:-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}"),
    ("date", rb"(?<![0-9])(?:19|20)[0-9]{2}-[01][0-9]-[0-3][0-9](?:[T ][0-9:.]+Z?)?"),
    (
        "hex",
        rb"(?<![0-9A-Za-z])(?=[a-fA-F]*[0-9])(?=[0-9]*[a-fA-F])[0-9a-fA-F]{8,}(?![0-9A-Za-z])",
    ),
    (
        "id",
        rb"(?<![0-9A-Za-z])(?:[A-Za-z]+[0-9]+[A-Za-z]|[A-Za-z]*[0-9]+[A-Za-z]+[0-9])[0-9A-Za-z]*",
    ),
    ("n", rb"[0-9]+"),
    ("bytes", rb"[\x00-\x1f\x7f]+"),
)
_VARIABLE = re.compile(b"|".join(b"(?P<%b>%b)" % (name.encode(), rule) for name, rule in _KINDS))
_READABLE = re.compile(rb"(?:[A-Za-z][A-Za-z0-9]+[:_./@{}-]+)*")  # words at the beginning
_HOLE = b"\x00"  # a variable in a path
_TOKEN = re.compile(rb"\x00+|[A-Za-z\x80-\xff]+|[^A-Za-z\x80-\xff\x00]")
_TIME = re.compile(  # Unix time of 2001 to 2033 in s, ms or µs, or a day
    rb"1[0-9]{9}(?:[0-9]{3}){0,2}|(?:19|20)[0-9]{2}(?:0[1-9]|1[0-2])(?:0[1-9]|[12][0-9]|3[01])"
)


class Mergeable(Protocol):
    """Counts for the keys of a pattern."""

    def merge(self, other: Self) -> None:
        """Add the counts of another."""


M = TypeVar("M", bound=Mergeable)


def shape_of(name: bytes) -> bytes:
    """Return a name with a hole for each of its variables."""
    text = name[:MOST_NAME]
    if not text.isascii():
        text = _binary_free(text)
    return _VARIABLE.sub(_HOLE, text)


def _binary_free(text: bytes) -> bytes:
    """Return UTF-8 as it is; of other names, only what can be read at the beginning."""
    if _is_text(text):
        return text
    start = _READABLE.match(text)
    return (start[0] if start else b"") + _HOLE


def _is_text(text: bytes) -> bool:
    try:
        text.decode()
    except UnicodeDecodeError as error:
        return error.reason == "unexpected end of data"  # cut
    return True


@dataclass(slots=True)
class _Node(Generic[M]):
    """A place in the paths: what may follow, and what ends here."""

    children: dict[bytes, "_Node[M]"] = field(default_factory=dict)
    is_open: bool = False  # any word leads to the hole
    words: set[bytes] = field(default_factory=set)  # some that led to the hole
    leaf: "Leaf[M] | None" = None


@dataclass(slots=True)
class Leaf(Generic[M]):
    """A pattern: counts by type, and names from which its variables are named."""

    counts: dict[str, M] = field(default_factory=dict)
    examples: list[bytes] = field(default_factory=list)

    def absorb(self, other: "Leaf[M]") -> None:
        """Add another pattern's counts to these."""
        for kind, count in other.counts.items():
            if kind in self.counts:
                self.counts[kind].merge(count)
            else:
                self.counts[kind] = count
        # of both, so that a variable is seen to vary
        mixed = [*self.examples[::2], *other.examples[::2], *self.examples[1::2]]
        self.examples = [*mixed, *other.examples[1::2]][:EXAMPLES]


class Patterns(Generic[M]):
    """A tree of key names that finds the pattern of each; `M` is what is counted for it."""

    def __init__(self) -> None:
        self._root: _Node[M] = _Node()
        self._leaves: dict[bytes, Leaf[M]] = {}  # by shape
        self._rest: Leaf[M] = Leaf()
        self._count = 0

    def leaf(self, name: bytes) -> Leaf[M]:
        """Return the pattern of a name; it may be another one later, when more is known."""
        shape = shape_of(name)
        leaf = self._leaves.get(shape)
        if leaf is None:
            leaf = self._walk(shape)
            if len(self._leaves) >= MOST_SHAPES:
                self._leaves.clear()
            self._leaves[shape] = leaf
        if len(leaf.examples) < EXAMPLES:
            leaf.examples.append(name[:MOST_NAME])
        return leaf

    def __iter__(self) -> Iterator[tuple[bytes, dict[str, M]]]:
        """Yield each pattern's text and what was counted for it, by type."""
        by_text: dict[bytes, Leaf[M]] = {}
        for path, leaf in _leaves(self._root, ()):
            by_text.setdefault(describe(path, leaf.examples), Leaf()).absorb(leaf)
        if self._rest.counts:
            by_text.setdefault(REST, Leaf()).absorb(self._rest)
        for text, leaf in by_text.items():
            yield text, leaf.counts

    def _walk(self, shape: bytes) -> Leaf[M]:
        tokens = _TOKEN.findall(shape)
        node, is_word = self._root, False
        for depth, token in enumerate(tokens[:MOST_TOKENS]):
            is_word = _is_word(token)
            if is_word and node.is_open and token not in node.children:
                if len(node.words) < EXAMPLES:
                    node.words.add(token)
                token = _HOLE
            following = node.children.get(token)
            if following is None:
                if self._count >= MOST_PATTERNS:
                    return self._rest
                following = node.children[token] = _Node()
                if is_word and self._collapses(node, depth):
                    return self._walk(shape)
            node = following
        if node.leaf is None:
            node.leaf = Leaf()
            self._count += 1
        return node.leaf

    def _collapses(self, node: _Node[M], depth: int) -> bool:
        """Make the words of a place a variable, if they are one; return whether they were."""
        words = [token for token in node.children if _is_word(token)]
        steps = {MOST_WORDS if depth else MOST_ROOTS, MOST_ROOTS, MOST_CHILDREN}
        if all(word.isupper() and len(word) > 1 for word in words):
            steps |= {MOST_SYMBOLS, MOST_WORDS}
        if len(words) - 1 not in steps:
            return False
        if len(words) <= MOST_CHILDREN and not _lead_on_alike([node.children[w] for w in words]):
            return False
        self._collapse(node, words)
        return True

    def _collapse(self, node: _Node[M], words: list[bytes]) -> None:
        hole = node.children.get(_HOLE) or _Node()
        for word in words:
            _merge(hole, node.children.pop(word))
        node.children[_HOLE] = hole
        node.is_open = True
        node.words.update(words[:EXAMPLES])
        self._leaves.clear()
        self._count = sum(1 for _ in _leaves(self._root, ()))


def _is_word(token: bytes) -> bool:
    return token[:1].isalpha() or token[:1] >= b"\x80"


def _lead_on_alike(nodes: list[_Node[M]]) -> bool:
    """Return whether most places have the same below them, or a part of it."""
    below = [frozenset(path for path, _ in _leaves(node, ())) for node in nodes]
    common = Counter(below).most_common(1)[0][0]
    alike = sum(each <= common or each >= common for each in below)
    return alike >= ALIKE_SHARE * len(nodes)


def _merge(into: _Node[M], other: _Node[M]) -> None:
    if other.leaf is not None:
        into.leaf = into.leaf or Leaf()
        into.leaf.absorb(other.leaf)
    into.is_open |= other.is_open
    into.words |= other.words
    for token, node in other.children.items():
        _merge(into.children.setdefault(token, _Node()), node)


def _leaves(node: _Node[M], path: tuple[bytes, ...]) -> Iterator[tuple[tuple[bytes, ...], Leaf[M]]]:
    if node.leaf is not None:
        yield path, node.leaf
    for token, child in node.children.items():
        yield from _leaves(child, (*path, token))


# ---- the text of a pattern ----------------------------------------------------------------------


def describe(path: tuple[bytes, ...], examples: list[bytes]) -> bytes:
    """Return a path's text: its variables named by examples, one that never varies written out."""
    if path and path[-1][:1] == _HOLE and not all(map(_is_text, examples)):
        return b"".join(path[:-1]).replace(_HOLE, b"{id}") + b"{bytes}"
    rule = re.compile(b"".join(map(_rule, path)), re.DOTALL)
    matches = [match.groups() for name in examples if (match := rule.match(name))]
    slots = iter(zip(*matches, strict=True))
    return b"".join(
        _name_slot(next(slots, ())) or b"{id}" if token[:1] == _HOLE else token for token in path
    )


def _rule(token: bytes) -> bytes:
    """Return what finds a token in a name; a variable is as long as its kind allows."""
    if token[:1] != _HOLE:
        return re.escape(token)
    kinds = b"|".join(rule for _, rule in _KINDS)
    return b"((?:%b|[A-Za-z\x80-\xff]+|[\x80-\xff])+)" % kinds


def _name_slot(values: tuple[bytes, ...]) -> bytes:
    """Return the text for a variable with these values, "" without any."""
    if len(values) > 1 and len(set(values)) == 1:
        return values[0]
    kinds = Counter(map(_kind, values))
    if "hex" in kinds:  # of short ones, some happen to have no letter
        del kinds["n"], kinds["time"]
    if not kinds:
        return b""
    return b"{%b}" % (kinds.most_common(1)[0][0] if len(kinds) < 3 else "id").encode()


def _kind(value: bytes) -> str:
    if _TIME.fullmatch(value):
        return "time"
    match = _VARIABLE.fullmatch(value)
    if match and match.lastgroup:
        return match.lastgroup
    if not _is_text(value):
        return "bytes"
    if value.isalpha():
        return "symbol" if value.isupper() else "name"
    return "id"
