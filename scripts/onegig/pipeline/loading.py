"""The first step: budgets.yml and the compose project that it names."""

from dataclasses import replace
from pathlib import Path

from onegig.config.budgets import check_against, default_budgets, load_budgets
from onegig.config.stack import load_stack, part_of
from onegig.errors import ConfigError
from onegig.model.budgets import RATE, Budgets, Load, Measure
from onegig.model.stack import Stack
from onegig.model.tiers import NO_TIER, find_tier
from onegig.pipeline.options import Options


def load(options: Options) -> tuple[Budgets, Stack]:
    """Return the budgets, and the compose project they name; messages then name its first file."""
    budgets = load_limits(options)
    stack = load_stack(
        options.compose or tuple(map(Path, budgets.compose_files)),
        folder=Path() if options.compose else options.budgets.parent,
        profiles=options.profiles or budgets.profiles,
        env=load_environment(budgets),
    )
    budgets = replace(budgets, compose=stack.files[0])
    check_against(budgets, stack)
    return budgets, part_of(stack, options.services) if options.services else stack


def load_limits(options: Options) -> Budgets:
    """Return the budgets, defaults where the file may be missing, with the options' overrides.

    Raises ConfigError, which names every mistake.
    """
    missing = options.budgets_may_be_missing and not options.budgets.exists()
    budgets = default_budgets(options.budgets) if missing else load_budgets(options.budgets)
    budgets = replace(
        budgets,
        tier=options.tier or budgets.tier,
        measure=_planned(budgets.measure, options),
        load=_at_rate(budgets.load, options.rate),
    )
    if budgets.tier and budgets.tier != NO_TIER:
        find_tier(budgets.tier)
    return budgets


def _planned(plan: Measure, options: Options) -> Measure:
    window, settle = options.window_seconds, options.settle_seconds
    return replace(
        plan,
        window_seconds=plan.window_seconds if window is None else window,
        settle_seconds=plan.settle_seconds if settle is None else settle,
        repeats=options.repeats or plan.repeats,
    )


def _at_rate(given: Load | None, rate: float | None) -> Load | None:
    if rate is None:
        return given
    if given is None or not given.takes_rate:
        raise ConfigError(
            "--rate has nothing to set",
            advice=f"put {RATE} into load.command of budgets.yml, where the load takes its rate",
        )
    return replace(given, rate=rate)


def load_environment(budgets: Budgets) -> dict[str, str]:
    """Return what the load sets while compose reads the stack, and for no other program.

    They are variables of the compose process, after names that steer programs were refused. An
    `--env-file` would protect no better: compose 2.26 hands all it holds, LD_PRELOAD included, to
    programs that it starts. It would also replace `.env`, and the shell would go before it.
    """
    return dict(budgets.load.environment) if budgets.load else {}
