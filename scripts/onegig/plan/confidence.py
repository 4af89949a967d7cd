"""Claims that the stack fits, each with the probability once estimated and the measured one.

The estimates were made before anything was measured: 95 % that the images fit, 80 % that the
memory does, 60 % that what is over can be squeezed out, 70 % for all of it.

What is over is squeezed out where the actions of an option save that much. Their sum is taken for
normal, with the option's interval as its 95 % one. A verified option is a boot like any other.
"""

from collections.abc import Iterator
from dataclasses import replace
from math import prod
from statistics import NormalDist

from onegig.judge.confidence import LEVEL
from onegig.judge.fit import MOST
from onegig.model.measured import Missing, Skipped
from onegig.model.plan import Confidence, Letter, Option, Plan
from onegig.model.sizes import format_mb
from onegig.model.state import State
from onegig.model.verdict import Fit
from onegig.plan.case import Case

_IMAGES, _MEMORY, _SQUEEZE, _ALL = 0.95, 0.80, 0.60, 0.70
_SIZES = ("images.total", "disk.total")
_DEVIATIONS = NormalDist().inv_cdf((1 + LEVEL) / 2)  # from the middle of an interval to its end


def make_confidence(case: Case, plan: Plan) -> tuple[Confidence, ...]:
    """Return the claims about images, memory and what is over, then all of them together."""
    return _complete(_images(case), _memory(case), plan)


def update_confidence(plan: Plan) -> Plan:
    """Return the plan with the claims that depend on whether its options hold."""
    if not plan.confidence:
        return plan
    images, memory, *_ = plan.confidence
    return replace(plan, confidence=_complete(images, memory, plan))


def _complete(images: Confidence, memory: Confidence, plan: Plan) -> tuple[Confidence, ...]:
    parts = (images, memory, _squeeze(plan))
    return (*parts, _together(parts, plan))


def _images(case: Case) -> Confidence:
    subject = "images fit the disk"
    if isinstance(images := case.report.images, Missing):
        return Confidence(subject=subject, estimated=_IMAGES, probability=images)
    checks = [check for check in case.report.verdict.checks if check.id in _SIZES]
    fits = all(check.state is not State.NO_GO for check in checks)
    share, count = MOST if fits else 1 - MOST, len(images.images)
    return Confidence(
        subject=subject,
        estimated=_IMAGES,
        probability=share,
        low=share,
        high=1.0 if fits else share,
        basis=f"{count:,} image{'s' if count != 1 else ''} counted byte for byte",
    )


def _memory(case: Case) -> Confidence:
    subject, fit = "memory fits", case.report.verdict.fit
    if isinstance(fit, Missing):
        return Confidence(subject=subject, estimated=_MEMORY, probability=fit)
    return Confidence(
        subject=subject,
        estimated=_MEMORY,
        probability=fit.probability,
        low=fit.low,
        high=fit.high,
        basis=f"{fit.boots} boot{'' if fit.boots == 1 else 's'}",
    )


def _squeeze(plan: Plan) -> Confidence:
    if plan.left_bytes >= 0:
        nothing = Skipped(reason="nothing is over")
        return Confidence(subject="what is over can go", estimated=_SQUEEZE, probability=nothing)
    subject = f"the last {format_mb(-plan.left_bytes)} can go"
    options = [option for option in plan.options if Letter.PAY not in option.letters]
    rated = [_rate(option) for option in options if option.actions]
    if not rated:
        return Confidence(
            subject=subject,
            estimated=_SQUEEZE,
            probability=Skipped(reason="no action but a larger machine is known"),
        )
    share, low, high, basis = max(rated)
    return Confidence(
        subject=subject, estimated=_SQUEEZE, probability=share, low=low, high=high, basis=basis
    )


def _rate(option: Option) -> tuple[float, float, float, str]:
    """Return how likely an option suffices, the ends of its interval, and the basis."""
    verified = option.verified
    if not isinstance(verified, Missing):
        if not option.fits:
            return 1 - MOST, 0.0, 1 - MOST, f"option {option.name} was booted: {option.problem}"
        if isinstance(fit := verified.fit, Fit):
            return fit.probability, fit.low, fit.high, f"option {option.name} was booted"
    spread = (option.high_bytes - option.low_bytes) / 2 / _DEVIATIONS
    bell = NormalDist(0.0, max(spread, 1.0))
    width = (option.high_bytes - option.low_bytes) / 2
    share, low, high = (
        min(MOST, max(1 - MOST, bell.cdf(option.left_bytes + shift)))
        for shift in (0.0, -width, width)
    )
    return share, low, high, f"option {option.name}, predicted"


def _together(parts: tuple[Confidence, ...], plan: Plan) -> Confidence:
    """Multiply the claims that count: of memory and what is over, the one that applies."""
    images, memory, squeeze = parts
    counted = list(_measured((images, memory if plan.left_bytes >= 0 else squeeze)))
    subject = "the stack runs on this machine"
    if len(counted) < 2:
        missing = next(p.probability for p in parts if isinstance(p.probability, Missing))
        return Confidence(subject=subject, estimated=_ALL, probability=missing)
    return Confidence(
        subject=subject,
        estimated=_ALL,
        probability=prod(share for share, _ in counted),
        low=prod(claim.low for _, claim in counted),
        high=prod(claim.high for _, claim in counted),
        basis="the claims multiplied, taken for independent",
    )


def _measured(claims: tuple[Confidence, ...]) -> Iterator[tuple[float, Confidence]]:
    for claim in claims:
        if isinstance(claim.probability, float):
            yield claim.probability, claim
