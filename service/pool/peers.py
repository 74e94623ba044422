"""What the pool knows of each worker: what it is at, since when, and whether that is too long."""

import asyncio
import time
from dataclasses import dataclass

from service.pool.messages import Ping, Ready
from service.pool.pools import Member, State
from service.pool.schedule import Answer, Share
from service.pool.supervision import Seat

# A worker that has nothing to do and does not answer for so many heartbeats is hung.
PULSES = 3


@dataclass(frozen=True)
class Limits:
    """Seconds. message: a worker that takes longer for one is hung. start: from start to Ready.
    heartbeat: for an idle worker's answer. patience: how long work waits while no worker runs.
    grace: between asking a worker to end and killing it."""

    message: float = 60.0
    start: float = 120.0
    heartbeat: float = 5.0
    patience: float = 30.0
    grace: float = 3.0


@dataclass(frozen=True)
class Task:
    """A message at work: its ticket, what is in it and whose that is, and since when."""

    ticket: int
    shares: tuple[Share, ...]
    began: float

    @property
    def ping(self) -> bool:
        """Whether it only asks if anybody is there."""
        return isinstance(self.shares[0].request, Ping)

    @property
    def age(self) -> float:
        """Seconds since it was handed out."""
        return time.monotonic() - self.began


class Peer:
    """What the pool knows of the worker in one seat. It is idle, or at work on one task.

    reserved: it is kept for looks at clean pictures, and draws no samples.
    """

    def __init__(self, seat: Seat, *, reserved: bool = False) -> None:
        self.seat = seat
        self.reserved = reserved
        self.ready: Ready | None = None
        self.task: Task | None = None
        self.pulse: asyncio.Future[Answer] | None = None
        self.spoken = time.monotonic()

    @property
    def idle(self) -> bool:
        """Whether it can be given a message."""
        return self.ready is not None and self.task is None

    @property
    def at_work(self) -> bool:
        """Whether it is at something other than answering a ping."""
        return self.task is not None and not self.task.ping

    @property
    def quiet_for(self) -> float:
        """Seconds since it was last given a message."""
        return time.monotonic() - self.spoken

    def release(self) -> Task | None:
        """The task it was at, which it now is not."""
        task, self.task = self.task, None
        return task

    def overdue(self, limits: Limits) -> str | None:
        """What it takes too long for, in words; None if nothing."""
        if self.task is not None and self.task.age > (most := self._longest(limits)):
            return f"no answer for {most:g} s"
        if self.ready is None and self.seat.running_for > limits.start:
            return f"not ready {limits.start:g} s after its start"
        if self.idle and self.seat.silent_for > limits.heartbeat:
            return f"no word for {limits.heartbeat:g} s"
        return None

    def _longest(self, limits: Limits) -> float:
        """How long its task may take: a ping is no work."""
        pings = PULSES * limits.heartbeat
        return limits.message if self.at_work else min(pings, limits.message)

    def pulse_state(self) -> State:
        """What the last ping said: not answered, answered, or lost with the worker."""
        if self.pulse is None or not self.pulse.done():
            return "silent"
        if self.pulse.cancelled() or self.pulse.exception():
            return "down"
        return "busy" if self.at_work else "idle"

    def member(self, state: State) -> Member:
        """The worker as a heartbeat reports it."""
        pid, device = (self.ready.pid, self.ready.device) if self.ready else (None, None)
        return Member(self.seat.name, state, pid, device, max(0, self.seat.starts - 1))
