"""Keys of budgets.yml that say how a stack is measured: the window, the twin's image, the load."""

from dataclasses import dataclass, replace
from enum import StrEnum

from onegig.model.keys import (
    AS_WRITTEN,
    DURATION,
    FLAG,
    NUMBER,
    POSITIVE,
    SHA256,
    TEXT,
    WHOLE,
    Several,
    choice,
    either,
    key,
    later,
    lowered,
    raised,
)
from onegig.model.sizes import plain_number

RATE = "{rate}"


class SqueezeMode(StrEnum):
    """When a stack is booted once more under the room that its machine leaves it."""

    ALWAYS = "always"
    AUTO = "auto"  # where the numbers alone can't show whether it fits
    NEVER = "never"


@dataclass(frozen=True, kw_only=True, slots=True)
class Measure:
    """Settings of the measurement: how long and how often to sample.

    Attributes:
        settle_seconds: Wait between the last service turning healthy and the first sample.
        window_seconds: How long samples are taken; the highest total counts.
        hz: Samples per second.
        healthy_timeout_seconds: How long the stack may take to turn healthy.
        windows: How many windows are measured one after the other in each boot; the highest counts,
            all are shown.
        repeats: How often the stack is booted anew, on a fresh machine each time; the highest
            counts, all are shown. Up to two boots are added where a limit lies within their spread.
        squeeze: When to boot the stack once more with just the memory that the tier's machine
            leaves to engine and stack, to see what the kernel does: always, never, or auto: where
            at most a tenth of the machine is left, or the limit is exceeded by up to a tenth.
        throttled: Whether to boot the stack once more with just the processor that the tier's
            machine has left once its credits are used up, to see whether it starts and stays up.
        reboot: Whether to reboot the twin in the end: the engine then starts everything that has a
            restart policy at once, without compose's order. Does all come back, and fit?
    """

    # a shorter wait misses some of what grows, a longer one some of the start
    settle_seconds: float = key(DURATION, either, "5s")
    window_seconds: float = key(DURATION, lowered, "15s", bounds=POSITIVE)
    hz: float = key(NUMBER, lowered, 10, bounds={**POSITIVE, "maximum": 100})
    healthy_timeout_seconds: float = key(DURATION, raised, "120s", bounds=POSITIVE)
    windows: int = key(WHOLE, lowered, 1, bounds={"minimum": 1, "maximum": 20})
    repeats: int = key(WHOLE, lowered, 1, bounds={"minimum": 1, "maximum": 20})
    squeeze: SqueezeMode = key(choice(tuple(SqueezeMode), SqueezeMode), later, "auto")
    throttled: bool = key(FLAG, lowered, default=False)
    reboot: bool = key(FLAG, lowered, default=False)


@dataclass(frozen=True, kw_only=True, slots=True)
class TwinImage:
    """A cloud image that the twin boots, instead of the Debian that onegig builds for it.

    Attributes:
        image: The image's file, qcow2 or raw, relative to this file. It has to have cloud-init and
            to take its data from a NoCloud disk, as images of clouds do.
        sha256: Its SHA-256. Any other file is refused.
    """

    image: str = key(TEXT, either, required=True, example="debian-13.qcow2")
    sha256: str = key(SHA256, either, required=True)


@dataclass(frozen=True, kw_only=True, slots=True)
class Load:
    """A load applied from outside the box, in its network: a command run from one service's image.

    Attributes:
        service: The service whose image the command runs from.
        command: Program and arguments, one item each; no shell. {rate} stands for load.rate.
        rate: The number that {rate} in the command stands for, such as messages a second.
        environment: Variables that compose fills in while it reads the stack, so that a stack can
            be pointed at the load. Names that steer programs of this machine, such as PATH or
            DOCKER_HOST, are refused.
    """

    service: str = key(TEXT, either, required=True, example="web")
    command: tuple[str, ...] = key(
        Several(item=AS_WRITTEN), either, required=True, example=["python", "load.py"]
    )
    rate: float | None = key(NUMBER, lowered, bounds=POSITIVE)
    environment: tuple[tuple[str, str], ...] = key(
        Several(item=replace(AS_WRITTEN, example="ws://feed:9400"), named=True), either
    )

    @property
    def takes_rate(self) -> bool:
        """Return whether the command has a place for the rate."""
        return any(RATE in word for word in self.command)

    @property
    def words(self) -> tuple[str, ...]:
        """Return the command as it is run."""
        if self.rate is None:
            return self.command
        rate = plain_number(self.rate)
        return tuple(word.replace(RATE, rate) for word in self.command)
