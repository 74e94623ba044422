"""Workers that somebody else runs, in a container of their own: they come and they go.

They come to a socket file that the api's container and theirs share; `keeper` starts them
and ends those that hang. What the pool can do about one that no longer answers is to forget it.
"""

import asyncio
import logging
import time
from collections.abc import Callable

from service.pool.supervision import Seat

log = logging.getLogger(__name__)

MOST_GUESTS = 64


class Guest(Seat):
    """A place for whichever process now answers to one worker's name.

    A name is `place.start`: the same place has another start after every restart, so that a process
    that comes in the place of another is known to have replaced it.
    """

    def __init__(self, place: str, ended: Callable[[Seat, str], None]) -> None:
        super().__init__(0, lambda name: (), ended)
        self.place = place
        self._present: str | None = None
        self._heard = time.monotonic()

    @property
    def name(self) -> str:
        """Name of the process that came last."""
        return self._present or self.place

    @property
    def running(self) -> bool:
        """Whether there is one that has not been given up."""
        return self._present is not None

    @property
    def silent_for(self) -> float:
        """Seconds since it last said anything; one with nothing to do speaks every second."""
        return time.monotonic() - self._heard

    def hear(self) -> None:
        """It has said something."""
        self._heard = time.monotonic()

    def admit(self, name: str) -> None:
        """The process of this name is here now; the one before it, if another, is not."""
        if name == self._present:
            return
        self._leave(f"{self.name} was replaced by {name}")
        self._present, self._since = name, time.monotonic()
        self.starts, self.down = self.starts + 1, False
        log.info("%s came", name)

    async def keep(self, stopping: asyncio.Event) -> None:
        """Nothing: its keeper is elsewhere."""

    def terminate(self) -> None:
        """Nothing: it outlives the pool."""

    def kill(self) -> None:
        """Forget it. Should it still be there, it will say so again, and its keeper watches it."""
        self._leave(f"{self.name} was given up")

    def _leave(self, fate: str) -> None:
        if self._present is not None:
            log.info("%s", fate)
            self._present, self.down = None, True
            self._ended(self, fate)


def place(name: str) -> str:
    """Which place a worker of this name takes."""
    return name.partition(".")[0]
