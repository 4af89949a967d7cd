"""Keys of budgets.yml for the measurement: the window, the twin's image, the load."""

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
    """Conditions for booting a stack again with only the memory that its machine leaves it."""

    ALWAYS = "always"
    AUTO = "auto"  # if the numbers alone can't show whether it fits
    NEVER = "never"


@dataclass(frozen=True, kw_only=True, slots=True)
class Measure:
    """Settings of the measurement: how long and how often to sample.

    Attributes:
        settle_seconds: Wait between the last service becoming healthy and the first sample.
        window_seconds: Length of a window. Its highest total counts.
        hz: Samples per second.
        healthy_timeout_seconds: Time that the stack may take to become healthy.
        windows: Number of windows in each boot, one after another. The highest total counts; all
            are shown.
        repeats: Number of boots, each on a fresh machine. The highest total counts; all are shown.
            Up to two boots are added if a limit is within their spread.
        squeeze: Boot the stack again with only the memory that the tier's machine leaves to engine
            and stack, and see what the kernel does: always, never, or auto, which does it if at
            most a tenth of the machine is left or the limit is exceeded by at most a tenth.
        throttled: Boot the stack again with only the CPU that the tier's machine has left when its
            credits are used up, and check that it starts and stays up.
        reboot: Reboot the twin at the end, and check that every service comes back and fits: the
            engine then starts all of them at once, without compose's order.
    """

    # a shorter wait misses growth, a longer one misses part of the start
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
        image: File of the image, qcow2 or raw, relative to this file. It needs iptables, and
            cloud-init with the NoCloud data source.
        sha256: Its SHA-256. Any other file is refused.
    """

    image: str = key(TEXT, either, required=True, example="debian-13.qcow2")
    sha256: str = key(SHA256, either, required=True)


@dataclass(frozen=True, kw_only=True, slots=True)
class Load:
    """A load from outside the box, but in its network: a command run from one service's image.

    Attributes:
        service: Service whose image the command runs from.
        command: Program and arguments, one item each; no shell. {rate} is replaced by load.rate.
        rate: Value of {rate} in the command, such as messages per second.
        environment: Variables that are set while compose reads the stack, to point it at the load.
            Names that affect programs on this machine, such as PATH or DOCKER_HOST, are refused.
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
