"""The states of a verdict, and everything that depends on a state alone: one row each."""

from enum import StrEnum

_GREEN = ("#0f6b43", "#6fd8a4"), ("#e3f4ea", "#12301f")
_YELLOW = ("#855300", "#f2c063"), ("#fdf0d3", "#352708")
_PURPLE = ("#6a3d9c", "#cbaaf5"), ("#f0e8fa", "#2b1b40")
_RED = ("#b01f24", "#ff9a96"), ("#fce6e5", "#3b1516")

BADGE_COLORS = {  # shields.io's names and what is drawn for them
    "brightgreen": "#4b0",
    "yellow": "#d8b800",
    "red": "#dd4343",
    "lightgrey": "#939393",
}


class State(StrEnum):
    """A state of a check or a verdict, the best first; the worst of its checks is the verdict's.

    `exit_code` is the command's; `symbol` and `color` are the terminal's, `icon` is the comment's,
    `badge` one of BADGE_COLORS, `level` the kind of an annotation on GitHub ("": none), `noun`
    what a check in that state is called ("": not counted). `inks` and `washes` are the page's
    colours for text and for what is behind it, in the light and in the dark.
    """

    exit_code: int
    symbol: str
    color: str
    icon: str
    badge: str
    level: str
    noun: str
    inks: tuple[str, str]
    washes: tuple[str, str]

    GO = "GO", 0, "✓", "green", "✅", "brightgreen", "", "", *_GREEN
    WARN = "WARN", 0, "!", "yellow", "⚠️", "yellow", "warning", "warning", *_YELLOW
    INCOMPLETE = "INCOMPLETE", 4, "?", "magenta", "❔", "lightgrey", "error", "gap", *_PURPLE
    NO_GO = "NO-GO", 1, "✗", "red", "❌", "red", "error", "failure", *_RED

    def __new__(cls, name: str, *row: object) -> "State":
        """Make a member from its row."""
        state = str.__new__(cls, name)
        state._value_ = name
        for column, value in zip(cls.__annotations__, row, strict=True):
            setattr(state, column, value)
        return state

    @property
    def rank(self) -> int:
        """Return the place in the table: the higher, the worse."""
        return list(State).index(self)

    @property
    def passes(self) -> bool:
        """Return whether a build goes on."""
        return self.exit_code == 0
