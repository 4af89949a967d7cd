"""The first step: budgets.yml and the compose project that it names."""

from dataclasses import replace

from onegig.errors import ConfigError
from onegig.load.budgets import COMPOSE_NAMES, check_against, default_budgets, load_budgets
from onegig.load.compose_errors import no_compose_file
from onegig.load.stack import load_stack, part_of
from onegig.model.budgets import RATE, Budgets, Load, Measure
from onegig.model.stack import Stack
from onegig.model.tiers import find_tier
from onegig.pipeline.options import Options


def load(options: Options) -> tuple[Budgets, Stack]:
    """The budgets, and the compose project they name."""
    budgets = load_limits(options)
    folder = options.budgets.parent
    files = options.compose or (folder / budgets.compose,)
    if not options.compose and budgets.where("compose") == "default" and not files[0].exists():
        raise no_compose_file(folder, COMPOSE_NAMES)
    stack = load_stack(tuple(files), env=load_environment(budgets))
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
    if budgets.tier:
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
    """What the load sets while compose reads the stack."""
    return dict(budgets.load.environment) if budgets.load else {}
