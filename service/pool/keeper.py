"""Workers without a server: keeps worker processes alive that serve a pool in another container.

A worker that ends is started again. One whose loop has not turned for longer than a message may
take is hung, and is ended so that the same happens; its pulse, the time of a file, tells.
"""

import asyncio
import logging
import os
import secrets
import signal
import socket
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

from service import logs
from service.fitness import Unfit, check_device
from service.pool.peers import Limits
from service.pool.supervision import Seat
from service.pool.workers import WORKER, default_count
from service.probe import PULSES
from service.settings import Settings

log = logging.getLogger(__name__)

WATCH_SECONDS = 1.0


class Keeper:
    """So many worker processes, each with a pulse file in `folder`.

    A worker's name is its place, which stays the same as long as the container does, and a start,
    which never comes twice; see `guests`. worker: how one is called, before its options.
    """

    def __init__(
        self,
        settings: Settings,
        folder: Path,
        limits: Limits | None = None,
        worker: Sequence[str] = WORKER,
    ) -> None:
        self._settings, self._folder, self._worker = settings, folder, tuple(worker)
        self._limits = limits or Limits()
        self._instance = secrets.token_hex(4)
        count = settings.workers or default_count(settings.device)
        self.seats = tuple(Seat(n, self._command, _ended) for n in range(count))

    async def run(self, stopping: asyncio.Event) -> None:
        """Keep them alive until `stopping` is set, then end them."""
        keepers = [asyncio.create_task(seat.keep(stopping)) for seat in self.seats]
        watch = asyncio.create_task(self._watch())
        await stopping.wait()
        watch.cancel()
        for seat in self.seats:
            seat.terminate()
        await asyncio.wait(keepers, timeout=self._limits.grace)
        for seat in self.seats:
            seat.kill()
        await asyncio.gather(*keepers)
        await asyncio.gather(watch, return_exceptions=True)

    def _command(self, seat: str) -> Sequence[str]:
        """The command line of a process whose seat calls it `seat`, worker-NUMBER.START."""
        number, _, start = seat.removeprefix("worker-").partition(".")
        name = f"{socket.gethostname()}-{number}.{self._instance}-{start}"
        address = f"ipc://{self._settings.pool}"
        own = ("--connect", address, "--name", name, "--parent", str(os.getpid()))
        return (
            *self._worker,
            *own,
            "--pulse",
            str(self._pulse(seat)),
            "--device",
            self._settings.device,
        )

    def _pulse(self, seat: str) -> Path:
        return self._folder / seat

    async def _watch(self) -> None:
        while True:
            await asyncio.sleep(WATCH_SECONDS)
            for seat in self.seats:
                if seat.running and self._hangs(seat):
                    log.error("%s hangs and is ended", seat.name)
                    seat.kill()

    def _hangs(self, seat: Seat) -> bool:
        """Whether its process has not come up, or its loop has not turned, in its time."""
        pulse = self._pulse(seat.name)
        if pulse.exists():
            return time.time() - pulse.stat().st_mtime > self._limits.message
        return seat.running_for > self._limits.start


async def keep(settings: Settings) -> None:
    """Run workers for the pool at `settings.pool` until interrupted.

    Raises Unfit for settings with which no worker could work.
    """
    if settings.pool is None:
        raise Unfit("setting pool: it must name the socket file of a server's pool")
    check_device(settings)
    logs.configure(settings.log_format)
    stopping = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, stopping.set)
    with tempfile.TemporaryDirectory(prefix=PULSES) as folder:
        await Keeper(settings, Path(folder)).run(stopping)


def _ended(seat: Seat, fate: str) -> None:
    log.warning("worker of %s", fate)
