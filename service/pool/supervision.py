"""Worker processes kept alive: started, started again when they end, stopped without a trace.

A Seat knows processes and nothing of messages; `workers` knows messages.
"""

import asyncio
import logging
import signal
import time
from asyncio.subprocess import Process
from collections.abc import Callable, Sequence

log = logging.getLogger(__name__)

FIRST_PAUSE_SECONDS = 0.2
LONGEST_PAUSE_SECONDS = 10.0


class Seat:
    """A place for one worker process, which gets a new name at every start.

    command: the command line for a worker of a given name. ended: called when a process has ended,
    with the seat and what became of the process, in words. `down` is set from then on, until the
    next start.
    """

    def __init__(
        self,
        number: int,
        command: Callable[[str], Sequence[str]],
        ended: Callable[["Seat", str], None],
    ) -> None:
        self.number = number
        self.starts = 0
        self.down = False
        self._since = time.monotonic()
        self._command = command
        self._ended = ended
        self._process: Process | None = None
        self._failures = 0

    @property
    def name(self) -> str:
        """Name of the present process; one from before a restart has another."""
        return f"worker-{self.number}.{self.starts}"

    @property
    def running(self) -> bool:
        """Whether there is a process."""
        return self._process is not None

    @property
    def running_for(self) -> float:
        """Seconds since the present process was started; 0 if there is none."""
        return time.monotonic() - self._since if self.running else 0.0

    @property
    def silent_for(self) -> float:
        """Seconds for which nothing showed that it is there; 0, as its end shows by itself."""
        return 0.0

    def hear(self) -> None:
        """The present process has said something."""

    def prosper(self) -> None:
        """The present process has proved itself; the next restart need not wait long."""
        self._failures = 0

    async def keep(self, stopping: asyncio.Event) -> None:
        """Start a process whenever there is none, until `stopping` is set and the last ended."""
        while not stopping.is_set():
            try:
                await self._start()
            except OSError as error:
                log.error("%s cannot be started: %s", self.name, error)
            if stopping.is_set():
                self.terminate()
            await self._wait()
            self.down = True
            await _pause(stopping, self._failures)
            self._failures += 1

    def terminate(self) -> None:
        """Ask the present process, if any, to end."""
        self._signal(signal.SIGTERM)

    def kill(self) -> None:
        """End the present process, if any."""
        self._signal(signal.SIGKILL)

    async def _start(self) -> None:
        self.starts += 1
        self.down = False
        self._since = time.monotonic()
        # A session of its own: an interrupt typed at the terminal goes to the pool, which then
        # stops its workers in order.
        self._process = await asyncio.create_subprocess_exec(
            *self._command(self.name), stdin=asyncio.subprocess.DEVNULL, start_new_session=True
        )
        log.info("%s started, pid %d", self.name, self._process.pid)

    async def _wait(self) -> None:
        if self._process is None:
            return
        code = await self._process.wait()
        self._process = None
        fate = f"{self.name} {_fate(code)}"
        log.info("%s", fate)
        self._ended(self, fate)

    def _signal(self, number: signal.Signals) -> None:
        if self._process is not None and self._process.returncode is None:
            try:
                self._process.send_signal(number)
            except ProcessLookupError:
                log.debug("%s had ended already", self.name)


async def _pause(stopping: asyncio.Event, failures: int) -> None:
    seconds = min(FIRST_PAUSE_SECONDS * 2.0 ** min(failures, 16), LONGEST_PAUSE_SECONDS)
    try:
        await asyncio.wait_for(stopping.wait(), seconds)
    except TimeoutError:
        return


def _fate(code: int) -> str:
    if code < 0:
        return f"was ended by {signal.Signals(-code).name}"
    return f"ended with exit status {code}"
