"""The twin as a Machine: boots, is sampled from its first second, starts engine and stack.

What the machine's available memory falls by from then on is what engine and stack cost it.
"""

import json
import os
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, replace
from typing import Any

from onegig.engine.engine import NESTED_CALL_SECONDS, Engine, reach
from onegig.errors import BootError, ConfigError, EngineError, MeasureError
from onegig.machine.box import fill_volume
from onegig.machine.load import RunningLoad, apply_load
from onegig.machine.machine import BootPlan, Start, TwinFacts
from onegig.machine.nesting import HostPrograms
from onegig.machine.project import BoxProject, prepare_project
from onegig.machine.settings import FILES, PERIOD, read_settings
from onegig.machine.start import start_stack
from onegig.machine.twin import disks, emulation, host, qemu, virtual
from onegig.machine.twin.boot import BOOT_SECONDS, Boot
from onegig.machine.twin.engines import adapt_project, guest_engine
from onegig.machine.twin.guest import ensure_guest
from onegig.machine.twin.idle import ENGINE_SECONDS, rest, start_engine
from onegig.machine.twin.virtual import COMMAND_SECONDS, VirtualMachine
from onegig.machine.watch import Watch
from onegig.model.settings import Settings

MODE = "virtual machine"
ARCHITECTURE = "amd64"  # as the engine names it
ASK_SECONDS = 3.0
BOOT_ID = "cat /proc/sys/kernel/random/boot_id"
BOOT_HZ = 2.0  # passes a second until the engine is up


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
            self.virtual.port.run(own.kill_command)
        self.engine.remove_all(ENGINE_SECONDS)

    def lift_cap(self) -> None:
        """Do nothing: the memory of a machine is fixed."""

    def rest(self) -> None:
        """Wait until only the engine's permanent processes run."""
        rest(guest_engine(self.plan.budgets.engine), self.virtual)

    def load_problem(self) -> str:
        """Return why the load did not do its work, or "" if it did."""
        return self.running_load.failure

    def log(self) -> str:
        """Return the end of the machine's console."""
        return self.virtual.tail()

    def reboot(self) -> tuple[float, float]:
        """Reboot; return when it began and when the engine answered again (monotonic seconds).

        The engine starts the containers that have a restart policy by itself, all at once. Raises
        MeasureError when the engine does not come back.
        """
        began, earlier = time.monotonic(), self._boot_id()
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

    def _boot_id(self, seconds: float = COMMAND_SECONDS) -> str:
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
    _require_host(plan.engine)
    project = _prepare_project(plan)
    with ExitStack() as stack:
        nesting = stack.enter_context(_fill_volume(plan, project))
        guest = ensure_guest(plan, nesting.image_name)
        ports = disks.published_ports(project.config)
        control = virtual.free_port([port.number for port in ports])
        plan.say("making the twin's disk")
        settings = _settings(plan, project, ports, control)
        printed = disks.make_data_disk(plan, nesting, project, guest, settings)
        boot = Boot(plan=plan, guest=guest, nesting=nesting, ports=ports, control_port=control)
        machine = stack.enter_context(boot.start())
        facts, engine = start_engine(plan, guest, machine)
        stack.callback(engine.client.close)
        load = stack.enter_context(apply_load(plan, machine.container))
        remarks = (*project.remarks, *printed, *machine.remarks)
        plan, project, emulated = _allow_time(plan, project, machine, engine)
        machine.port.set_rate(plan.budgets.measure.hz)
        yield Twin(
            plan=plan,
            project=project,
            engine=engine,
            virtual=machine,
            running_load=load,
            twin=facts,
            settings=_throttle(plan, machine),
            remarks=(*remarks, *emulated),
        )


def _require_host(engine: Engine) -> None:
    host.require_programs("qemu-system-x86_64", "mke2fs")
    if engine.architecture != ARCHITECTURE:
        raise ConfigError(
            f"the twin needs an x86-64 machine, this one is {engine.architecture}",
            advice="measure with `--on box`",
        )


def _prepare_project(plan: BootPlan) -> BoxProject:
    """Return the project for the guest's engine, with remarks that speak of the twin."""
    prepared = prepare_project(
        json.loads(plan.stack.config_json),
        directory=plan.stack.directory,
        machine_bytes=0,
        architecture=plan.engine.architecture,
    )
    project = adapt_project(prepared, plan.budgets.engine)
    remarks = tuple(remark.replace("the box", "the twin") for remark in project.remarks)
    return replace(project, remarks=remarks)


@contextmanager
def _fill_volume(plan: BootPlan, project: BoxProject) -> Iterator[HostPrograms]:
    """Yield this host's engine with its volume: Docker's programs, and images unless for Podman."""
    with fill_volume(
        plan.engine,
        plan.run,
        images=() if plan.budgets.engine.is_podman else plan.stack.images,
        project=project,
        say=plan.say,
    ) as nesting:
        if not isinstance(nesting, HostPrograms):
            raise BootError(
                "the twin needs an engine on this host, to copy its programs",
                advice="install Docker Engine from packages, or measure with `--on box`",
            )
        yield nesting


def _allow_time(
    plan: BootPlan, project: BoxProject, machine: VirtualMachine, engine: Engine
) -> tuple[BootPlan, BoxProject, tuple[str, ...]]:
    """Return plan and project as the machine's processor can do them, with remarks."""
    if machine.accelerator != qemu.TCG:
        return plan, project, ()
    plan, project, remark = emulation.allow_time(
        plan,
        project,
        machine.failures,
        emulation.slowdown(machine.boot_seconds),
        start_interval=engine.has_start_interval,
    )
    return plan, project, (remark,)


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
    texts = {path: machine.port.run(f"cat {path}").output for path in FILES}
    vcpus = plan.vcpus or os.cpu_count() or 1
    cpus = min(plan.cpus or vcpus, vcpus)
    if cpus < vcpus and machine.accelerator != qemu.TCG:
        plan.engine.limit(machine.container, 0, round(cpus * PERIOD))
    return replace(read_settings(lambda path: texts.get(path, "")), vcpus=vcpus, cpus=cpus)
