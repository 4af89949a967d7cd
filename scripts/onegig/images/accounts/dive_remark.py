"""Why dive and the exact account disagree, in one line. Pure."""

from onegig.images.account import Account
from onegig.model.images import Parity
from onegig.model.sizes import Convention, format_mb

LEAST_BYTES = 100_000  # what shows in the first decimal of MB
UNSEEN = "it does not see what was removed with its directory ({})"
TWICE = "it counts every copy of a path, the one in use too"
LEFT_OUT = (
    "it leaves out files that a directory replaced, and what comes after a whiteout of nothing"
)


def explain(parity: Parity, account: Account) -> str:
    """What makes dive's wasted bytes other than the dead ones; "" when that is next to nothing.

    Wasted = dead - removed with a directory + copies in use, as a rule: bytes that went with their
    directory are wasted only to the extent that their paths came back later.
    """
    wasted, dead = parity.wasted_bytes, account.dead_bytes
    if abs(wasted - dead) < LEAST_BYTES:
        return ""
    unseen = account.deleted_with_directory_bytes
    reasons = [UNSEEN.format(format_mb(unseen, Convention.STORAGE))] if unseen else []
    if wasted > dead - unseen:
        reasons.append(TWICE)
    elif wasted < dead - unseen:
        reasons.append(LEFT_OUT)
    why = ", and ".join(reasons)
    sizes = [format_mb(each, Convention.STORAGE) for each in (wasted, dead)]
    return f"dive finds {sizes[0]} wasted, {sizes[1]} are dead: {why}"
