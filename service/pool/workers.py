"""The pool of worker processes: messages to them, turns between callers, and the truth about both.

Every worker has at most one message at a time, so a worker is idle or its message has an age. Work
is handed out chunk by chunk in turns between jobs; what a dead worker was at goes to another, and
it comes back; a worker whose message is too old is hung, and is killed so that the same happens.
Idle workers are sent a ping now and then, so that one that hangs is found out before it is needed.
"""

import asyncio
import itertools
import logging
import os
import sys
import time
from collections.abc import AsyncGenerator, Iterator, Sequence
from pathlib import Path

from service import tracing
from service.pool.chunks import Pace
from service.pool.dispatch import Dispatch, message
from service.pool.frames import decode_reply, encode
from service.pool.guests import MOST_GUESTS, Guest, place
from service.pool.messages import BadMessage, Failure, Ping, Ready, Reply, Request
from service.pool.peers import Limits, Peer, Task
from service.pool.pools import ChunkedPool, Health, Member, WorkerLost
from service.pool.schedule import Answer, Job, Share
from service.pool.supervision import Seat
from service.pool.wire import Wire

log = logging.getLogger(__name__)

WORKER = (sys.executable, "-m", "service.pool.worker_process")
WATCH_SECONDS = 0.25
# Evidence is not read twice to see that it is no greeting.
LONGEST_GREETING = 65_536
NVIDIA = Path("/dev/nvidiactl")


class WorkerPool(ChunkedPool):
    """A Pool of `count` worker processes on this machine.

    count: 0 takes one for each core, or a single one where a GPU does the work.

    device: auto, cpu, cuda or cuda:N. threads: of each worker; see `worker_process.open_desk` for
    why it is 1 however many workers there are. command: how a worker is started, before the
    options the pool adds. guests: start none and take those that come to this socket. reserve: so
    many workers more, which only look at clean pictures and so are never at a batch.
    """

    def __init__(
        self,
        count: int = 0,
        *,
        device: str = "auto",
        threads: int = 1,
        chunk_seconds: float = 1.0,
        limits: Limits | None = None,
        command: Sequence[str] = WORKER,
        guests: Path | None = None,
        reserve: int = 0,
    ) -> None:
        if count < 0:
            raise ValueError(
                f"count is {count}; it must be a number of workers, or 0 for the cores"
            )
        count = 0 if guests else count or default_count(device)
        super().__init__(Pace(chunk_seconds, count or 1))
        self.limits = limits or Limits()
        self._device = device
        self._threads = threads
        self._command = tuple(command)
        self._door = guests
        self._peers = [
            Peer(Seat(n, self._argv, self._ended), reserved=n >= count)
            for n in range(count + (0 if guests else reserve))
        ]
        self._dispatch = Dispatch(self.pace)
        self._tickets = itertools.count(1)
        self._stopping = asyncio.Event()
        self._tasks: tuple[asyncio.Task[None], ...] = ()
        self._keepers: tuple[asyncio.Task[None], ...] = ()
        self._wire: Wire | None = None
        self._served = time.monotonic()

    async def start(self) -> None:
        """Open the socket and start the workers. Returns before they are ready; work waits."""
        self._stopping.clear()
        self._served = time.monotonic()
        self._wire = Wire(self._door)
        self._tasks = (
            asyncio.create_task(self._listen(self._wire)),
            asyncio.create_task(self._watch()),
        )
        self._keepers = tuple(asyncio.create_task(p.seat.keep(self._stopping)) for p in self._peers)

    async def stop(self) -> None:
        """End the workers, fail what waits with WorkerLost, and leave nothing behind."""
        self._stopping.set()
        self._dispatch.fail_waiting(WorkerLost("the service is stopping"))
        for peer in self._peers:
            peer.seat.terminate()
        if self._keepers:
            await asyncio.wait(self._keepers, timeout=self.limits.grace)
            for peer in self._peers:
                peer.seat.kill()
        for task in self._tasks:
            task.cancel()
        if self._tasks:
            # Bounded: nothing that fails to end may keep the service from ending.
            await asyncio.wait((*self._keepers, *self._tasks), timeout=self.limits.grace)
        if self._wire is not None:
            self._wire.close()
        self._wire, self._tasks, self._keepers = None, (), ()

    async def heartbeat(self) -> Health:
        """A round trip through every idle worker's loop; a busy one is judged by its task's age."""
        members = tuple(await asyncio.gather(*(self._check(peer) for peer in self._peers)))
        alive = [
            peer.reserved
            for peer, member in zip(self._peers, members, strict=True)
            if member.state in ("idle", "busy")
        ]
        return Health(not all(alive), members, f"{len(alive)} of {len(members)} workers answer")

    async def answers(self, work: Iterator[Request]) -> AsyncGenerator[Answer, None]:
        """Each request with its reply, as they come; closing stops handing out more."""
        if self._wire is None:
            raise WorkerLost("the pool is not running; start() it first")
        job = self._dispatch.begin(work)
        self._hand_out()
        try:
            while not job.finished:
                yield await job.read()
        finally:
            self._dispatch.end(job)

    def _hand_out(self) -> None:
        for peer in self._peers:
            if not peer.idle:
                continue
            if shares := self._dispatch.glance() if peer.reserved else self._dispatch.next():
                self._hand(peer, shares)

    def _hand(self, peer: Peer, shares: tuple[Share, ...]) -> None:
        if self._wire is None:
            return
        peer.spoken = time.monotonic()
        peer.task = Task(next(self._tickets), shares, time.monotonic())
        sent = self._wire.send(peer.seat.name, encode(peer.task.ticket, message(shares)))
        sent.add_done_callback(lambda done: self._unsent(peer, done))

    def _unsent(self, peer: Peer, done: asyncio.Future[object]) -> None:
        if not done.cancelled() and (error := done.exception()):
            log.error("%s cannot be reached: %s", peer.seat.name, error)
            peer.seat.kill()

    async def _listen(self, wire: Wire) -> None:
        while True:
            name, frame = await wire.receive()
            if self._door is not None and is_greeting(frame):
                self._welcome(name)
            for peer in self._peers:
                if peer.seat.running and peer.seat.name == name:
                    peer.seat.hear()
                    self._heard(peer, frame)
            self._hand_out()

    def _welcome(self, name: str) -> None:
        """A worker that somebody else runs says that it is there."""
        places = {
            peer.seat.place: peer.seat for peer in self._peers if isinstance(peer.seat, Guest)
        }
        if (known := places.get(place(name))) is not None:
            known.admit(name)
            return
        self._peers = [peer for peer in self._peers if not peer.seat.down]
        if len(self._peers) < MOST_GUESTS:
            guest = Guest(place(name), self._ended)
            guest.admit(name)
            self._peers.append(Peer(guest))
        self.pace.workers = max(1, len(self._peers))

    def _heard(self, peer: Peer, frame: bytes) -> None:
        self._served = time.monotonic()
        try:
            ticket, reply = decode_reply(frame)
        except BadMessage as error:
            log.error("%s talks nonsense and is ended: %s", peer.seat.name, error)
            peer.seat.kill()
            return
        if ticket == 0 and isinstance(reply, Ready):
            if peer.ready is None:
                log.info("%s is ready on %s", peer.seat.name, reply.device)
            peer.ready = reply
        elif peer.task is not None and peer.task.ticket == ticket:
            self._settle(peer, reply)

    def _settle(self, peer: Peer, reply: Reply) -> None:
        task = peer.release()
        if task is None:
            return
        for share in task.shares:
            tracing.worked(share.job.context, share.request, share.waited, task.age, peer.seat.name)
        peer.seat.prosper()
        if not isinstance(reply, Failure):
            self.pace.observe(message(task.shares), task.age)
        self._dispatch.answered(task.shares, reply, peer.seat.name)
        if task.ping and isinstance(reply, Failure):
            log.error("%s is ended: %s", peer.seat.name, reply.detail)
            peer.seat.kill()

    def _ended(self, seat: Seat, fate: str) -> None:
        peer = next(peer for peer in self._peers if peer.seat is seat)
        peer.ready = None
        task = peer.release()
        if task is None:
            return
        if self._stopping.is_set():
            self._fail(task, f"{fate} while at work; the service is stopping")
        elif task.ping:
            self._fail(task, f"{fate} while at work; it is started again")
        else:
            lost = WorkerLost(f"{fate} while at work; it is started again")
            self._dispatch.lost(task.shares, lost)
            self._hand_out()

    def _fail(self, task: Task, why: str) -> None:
        for share in task.shares:
            self._dispatch.fail(share.job, WorkerLost(why))

    async def _watch(self) -> None:
        while True:
            await asyncio.sleep(WATCH_SECONDS)
            for peer in self._peers:
                if excess := peer.overdue(self.limits):
                    log.error("%s is ended: %s", peer.seat.name, excess)
                    peer.seat.kill()
                elif peer.idle and peer.quiet_for > self.limits.heartbeat:
                    peer.pulse = self._ping(peer)
            self._lose_patience()

    def _lose_patience(self) -> None:
        if any(peer.ready for peer in self._peers if not peer.reserved):
            self._served = time.monotonic()
        elif time.monotonic() - self._served > self.limits.patience:
            lost = f"no worker has been running for {self.limits.patience:g} s"
            self._dispatch.fail_waiting(WorkerLost(lost))

    async def _check(self, peer: Peer) -> Member:
        if peer.ready is None:
            return peer.member("down" if peer.seat.down else "starting")
        if peer.at_work:
            return peer.member("silent" if peer.overdue(self.limits) else "busy")
        if peer.idle:
            peer.pulse = self._ping(peer)
        if peer.pulse is not None:
            await asyncio.wait({peer.pulse}, timeout=self.limits.heartbeat)
        return peer.member(peer.pulse_state())

    def _ping(self, peer: Peer) -> asyncio.Future[Answer]:
        job = Job(iter([Ping()]))
        self._hand(peer, (job.take(),))
        pulse = asyncio.ensure_future(job.read())
        pulse.add_done_callback(lambda done: done.cancelled() or done.exception())
        return pulse

    def _argv(self, name: str) -> Sequence[str]:
        if self._wire is None:
            raise RuntimeError("a worker is started only between start() and stop()")
        own = ("--connect", self._wire.address, "--name", name, "--parent", str(os.getpid()))
        return (*self._command, *own, "--device", self._device, "--threads", str(self._threads))


def is_greeting(frame: bytes) -> bool:
    """Whether a frame is a worker's first word, which it repeats while it has nothing to do."""
    if len(frame) > LONGEST_GREETING:
        return False
    try:
        ticket, reply = decode_reply(frame)
    except BadMessage:
        return False
    return ticket == 0 and isinstance(reply, Ready)


def default_count(device: str) -> int:
    """Workers that fill this machine: one for a GPU, else one for each core."""
    gpu = device.startswith("cuda") or (device == "auto" and NVIDIA.exists())
    return 1 if gpu else _cores()


def _cores() -> int:
    return len(os.sched_getaffinity(0)) if sys.platform == "linux" else os.cpu_count() or 1
