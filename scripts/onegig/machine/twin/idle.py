"""The twin while it is idle: its memory before its engine, and with it."""

import time
from collections.abc import Sequence
from contextlib import suppress

from onegig.engine.engine import NESTED_CALL_SECONDS, Engine, reach
from onegig.errors import EngineError
from onegig.machine.machine import BootPlan, TwinFacts
from onegig.machine.sampler import Pass
from onegig.machine.twin import qemu
from onegig.machine.twin.boot import BOOT_SECONDS
from onegig.machine.twin.engines import GuestEngine, guest_engine
from onegig.machine.twin.guest import Guest
from onegig.machine.twin.virtual import COMMAND_SECONDS, VirtualMachine
from onegig.model import twin as model

ENGINE_SECONDS = 600.0
REST_SECONDS = 120.0
QUIET_SECONDS = 3.0  # after which the most that was available counts
EMULATED_CALL_SECONDS = 120


def start_engine(plan: BootPlan, guest: Guest, machine: VirtualMachine) -> tuple[TwinFacts, Engine]:
    """Start the idle machine's engine; return the machine's state before and after."""
    plan.say(f"waiting for the machine to be idle ({machine.accelerator})")
    machine.port.run("systemctl is-system-running --wait; sync", BOOT_SECONDS[machine.accelerator])
    machine.boot_seconds = time.monotonic() - machine.started
    machine.port.run("echo 3 >/proc/sys/vm/drop_caches")
    before = _quietest(machine)
    machine.port.passes.before = before.machine
    plan.say("starting the engine")
    own = guest_engine(plan.budgets.engine)
    answer = machine.port.run(own.start_command, ENGINE_SECONDS)
    if answer.ran != 0:
        raise own.failure(answer.ran, machine.port.run(own.journal_command).output)
    engine = _reach(machine)
    rest(own, machine)
    idle, described = _quietest(machine), _describe(machine, engine, guest.image)
    return TwinFacts(guest=described, before=before, idle=idle), engine


def rest(own: GuestEngine, machine: VirtualMachine) -> None:
    """Wait until only the engine's permanent processes run."""
    if own.rest_command:
        machine.port.run(own.rest_command, REST_SECONDS)


def _describe(machine: VirtualMachine, engine: Engine, image: str) -> model.Guest:
    described = machine.port.run(". /etc/os-release; echo $PRETTY_NAME; uname -r")
    name, _, kernel = described.output.strip().partition("\n")
    return model.Guest(
        accelerator=machine.accelerator,
        os=name,
        kernel=kernel,
        engine_version=engine.version,
        image=image,
    )


def _reach(machine: VirtualMachine) -> Engine:
    emulated = machine.accelerator == qemu.TCG
    seconds = EMULATED_CALL_SECONDS if emulated else NESTED_CALL_SECONDS
    engines: list[Engine] = []

    def look() -> bool:
        with suppress(EngineError):
            engines.append(reach(machine.engine_address, seconds=seconds))
        return bool(engines)

    machine.wait_for(look, COMMAND_SECONDS, "has an engine that does not answer")
    return engines[0]


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
