"""The states of a verdict, and everything that depends on a state alone: one row each."""

from enum import StrEnum


class State(StrEnum):
    """A state of a check or a verdict, the best first; the worst of its checks is the verdict's.

    `exit_code` is the command's; `symbol` and `color` are the terminal's, `icon` is the comment's,
    `badge` a colour of shields.io, `level` the kind of an annotation on GitHub ("": none), `noun`
    what a check in that state is called ("": not counted).
    """

    exit_code: int
    symbol: str
    color: str
    icon: str
    badge: str
    level: str
    noun: str

    GO = "GO", 0, "✓", "green", "✅", "brightgreen", "", ""
    WARN = "WARN", 0, "!", "yellow", "⚠️", "yellow", "warning", "warning"
    INCOMPLETE = "INCOMPLETE", 4, "?", "magenta", "❔", "lightgrey", "error", "gap"
    NO_GO = "NO-GO", 1, "✗", "red", "❌", "red", "error", "failure"

    def __new__(
        cls,
        name: str,
        exit_code: int,
        symbol: str,
        color: str,
        icon: str,
        badge: str,
        level: str,
        noun: str,
    ) -> "State":
        """Make a member from its row."""
        state = str.__new__(cls, name)
        state._value_ = name
        state.exit_code, state.symbol, state.color = exit_code, symbol, color
        state.icon, state.badge, state.level, state.noun = icon, badge, level, noun
        return state

    @property
    def rank(self) -> int:
        """Return the place in the table: the higher, the worse."""
        return list(State).index(self)

    @property
    def passes(self) -> bool:
        """Return whether a build goes on: GO and WARN."""
        return self.exit_code == 0
