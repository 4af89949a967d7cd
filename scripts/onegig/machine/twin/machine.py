"""The twin as a Machine: boots, is sampled from its first second, starts engine and stack.

What the machine's available memory falls by from then on is what engine and stack cost it.
"""

import json
import os
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from onegig.engine.engine import NESTED_CALL_SECONDS, Engine, reach
from onegig.errors import BootError, ConfigError, EngineError, MeasureError
from onegig.machine.box import fill_volume, read_remarks
from onegig.machine.load import RunningLoad, apply_load
from onegig.machine.machine import BootPlan, Start, TwinFacts
from onegig.machine.nesting import HostPrograms
from onegig.machine.project import BoxProject, prepare_project
from onegig.machine.sampler import Pass
from onegig.machine.settings import FILES, PERIOD, read_settings
from onegig.machine.start import start_stack
from onegig.machine.twin import disks, emulation, host, qemu, virtual
from onegig.machine.twin.engines import GuestEngine, adapt_project, guest_engine
from onegig.machine.twin.guest import Guest, ensure_guest
from onegig.machine.twin.virtual import VirtualMachine
from onegig.machine.watch import Watch
from onegig.model import twin as model
from onegig.model.engines import EngineKind
from onegig.model.settings import Settings

MODE = "virtual machine"
ARCHITECTURE = "amd64"  # as the engine names it
MIB = 1024**2
BOOT_SECONDS = {qemu.KVM: 120.0, qemu.TCG: 600.0}
COMMAND_SECONDS = 180.0
ASK_SECONDS = 3.0
REST_SECONDS = 120.0
PREPARATION = "! cat /onegig/problem 2>/dev/null && cat /onegig/remarks"  # see guest.sh
BOOT_ID = "cat /proc/sys/kernel/random/boot_id"
ENGINE_SECONDS = 600.0
BOOT_HZ = 2.0  # passes a second until the engine is up
QUIET_SECONDS = 3.0  # after which the most that was available counts
EMULATED_CALL_SECONDS = 120
MOST_OFF_KIB = 1024  # of MemTotal; the machine is started anew if it is off by more
PARAMETERS = (
    "root=/dev/vda rw console=tty0 console=ttyS0 loglevel=5 net.ifnames=0 psi=1"
    " systemd.show_status=0"
)


@dataclass(kw_only=True)
class Twin:
    """A Machine; see open_machine."""

    plan: BootPlan
    project: BoxProject
    engine: Engine
    virtual: VirtualMachine
    running_load: RunningLoad
    twin: TwinFacts
    settings: Settings
    remarks: tuple[str, ...]
    mode: str = MODE
    oom_score_shift: int = 0  # docker.service has the score that Docker's packages give it

    def __post_init__(self) -> None:
        self.load = self.running_load.description
        assert self.twin.before.machine is not None  # noqa: S101 - the agent's passes have it
        self.cap_bytes = self.twin.before.machine.total

    @property
    def watch(self) -> Watch:
        """Return the passes since the machine booted."""
        return self.virtual.watch

    def start_stack(self) -> Start:
        """Start the stack and wait until it is ready; BootError when nothing could start."""
        start = start_stack(self.plan, self.project, self, self.watch)
        self.running_load.resume(self.plan.engine)
        return start

    def clear(self) -> None:
        """Kill the engine and its containers; remove them once it is back."""
        own = guest_engine(self.plan.budgets.engine)
        with suppress(MeasureError):
            self.virtual.port.run(own.kill_command, COMMAND_SECONDS)
        self.engine.remove_all(ENGINE_SECONDS)

    def lift_cap(self) -> None:
        """Do nothing: the memory of a machine is fixed."""

    def rest(self) -> None:
        """Wait until of the engine only that runs which stays."""
        _rest(guest_engine(self.plan.budgets.engine), self.virtual)

    def load_problem(self) -> str:
        """Return why the load did not do its work, or "" if it did."""
        return self.running_load.problem(self.plan.engine)

    def log(self) -> str:
        """Return the end of the machine's console."""
        return self.virtual.tail()

    def reboot(self) -> tuple[float, float]:
        """Reboot; return when it began and when the engine answered again (monotonic seconds).

        The engine starts the containers that have a restart policy by itself, all at once. Raises
        MeasureError when the engine does not come back.
        """
        began, earlier = time.monotonic(), self._boot_id(COMMAND_SECONDS)
        with suppress(MeasureError):  # the agent may be ended before it can answer
            self.virtual.port.run("systemctl --no-block reboot", ASK_SECONDS)
        seconds = BOOT_SECONDS[self.virtual.accelerator] + ENGINE_SECONDS
        try:
            self.virtual.wait_for(lambda: self._is_back(earlier), seconds, "did not come back")
        except BootError as error:
            raise MeasureError(
                f"after a reboot {error.message}", advice=error.advice, detail=error.detail
            ) from error
        self.virtual.port.set_rate(self.plan.budgets.measure.hz)
        return began, time.monotonic()

    def _is_back(self, earlier: str) -> bool:
        """Return whether the guest was booted anew and its engine answers."""
        with suppress(MeasureError, EngineError):
            if self._boot_id(ASK_SECONDS) != earlier:
                reach(self.virtual.engine_address, seconds=NESTED_CALL_SECONDS).client.close()
                return True
        return False

    def _boot_id(self, seconds: float) -> str:
        """Return the number that the kernel gave to this boot; MeasureError without one."""
        answer = self.virtual.port.run(BOOT_ID, seconds)
        if answer.ran != 0 or not answer.output:
            raise MeasureError(
                "the twin does not know its boot id",
                command=BOOT_ID,
                advice="it may be out of memory",
                detail=answer.output,
            )
        return answer.output


@contextmanager
def open_machine(plan: BootPlan) -> Iterator[Twin]:
    """Yield a virtual machine in which the stack's images are, sampled and under load.

    It is gone afterwards. Raises ConfigError if a program is missing, BootError and EngineError
    if the machine does not come up.
    """
    host.require_programs("qemu-system-x86_64", "mke2fs")
    if plan.engine.architecture != ARCHITECTURE:
        raise ConfigError(
            f"the twin needs an x86-64 machine, this one is {plan.engine.architecture}",
            advice="measure with `--on box`",
        )
    project = _in_twin(
        prepare_project(
            json.loads(plan.stack.config_json),
            directory=plan.stack.directory,
            machine_bytes=0,
            architecture=plan.engine.architecture,
        ),
        plan.budgets.engine,
    )
    outer, run, images = plan.engine, plan.run, plan.stack.images
    with ExitStack() as stack:
        nesting = stack.enter_context(
            fill_volume(
                outer,
                run,
                images=() if plan.budgets.engine.is_podman else images,
                project=project,
                say=plan.say,
            )
        )
        if not isinstance(nesting, HostPrograms):
            raise BootError(
                "the twin needs an engine on this host, to copy its programs",
                advice="install Docker Engine from packages, or measure with `--on box`",
            )
        guest = ensure_guest(plan, nesting.image_name)
        ports = disks.published_ports(project.config)
        control = virtual.free_port([port.number for port in ports])
        plan.say("making the twin's disk")
        settings = _settings(plan, project, ports, control)
        printed = disks.make_data_disk(plan, nesting, project, guest, settings)
        boot = _Boot(plan, guest, nesting, ports, control)
        machine = stack.enter_context(boot.start())
        printed = (*printed, *_check_preparation(machine))
        facts, engine = _start_engine(boot, machine)
        stack.callback(engine.client.close)
        load = stack.enter_context(apply_load(plan, machine.container))
        remarks = [*project.remarks, *printed, *machine.remarks]
        if machine.accelerator == qemu.TCG:
            plan, project, remark = emulation.allow_time(
                plan,
                project,
                machine.failures,
                boot.slowdown,
                start_interval=engine.has_start_interval,
            )
            remarks.append(remark)
        machine.port.set_rate(plan.budgets.measure.hz)
        yield Twin(
            plan=plan,
            project=project,
            engine=engine,
            virtual=machine,
            running_load=load,
            twin=facts,
            settings=_throttle(plan, machine),
            remarks=tuple(remarks),
        )


class _Boot:
    """Starts the machine at the size at which its kernel shows the MemTotal that was asked for."""

    def __init__(
        self,
        plan: BootPlan,
        guest: Guest,
        nesting: HostPrograms,
        ports: tuple[qemu.Port, ...],
        control_port: int,
    ) -> None:
        self.plan = plan
        self.guest = guest
        self.nesting = nesting
        self.ports = ports
        self.control_port = control_port
        self.directory = plan.run.directory / "twin"
        self.slowdown = 1.0

    @contextmanager
    def start(self) -> Iterator[VirtualMachine]:
        """Yield a machine of the right size whose agent has sent its first pass."""
        memory_kib, wanted = self._memory_kib(), self.plan.memtotal_bytes
        accelerators: tuple[str, ...] = (qemu.KVM, qemu.TCG)
        for attempt in range(3):
            self.plan.say(f"booting a virtual machine of {memory_kib // 1024:,} MB")
            with self._run(memory_kib, accelerators) as machine:
                seconds = sum(BOOT_SECONDS.values())
                machine.wait_for(machine.is_sampled, seconds, "did not boot")
                memory = machine.watch.passes[0].machine
                total = memory.total if memory else wanted
                reserved = qemu.reserved_by(memory_kib, total)
                self._reserved_file.write_text(str(reserved))
                off_kib = abs(total - wanted) // 1024
                if off_kib <= MOST_OFF_KIB or self._is_whole or attempt == 2:
                    yield machine
                    return
            memory_kib = qemu.memory_for(wanted, reserved)
            accelerators = (machine.accelerator,)

    @property
    def _is_whole(self) -> bool:
        """Return whether the machine has the memory as sold (MemTotal is not known)."""
        return self.plan.memtotal_bytes == self.plan.budgets.memory.limit_bytes

    @property
    def _reserved_file(self) -> Path:
        """Return the file that stores the kernel's reserve of a machine of this size."""
        return self.guest.notes / f"reserved_kib.{self.plan.memtotal_bytes // MIB}"

    def _memory_kib(self) -> int:
        if self._is_whole:
            return self.plan.memtotal_bytes // 1024
        reserved = qemu.RESERVED_KIB
        with suppress(OSError, ValueError):
            reserved = int(self._reserved_file.read_text())
        return qemu.memory_for(self.plan.memtotal_bytes, reserved)

    @contextmanager
    def _run(self, memory_kib: int, accelerators: tuple[str, ...]) -> Iterator[VirtualMachine]:
        hardware = qemu.Hardware(
            memory_kib=memory_kib,
            processors=self.plan.vcpus or os.cpu_count() or 1,
            drives=(
                self.guest.root,
                qemu.Drive(path=str(host.scratch(self.plan.run) / disks.DATA)),
                *([self.guest.seed] if self.guest.seed else []),
            ),
            agent_socket=str(self.directory / "agent.sock"),
            console=str(self.directory / "console.log"),
            control_port=self.control_port,
            ports=self.ports,
            kernel=self.guest.kernel,
            initrd=self.guest.initrd,
            parameters=PARAMETERS,
        )
        with virtual.start(
            self.plan.engine,
            self.plan.run,
            hardware,
            image=self.nesting.image_name,
            volume=self.nesting.volume,
            folders=(self.directory,),
            accelerators=accelerators,
        ) as machine:
            yield machine


def _check_preparation(machine: VirtualMachine) -> tuple[str, ...]:
    """Return the remarks of guest.sh; BootError if it did not come to its end."""
    answer = machine.port.run(PREPARATION, COMMAND_SECONDS)
    if answer.ran != 0:
        raise BootError(
            f"the twin can't be used: {answer.output.strip()}",
            command="/onegig/guest.sh",
            advice="its console is above; install what is missing in `twin.image`, or remove it",
            detail=machine.tail(),
        )
    return read_remarks(answer.output)


def _start_engine(boot: _Boot, machine: VirtualMachine) -> tuple[TwinFacts, Engine]:
    """Start the idle machine's engine; return the machine's state before and after."""
    say = boot.plan.say
    say(f"waiting for the machine to be idle ({machine.accelerator})")
    machine.port.run("systemctl is-system-running --wait; sync", BOOT_SECONDS[machine.accelerator])
    took = time.monotonic() - machine.started
    boot.slowdown = emulation.slowdown(took)
    machine.port.run("echo 3 >/proc/sys/vm/drop_caches", COMMAND_SECONDS)
    before = _quietest(machine)
    machine.port.passes.before = before.machine
    say("starting the engine")
    own = guest_engine(boot.plan.budgets.engine)
    answer = machine.port.run(own.start_command, ENGINE_SECONDS)
    if answer.ran != 0:
        journal = machine.port.run(own.journal_command, COMMAND_SECONDS)
        raise own.failure(answer.ran, journal.output)
    emulated = machine.accelerator == qemu.TCG
    engine = _reach(machine, EMULATED_CALL_SECONDS if emulated else NESTED_CALL_SECONDS)
    _rest(own, machine)
    idle = _quietest(machine)
    described = machine.port.run(". /etc/os-release; echo $PRETTY_NAME; uname -r", COMMAND_SECONDS)
    name, _, kernel = described.output.strip().partition("\n")
    guest = model.Guest(
        accelerator=machine.accelerator,
        os=name,
        kernel=kernel,
        engine_version=engine.version,
        image=boot.guest.image,
    )
    return TwinFacts(guest=guest, before=before, idle=idle), engine


def _rest(own: GuestEngine, machine: VirtualMachine) -> None:
    """Wait until of the engine only that runs which stays."""
    if own.rest_command:
        machine.port.run(own.rest_command, REST_SECONDS)


def _reach(machine: VirtualMachine, seconds: int) -> Engine:
    found: list[Engine] = []

    def look() -> bool:
        with suppress(EngineError):
            found.append(reach(machine.engine_address, seconds=seconds))
        return bool(found)

    machine.wait_for(look, COMMAND_SECONDS, "has an engine that does not answer")
    return found[0]


def _quietest(machine: VirtualMachine) -> Pass:
    """Return the pass with the most available memory within the next seconds."""
    since = time.monotonic()

    def recent() -> Sequence[Pass]:
        return machine.watch.between(since, time.monotonic())

    machine.wait_for(
        lambda: bool(recent()) and time.monotonic() - since >= QUIET_SECONDS,
        COMMAND_SECONDS,
        "can't be sampled any more",
    )
    return max(recent(), key=lambda sample: sample.machine.available if sample.machine else 0)


def _settings(
    plan: BootPlan, project: BoxProject, ports: Sequence[qemu.Port], control_port: int
) -> dict[str, Any]:
    """Return the guest's settings, see guest.sh."""
    budgets, wanted = plan.budgets, plan.settings
    loopback = [f"{p.protocol}/{p.address}:{p.number}" for p in ports if p.address]
    return {
        "HZ": f"{min(BOOT_HZ, budgets.measure.hz):g}",
        "HUGE_PAGES": wanted.thp or "",
        "OVERCOMMIT": "" if wanted.overcommit is None else wanted.overcommit,
        "SWAPPINESS": "" if wanted.swappiness is None else wanted.swappiness,
        "SWAP_BYTES": budgets.swap_bytes or 0,
        "ZRAM_BYTES": budgets.zram_bytes or 0,
        "CONTROL_PORT": control_port,
        "LOOPBACK_PORTS": " ".join(loopback),
        "BRIDGE": project.addresses.bridge,
        "POOL": project.addresses.pool,
        **guest_engine(budgets.engine).settings(),
    }


def _throttle(plan: BootPlan, machine: VirtualMachine) -> Settings:
    """Hold the machine to its share of the processors; return the settings that hold in the guest.

    An emulated processor does less than any tier's: it is not slowed down further.
    """
    texts = {path: machine.port.run(f"cat {path}", COMMAND_SECONDS).output for path in FILES}
    vcpus = plan.vcpus or os.cpu_count() or 1
    cpus = min(plan.cpus or vcpus, vcpus)
    if cpus < vcpus and machine.accelerator != qemu.TCG:
        plan.engine.limit(machine.container, 0, round(cpus * PERIOD))
    return replace(read_settings(lambda path: texts.get(path, "")), vcpus=vcpus, cpus=cpus)


def _in_twin(project: BoxProject, kind: EngineKind) -> BoxProject:
    """Return the project for that engine, with remarks that speak of the twin."""
    project = adapt_project(project, kind)
    remarks = tuple(remark.replace("the box", "the twin") for remark in project.remarks)
    return replace(project, remarks=remarks)
