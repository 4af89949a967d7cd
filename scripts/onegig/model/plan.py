"""A plan: what to do so that a stack fits, each action with its megabytes and their origin.

Memory is in bytes by the metric of the verdict, disks in bytes, prices in US dollars a month.
"""

from dataclasses import dataclass
from enum import IntEnum, StrEnum

from onegig.model.measured import Missing, Skipped
from onegig.model.state import State
from onegig.model.verdict import NO_FIT, Fit

NO_PLAN = Skipped(reason="no plan was made")
NOT_JUDGED = Skipped(reason="it was not judged")
NOT_VERIFIED = Skipped(reason="not tried (`onegig plan --verify` boots it)")


class Letter(StrEnum):
    """The kinds of actions; the one that asks least of the user first."""

    SQUEEZE = "A"  # the same services with less memory, or without optional ones
    ENGINE = "engine"  # another engine, or the same one tuned
    CONSOLIDATE = "B"  # several services in one container
    PAY = "C"  # a larger machine


class Basis(StrEnum):
    """The origin of a figure."""

    MEASURED = "measured"  # on this stack, with and without the action
    PREDICTED = "predicted"  # computed from what was measured of this stack
    QUOTED = "quoted"  # measured elsewhere, as the source says


@dataclass(frozen=True, kw_only=True, slots=True)
class Saving:
    """The memory that an action saves in operation; the true one should lie in the interval."""

    bytes: int
    low_bytes: int
    high_bytes: int
    basis: Basis
    source: str  # "memory of redis at the peak of the window", or an address


class ChangeKind(StrEnum):
    """Forms of a change."""

    COMPOSE = "compose"  # JSON that is merged into the compose project: {"services": {...}}
    DIFF = "diff"  # a unified diff of the file at `path`
    COMMANDS = "commands"  # for a shell on the machine, one a line


@dataclass(frozen=True, kw_only=True, slots=True)
class Change:
    """One change, in a form that a program can apply."""

    kind: ChangeKind
    text: str
    path: str = ""


class Loss(IntEnum):
    """The price of an action to the user, the least first. Plans take the least that suffices."""

    NOTHING = 0
    COMFORT = 1  # something is slower, later or harder to look at
    MINOR = 2  # an optional service of low criticality is gone
    FEATURE = 3  # an optional service is gone, or services share a fate
    MAJOR = 4  # an optional service of high criticality is gone, or it costs money


@dataclass(frozen=True, kw_only=True, slots=True)
class Verified:
    """One option, or one action, as it was really booted.

    `problem` says why it does not hold; "" if it does.
    """

    total_bytes: int | Missing
    start_bytes: int | Missing  # the peak while starting, the system's part included
    state: State
    problem: str = ""
    fit: Fit | Missing = NO_FIT  # below the tightest limit
    left_bytes: int | Missing = NOT_JUDGED  # of that one; negative: over


@dataclass(frozen=True, kw_only=True, slots=True)
class Action:
    """One thing to do. `id` is stable and unique in a plan: "off:whale-watch", "thp"."""

    id: str
    option: Letter
    title: str  # in the imperative: "Turn off whale-watch (optional, criticality low)"
    saving: Saving
    cost: str  # to the user: "nothing looks for large transfers"; "" for none
    changes: tuple[Change, ...]
    loss: Loss = Loss.NOTHING
    services: tuple[str, ...] = ()  # that it is about; () for the machine or the engine
    removes: tuple[str, ...] = ()  # services that do not run any more: what they saved is gone
    excludes: tuple[str, ...] = ()  # ids of actions that it can't be combined with
    share_bytes: int = 0  # of the saving, for each service: gone with those that others remove
    start_bytes: int | None = None  # what the peak while starting falls by; None: as in operation
    tier_bytes: int | None = None  # what the need on the tier falls by; None: as in operation
    disk_bytes: int = 0  # saved on the disk
    verified: Verified | Missing = NOT_VERIFIED  # by itself


@dataclass(frozen=True, kw_only=True, slots=True)
class Option:
    """Actions to take together, with what they are predicted to bring the total to.

    `left_bytes`, `fits` and `roomy` are what was verified, where it was, else predicted.
    """

    letters: tuple[Letter, ...]
    actions: tuple[str, ...]  # by id, the one that saves most first
    total_bytes: int  # predicted; the headline as in the verdict
    low_bytes: int
    high_bytes: int
    left_bytes: int  # of the tightest limit; negative: over
    fits: bool
    roomy: bool  # also keeps memory.headroom free
    problem: str = ""  # why it does not suffice, or does not hold
    changes: tuple[Change, ...] = ()  # all of its actions', each file once
    verified: Verified | Missing = NOT_VERIFIED

    @property
    def name(self) -> str:
        """Return "A", or "A + engine"."""
        return " + ".join(self.letters)

    @property
    def error_share(self) -> float | None:
        """Return how far the prediction was off, as a share of what was verified; None: not known.

        Positive where more was predicted.
        """
        if isinstance(self.verified, Missing) or not isinstance(self.verified.total_bytes, int):
            return None
        return (
            self.total_bytes / self.verified.total_bytes - 1 if self.verified.total_bytes else 0.0
        )


@dataclass(frozen=True, kw_only=True, slots=True)
class Offer:
    """One machine of the catalogue that the stack fits on, with headroom."""

    tier: str
    memory_bytes: int  # as sold
    room_bytes: int  # MemTotal, or the memory as sold where that is not confirmed
    confirmed: bool
    needed_bytes: int
    architecture: str
    usd_per_month: float | Missing  # machine, public IPv4 address and disk together
    price: str  # "12.00 machine, IPv4 and 60 GB included"
    free: str  # "free for 12 months"; "" for never
    as_of: str
    source: str
    remarks: tuple[str, ...] = ()  # other architecture, row is old


@dataclass(frozen=True, kw_only=True, slots=True)
class ServiceLimit:
    """The memory limit of each container of a service: today's, and by its measured peak."""

    service: str
    peak_bytes: int  # the kernel's high-water mark, page cache included
    working_set_bytes: int  # at the peak of the window
    limit_bytes: int | None  # today's; None: none
    new_bytes: int  # recommended `mem_limit`
    reservation_bytes: int  # recommended `mem_reservation`
    remark: str = ""  # what is wrong with today's, or with a new one
    advised: bool = True  # False: a new one would change what the program does


@dataclass(frozen=True, kw_only=True, slots=True)
class Confidence:
    """A claim about the stack with the probability once estimated, and the measured one."""

    subject: str  # "images fit the disk"
    estimated: float
    probability: float | Missing
    low: float = 0.0
    high: float = 1.0
    basis: str = ""  # what was measured


@dataclass(frozen=True, kw_only=True, slots=True)
class Plan:
    """All actions, and options made of them.

    `best` names the option that fits at the least loss; "" where none does. For a stack that fits
    with headroom it is the one that saves most without a loss.
    """

    schema: str = "onegig/plan/1"
    stack: str
    total_bytes: int  # today
    limit_bytes: int
    left_bytes: int  # of the tightest limit, today
    roomy: bool  # everything fits today, and keeps memory.headroom free
    tightest: str  # what that limit is about: "Memory on aws-t2-micro"
    actions: tuple[Action, ...]
    options: tuple[Option, ...]
    best: str
    offers: tuple[Offer, ...] = ()  # the cheapest first
    confidence: tuple[Confidence, ...] = ()
    notes: tuple[str, ...] = ()
    limits: tuple[ServiceLimit, ...] = ()

    def actions_of(self, option: Option) -> tuple[Action, ...]:
        """Return an option's actions."""
        known = {action.id: action for action in self.actions}
        return tuple(known[name] for name in option.actions if name in known)
