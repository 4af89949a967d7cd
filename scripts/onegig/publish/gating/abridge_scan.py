"""The findings of one image made fewer, so that limits judge what is left as they judge all. Pure.

A limit counts by kind, severity and whether there is a fix, and lets a vulnerability pass where the
base has its package: all of that is kept of what goes. What is let pass by its name (by a waiver,
or as a secret that the base has, too) stays longest.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from heapq import nsmallest

from onegig.judge.scan_findings import Weight, how_many
from onegig.judge.scan_rules import RANKS
from onegig.model.measured import Missing, Unknown
from onegig.model.scan import Finding, LeftOut, Scan

TOO_MANY = Unknown(reason="there are more packages than can be handed on")
_UNCOUNTED = max(Weight) + 1
_PLACES = {Weight.INHERITED: 0, Weight.NAMED: 1, Weight.BLOCKS: 1, _UNCOUNTED: 2}
_Weighed = tuple[int, LeftOut]


def shorten_scan(scan: Scan, most: int, weights: Mapping[Finding, Weight]) -> Scan:
    """At most `most` findings of a whole scan, and about as many groups of those left out."""
    if len(scan.findings) <= most:
        return scan
    kept = {*nsmallest(most, scan.findings, key=lambda one: _order(one, weights))}
    gone = (one for one in scan.findings if one not in kept)
    groups = _grouped((weights.get(one, _UNCOUNTED), one.nameless) for one in gone)
    return replace(
        scan,
        findings=tuple(one for one in scan.findings if one in kept),
        left_out=tuple(_fewer(groups, most)),
    )


def without_packages(scan: Scan) -> Scan:
    """No run that is compared with this one takes anything of the image for known then."""
    return scan if isinstance(scan.packages, Missing) else replace(scan, packages=TOO_MANY)


def _order(one: Finding, weights: Mapping[Finding, Weight]) -> tuple[object, ...]:
    """What decides first, then the gravest."""
    names = one.id, one.target, one.installed
    return weights.get(one, _UNCOUNTED), -RANKS[one.severity], not one.fixed, *names


def _grouped(found: Iterable[_Weighed]) -> list[_Weighed]:
    """Alike ones added up, with the weight of that which decides most."""
    groups: dict[LeftOut, list[_Weighed]] = {}
    for weight, one in found:
        groups.setdefault(replace(one, count=0), []).append((weight, one))
    return [
        (min(weight for weight, _ in each), replace(key, count=how_many(one for _, one in each)))
        for key, each in groups.items()
    ]


def _fewer(groups: list[_Weighed], most: int) -> Iterator[LeftOut]:
    """Those first that their package lets pass; what the last ones are of is not told."""
    ordered = sorted(groups, key=lambda each: (_PLACES[each[0]], -each[1].count, each[1].package))
    rest = _grouped((weight, replace(one, package="")) for weight, one in ordered[most:])
    return (one for _, one in _grouped([*ordered[:most], *rest]))
