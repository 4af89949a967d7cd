"""What a change of budgets.yml changes in the limits, each in words and with its direction."""

from onegig.model.budgets import Budgets
from onegig.model.review import LimitChange


def limit_changes(old: Budgets, new: Budgets) -> tuple[LimitChange, ...]:
    """Every line that changes what is judged or how it is measured, in the order of the file."""
    return ()
