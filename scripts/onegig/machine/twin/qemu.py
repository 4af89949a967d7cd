"""QEMU's command line for a machine of the tier's size. Pure."""

from collections.abc import Sequence
from dataclasses import dataclass

# QEMU's user-mode network, of addresses that no stack has (RFC 5737): its own end, and the guest.
NETWORK, OUTSIDE, INSIDE = "192.0.2.0/24", "192.0.2.2", "192.0.2.15"
ENGINE_PORT = 2375  # of the guest's engine, on INSIDE
AGENT_PORT = "onegig"  # name of the virtio port that the agent speaks through
KVM, TCG = "kvm", "tcg"
# Emulated, a processor with few features is as fast as one with many, and the programs of today's
# images ask for those of x86-64-v2, which QEMU's own qemu64 lacks.
# Nor is it attacked through its caches: the page tables that Linux changes at each system call
# against that make an emulated one twice as slow.
_EMULATED = " mitigations=off nowatchdog"
_PROCESSORS = {KVM: "host", TCG: "Nehalem"}
# Debian's Linux 6.12 reserves this much for itself, and 64 bytes for each page of 4 KiB: MemTotal
# was 970,000 kB of 1,028,000.
RESERVED_KIB = 42_230
_PAGES_SHARE = 64


@dataclass(frozen=True, kw_only=True, slots=True)
class Port:
    """A port that services publish, as it is reached from outside the guest."""

    number: int
    protocol: str = "tcp"  # or udp
    address: str = ""  # of the loopback interface; "": all


@dataclass(frozen=True, kw_only=True, slots=True)
class Drive:
    """A disk of the guest."""

    path: str
    kind: str = "raw"  # or qcow2
    keep: bool = False  # changes are thrown away at the end: the file is not the run's own


@dataclass(frozen=True, kw_only=True, slots=True)
class Hardware:
    """A virtual machine."""

    memory_kib: int
    processors: int
    drives: Sequence[Drive]  # the first is the root
    agent_socket: str  # where QEMU listens for what is to reach the agent
    console: str  # file with what the guest prints on its serial line
    control_port: int  # of QEMU's network, on the loopback interface: leads to the guest's engine
    ports: Sequence[Port] = ()
    kernel: str = ""  # "": the disk has a boot loader
    initrd: str = ""
    parameters: str = ""  # of the kernel


def memory_for(memtotal_bytes: int, reserved_kib: int = RESERVED_KIB) -> int:
    """Return the memory in KiB of a machine whose kernel then shows that MemTotal."""
    kib = (memtotal_bytes // 1024 + reserved_kib) * _PAGES_SHARE / (_PAGES_SHARE - 1)
    return round(kib / 64) * 64


def reserved_by(memory_kib: int, memtotal_bytes: int) -> int:
    """Return the kernel's reserve in KiB, without the part that grows with the machine."""
    return memory_kib - memory_kib // _PAGES_SHARE - memtotal_bytes // 1024


def arguments(hardware: Hardware, accelerator: str) -> list[str]:
    """Return the command that runs the machine until it is switched off."""
    accelerated = ("-accel", "tcg,thread=multi") if accelerator == TCG else ("-accel", accelerator)
    forwards = [f"tcp:127.0.0.1:{hardware.control_port}-{INSIDE}:{ENGINE_PORT}"]
    forwards += [f"{p.protocol}:{p.address}:{p.number}-{INSIDE}:{p.number}" for p in hardware.ports]
    network = ",".join([f"user,id=net,net={NETWORK}", *(f"hostfwd={rule}" for rule in forwards)])
    command = [
        *("qemu-system-x86_64", "-nodefaults", "-no-user-config", "-display", "none"),
        *("-machine", "pc", *accelerated, "-cpu", _PROCESSORS[accelerator]),
        *("-smp", str(hardware.processors), "-m", f"size={hardware.memory_kib}k"),
        *("-chardev", f"file,id=console,path={_text(hardware.console)}"),
        *("-serial", "chardev:console", "-action", "panic=shutdown"),
        *("-device", "pvpanic-pci", "-device", "virtio-rng-pci", "-device", "virtio-serial-pci"),
        *("-chardev", f"socket,id=agent,path={_text(hardware.agent_socket)},server=on,wait=off"),
        *("-device", f"virtserialport,chardev=agent,name={AGENT_PORT}"),
        *("-netdev", network, "-device", "virtio-net-pci,netdev=net,romfile="),
    ]
    for number, drive in enumerate(hardware.drives):
        fields = f"file={_text(drive.path)},format={drive.kind},if=none,id=disk{number}"
        command += ["-drive", f"{fields},cache=unsafe,snapshot={'on' if drive.keep else 'off'}"]
        command += ["-device", f"virtio-blk-pci,drive=disk{number}"]
    if hardware.kernel:
        command += ["-kernel", hardware.kernel, "-initrd", hardware.initrd]
        more = _EMULATED if accelerator == TCG else ""
        command += ["-append", f"{hardware.parameters}{more}"]
    return command


def _text(value: str) -> str:
    """Return a value for an option whose fields are separated by commas."""
    return value.replace(",", ",,")
