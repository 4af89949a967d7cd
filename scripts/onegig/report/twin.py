"""Lines about a virtual machine: its memory before and under the stack, and its software."""

from onegig.model.engines import EngineKind
from onegig.model.measured import Missing
from onegig.model.memory import MemoryReport
from onegig.model.twin import Guest, TwinMemory
from onegig.report import numbers

_ACCELERATORS = {"kvm": "KVM", "tcg": "an emulated processor"}


def machine_name(memory: MemoryReport | None) -> str:
    """Return the kind of machine: "box" or "twin"."""
    return "box" if memory is None else str(memory.machine)


def describe_guest(guest: Guest, kind: EngineKind = EngineKind.DOCKER) -> str:
    """Return such as "Debian GNU/Linux 13, kernel 6.12.48, Docker 26.1.5, KVM"."""
    image = f"image {guest.image}" if guest.image else ""
    return ", ".join(
        filter(
            None,
            (
                guest.os,
                f"kernel {guest.kernel}",
                describe_engine(kind, guest.engine_version),
                _ACCELERATORS.get(guest.accelerator, guest.accelerator),
                image,
            ),
        )
    )


def describe_engine(kind: EngineKind, version: str) -> str:
    """Return such as "Docker 26.1.5 (tuned)" or "Podman 5.4.2 with crun"."""
    if kind.is_podman:
        return f"Podman {version} with {kind.runtime}"
    return f"Docker {version}{' (tuned)' if kind is EngineKind.TUNED else ''}"


def _system(twin: TwinMemory) -> str:
    """Return how large the machine is, and what its system takes."""
    before = twin.before
    return numbers.joined(
        f"MemTotal {numbers.memory(twin.memtotal_bytes, down=True)} "
        f"of {numbers.memory(twin.sold_bytes, down=True)}",
        f"idle OS {numbers.memory(twin.os_bytes)}",
        f"{before.system_processes} processes with {numbers.memory(before.system_pss_bytes)} PSS",
    )


def twin_rows(memory: MemoryReport) -> tuple[tuple[str, str], ...]:
    """Return the name and the text of each line about a twin; none about a box."""
    twin = memory.twin
    if isinstance(twin, Missing):
        return ()
    rows = {
        "system": _system(twin),
        "available": _available(twin),
        "cost": _cost(twin),
        "swap": _swap(twin),
    }
    return tuple((name, text) for name, text in rows.items() if text)


def _available(twin: TwinMemory) -> str:
    moments = {
        "without an engine": twin.before,
        "with it": twin.idle,
        "at the peak": twin.peak,
        "at the least": twin.lowest,
    }
    return ", ".join(
        f"{numbers.memory(reading.available_bytes, down=True)} {when}"
        for when, reading in moments.items()
    )


def _cost(twin: TwinMemory) -> str:
    share = twin.difference_share
    apart = f"{numbers.percent(abs(share))} {'more' if share > 0 else 'less'}"
    counted, fell = numbers.memory(twin.counted_bytes), numbers.memory(twin.fell_bytes)
    return f"{counted} counted; available memory fell by {fell}, {apart}"


def _swap(twin: TwinMemory) -> str:
    if not twin.swap_kind:
        return ""
    used, size = numbers.memory(twin.swap_peak_bytes), numbers.memory(twin.swap_bytes, down=True)
    return f"{used} of {size} {twin.swap_kind} at most"
