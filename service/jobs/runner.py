"""Which jobs are at work in this process: begun, claimed from the store, cancelled, set aside.

A job is in the store from the moment on that someone may come back for it; until then it lives
with its request. What is in the store survives every process: whoever holds no lease any more is
refused, and whoever comes next goes on where the saved evidence ends.
"""

import asyncio
import logging
import time
import uuid
from collections.abc import Callable

from sqlalchemy.exc import SQLAlchemyError

from service import logs
from service.jobs import record as records
from service.jobs.record import Record
from service.jobs.running import Running, SetAside, Taken
from service.jobs.work import Work
from service.keys import Signer
from service.pipeline import SOFTWARE
from service.pool.pools import Pool
from service.problems import ProblemError
from service.settings import Settings
from service.store import jobs
from service.store.jobs import Head
from service.store.store import Store

log = logging.getLogger(__name__)

TURN_SECONDS = 0.5
PURGE_SECONDS = 60.0


class Runner:
    """Works on jobs of the store, and on jobs that only a request waits for.

    backlog: samples still to be drawn for all jobs of the store, as of the last turn.
    watchers: told of every job that ends here.
    """

    def __init__(self, store: Store, pool: Pool, settings: Settings, signer: Signer | None) -> None:
        self.backlog = 0
        self.watchers: list[Callable[[Running], None]] = []
        self._store, self._settings = store, settings
        self._work = Work(store, pool, settings, signer, uuid.uuid4().hex)
        self._running: dict[str, Running] = {}
        self._passed_on: set[asyncio.Task[None]] = set()
        self._turning: asyncio.Task[None] | None = None
        self._purge_due = 0.0
        self._closed = asyncio.Event()
        self._over = False

    def start(self) -> None:
        """Claim jobs from now on."""
        self._over = False
        self._closed.clear()
        self._turning = asyncio.create_task(self._turn_forever())

    async def stop(self, seconds: float = 0.0) -> None:
        """Leave every job to whoever comes next.

        Jobs of the store are set aside at once. Those that a request waits for may end within so
        many seconds; what is left then is put into the store, and its request told so.
        """
        self._closed.set()
        if self._turning is not None:
            self._turning.cancel()
            await asyncio.gather(self._turning, return_exceptions=True)
        await asyncio.gather(*(self._set_aside(r) for r in self._all() if r.kept))
        waiting = [running.outcome for running in self._all()]
        if waiting and seconds:
            await asyncio.wait(waiting, timeout=seconds)
        self._over = True
        await asyncio.gather(*(self._leave(r) for r in self._all()))
        # Whoever hung up has cancelled theirs.
        await asyncio.gather(*self._passed_on, return_exceptions=True)

    @property
    def closed(self) -> bool:
        """Whether jobs are left to others."""
        return self._closed.is_set()

    async def pause(self, seconds: float) -> None:
        """Return after so many seconds, or when this process is to end."""
        try:
            await asyncio.wait_for(self._closed.wait(), seconds)
        except TimeoutError:
            return

    def find(self, job: str) -> Running | None:
        """The job, if it is at work in this process."""
        return self._running.get(job)

    def begin(self, record: Record) -> Running:
        """Work on a job that only its request waits for, until `keep` puts it into the store; when
        work here is over it goes there at once."""
        running = Running(record, kept=False)
        if not self._over:
            return self._launch(running)
        running.task = asyncio.create_task(self._pass_on(running))
        self._passed_on.add(running.task)
        running.task.add_done_callback(self._passed_on.discard)
        return running

    async def accept(self, record: Record) -> Head:
        """Put a job into the store; the one with the same idempotency key, if there is one."""
        head = await self._store.do(jobs.accept, records.write(record), time.time())
        if head.id == record.id:
            self.backlog += record.order.noise.samples
        if head.id == record.id and self._room() > 0 and await self._take(record):
            self._launch(Running(record, kept=True))
        return head

    async def keep(self, running: Running) -> None:
        """Put a job that only a request waited for into the store, with its evidence so far."""
        async with running.lock:
            if running.outcome.done() or running.kept:
                return
            new = records.write(running.record)
            await self._store.do(jobs.accept, new, time.time())
            await self._take(running.record)
            running.kept = True
        await self._work.save(running)

    def drop(self, running: Running) -> None:
        """Nobody wants this job any more, or it is not ours."""
        running.settle(Taken(running.id))
        if running.task is not None:
            running.task.cancel()

    async def cancel(self, job: str, owner: str) -> bool:
        """End the owner's job, whoever works on it; whether it was not over yet."""
        now = time.time()
        done = await self._store.do(jobs.cancel, job, owner, now, self._work.expiry(now))
        running = self.find(job)
        if done and running is not None:
            self.drop(running)
        return done

    def _all(self) -> list[Running]:
        return list(self._running.values())

    def _room(self) -> int:
        if self.closed:
            return 0
        return self._settings.jobs_at_once - sum(running.kept for running in self._all())

    def _until(self, now: float) -> float:
        return now + self._settings.lease_seconds

    async def _take(self, record: Record) -> bool:
        now = time.time()
        holder, until = self._work.holder, self._until(now)
        return await self._store.do(jobs.take, record.id, holder, now, until)

    async def _turn_forever(self) -> None:
        pause = min(TURN_SECONDS, self._settings.lease_seconds / 4)
        while True:
            try:
                await self._turn(time.time())
            except SQLAlchemyError as error:
                log.error("the store cannot be reached: %s", error)
            except Exception:
                log.exception("unforeseen failure while looking for jobs")
            await asyncio.sleep(pause)

    async def _turn(self, now: float) -> None:
        ours = [running for running in self._all() if running.kept]
        holder, until = self._work.holder, self._until(now)
        names = [running.id for running in ours]
        held = await self._store.do(jobs.renew, holder, names, until) if names else frozenset()
        for running in ours:
            # One that is just being written finds out by itself.
            if running.id not in held and not running.lock.locked():
                self.drop(running)
        room = self._room()
        if room > 0:
            for job in await self._store.do(jobs.claim, holder, now, until, room):
                await self._resume(job)
        self.backlog = await self._store.do(jobs.backlog)
        if now > self._purge_due:
            self._purge_due = now + PURGE_SECONDS
            await self._store.do(jobs.purge, now)

    async def _resume(self, job: str) -> None:
        """Go on with a job that was claimed."""
        if job in self._running:
            return
        kept = await self._store.do(jobs.load, job)
        try:
            record = records.read(kept)
        except ProblemError as error:
            await self._work.fail(job, error)
            return
        if record.software != SOFTWARE:
            # Evidence of two versions is evidence of neither.
            record = records.renewed(record)
            asked = records.write(record).asked
            await self._store.do(jobs.begin_anew, job, self._work.holder, asked)
            evidence = None
        else:
            evidence = await asyncio.to_thread(records.unpack, kept.parts)
        self._launch(Running(record, kept=True, evidence=evidence))

    def _launch(self, running: Running) -> Running:
        self._running[running.id] = running
        running.outcome.add_done_callback(lambda _: [watch(running) for watch in self.watchers])
        running.task = asyncio.create_task(self._run(running))
        # Also of a task that was cancelled before it began.
        running.task.add_done_callback(lambda _: self._forget(running))
        return running

    def _forget(self, running: Running) -> None:
        if self._running.get(running.id) is running:
            del self._running[running.id]
        running.ring()

    async def _run(self, running: Running) -> None:
        logs.begin_job(running.id)
        try:
            await self._work.run(running)
        except asyncio.CancelledError:
            running.settle(SetAside(running.id))
            raise

    async def _pass_on(self, running: Running) -> None:
        """Put a job that came when work here was over into the store, for whoever comes next."""
        try:
            await self._store.do(jobs.accept, records.write(running.record), time.time())
            running.kept = True
            running.settle(SetAside(running.id))
        # Whatever it is: somebody waits for the outcome.
        except Exception as error:
            running.settle(error)

    async def _leave(self, running: Running) -> None:
        """Put the job into the store, if it is not there, and leave it to whoever comes next."""
        try:
            await self.keep(running)
        except (Taken, SQLAlchemyError) as error:
            log.warning("job %s cannot be kept: %r", running.id, error)
            running.settle(error)
        await self._set_aside(running)

    async def _set_aside(self, running: Running) -> None:
        """End the work here and leave the job to whoever comes next."""
        if running.task is None:
            return
        running.task.cancel()
        await asyncio.gather(running.task, return_exceptions=True)
        if not running.kept:
            return
        try:
            await self._work.save(running)
            await self._store.do(jobs.release, running.id, self._work.holder, time.time())
        except (Taken, SQLAlchemyError) as error:
            log.warning("job %s is left as it is: %r", running.id, error)
