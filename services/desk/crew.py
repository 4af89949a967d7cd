"""Several services in one process: a thread for each, and one health for all of them."""

import os
import threading
from collections.abc import Sequence

from desk.backoff import Backoff
from desk.heartbeat import Heartbeat, read_heartbeat, uptime_seconds
from desk.log import info, name_thread, warn
from desk.service import Program, Service
from desk.settings import Common
from desk.shutdown import Shutdown, Stopped

LOOK_SECONDS = 1.0
STOP_SECONDS = 4.0  # for all of them, less than the container's stop_grace_period


class ThreadShutdown(Shutdown):
    """Stopping for threads, which signals don't reach; a read of Redis ends by itself."""

    __slots__ = ("_event",)

    def __init__(self) -> None:
        super().__init__()
        self._event = threading.Event()

    def stop(self) -> None:
        """Tell all threads to stop."""
        self.requested = True
        self._event.set()

    def __enter__(self) -> None:
        if self.requested:
            raise Stopped

    def sleep(self, seconds: float) -> None:
        """Wait, unless told to stop: then raise Stopped."""
        if self._event.wait(seconds):
            raise Stopped


class Member(threading.Thread):
    """One service in a thread; it starts anew after a failure, as its own container would."""

    def __init__(self, program: Program, common: Common, shutdown: Shutdown) -> None:
        super().__init__(name=program.name, daemon=True)
        self.heartbeat_path = f"{common.heartbeat_path}-{program.name}"
        self._program = program
        self._common = common._replace(heartbeat_path=self.heartbeat_path)
        self._shutdown = shutdown

    def run(self) -> None:
        """Run the service until it is told to stop."""
        name_thread(self.name)
        backoff = Backoff()
        while not self._shutdown.requested:
            try:
                self._serve(backoff)
            except Stopped:
                return

    def _serve(self, backoff: Backoff) -> None:
        program = self._program
        try:
            indicator = program.build(os.environ)
            Service(program.name, indicator, program.output, self._common, self._shutdown).run()
        except Exception as error:  # whatever it is, the other services go on
            seconds = backoff.seconds()
            reason = f"failed: {type(error).__name__}: {error}"
            warn(f"{reason}; it starts again in {seconds:.1f} s")
            Heartbeat(self.heartbeat_path).fail(reason)
            self._shutdown.sleep(seconds)


class Crew:
    """The services of one process, healthy as long as each of them is."""

    def __init__(self, programs: Sequence[Program], common: Common) -> None:
        self._signals = Shutdown()
        self._threads = ThreadShutdown()
        self._members = [Member(program, common, self._threads) for program in programs]
        self._heartbeat = Heartbeat(common.heartbeat_path)

    def run(self) -> int:
        """Work until told to stop; return the exit code."""
        self._signals.listen()
        info(f"runs {len(self._members)} services: {', '.join(m.name for m in self._members)}")
        for member in self._members:
            member.start()
        try:
            while not self._signals.requested:
                self._look()
                self._signals.sleep(LOOK_SECONDS)
        except Stopped:
            pass
        self._threads.stop()
        deadline = uptime_seconds() + STOP_SECONDS
        for member in self._members:
            member.join(max(0.0, deadline - uptime_seconds()))
        return 0

    def _look(self) -> None:
        """Write the health of all: the first to go stale counts, and names what is wrong."""
        now = uptime_seconds()
        beats = [(member.name, *read_heartbeat(member.heartbeat_path)) for member in self._members]
        problems = [
            f"{name}: {'silent' if until and state == 'ok' else state}"
            for name, until, state in beats
            if until <= now
        ]
        if problems:
            self._heartbeat.fail("; ".join(problems))
        else:
            self._heartbeat.beat(until=min(until for _, until, _ in beats))
