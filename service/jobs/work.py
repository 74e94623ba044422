"""The work on one job: drawn chunk by chunk, saved as it grows, brought to its end.

Workers may be lost and the store may be away for a while; neither ends a job.
"""

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable
from contextlib import aclosing

from sqlalchemy.exc import OperationalError, SQLAlchemyError

from certify.gathering import gathered
from service import answers
from service.drawing import gallery
from service.drawing.scenes import SCENE
from service.edge.negotiation import JSON, NPY
from service.failures import as_problem
from service.jobs import record as records
from service.jobs.running import Running, Taken
from service.keys import Signer
from service.pipeline import Certified, certify
from service.pool.pools import Pool, WorkerLost
from service.proving import proving
from service.settings import Settings
from service.store import jobs
from service.store.store import Store

log = logging.getLogger(__name__)

RETRY_SECONDS = 0.5
# So often in a row a job may lose its worker without having got any further.
MOST_LOSSES = 10
HOUR = 3600.0


class Work:
    """What is done for each job, in the name of `holder`."""

    def __init__(
        self, store: Store, pool: Pool, settings: Settings, signer: Signer | None, holder: str
    ) -> None:
        self.store, self.settings, self.holder = store, settings, holder
        self._pool, self._signer = pool, signer

    async def run(self, running: Running) -> None:
        """The whole of it. Raises CancelledError when the job is to be left as it is."""
        try:
            await self._conclude(running, await self._draw(running))
        except asyncio.CancelledError:
            raise
        except Taken as error:
            running.settle(error)
        except Exception as error:
            async with running.lock:
                if running.kept:
                    await self.fail(running.id, error)
                running.settle(error)

    async def save(self, running: Running) -> None:
        """Put what was drawn since the last time into the store; later, if that is not there.

        Raises Taken if the job is not ours any more.
        """
        async with running.lock:
            if not running.kept or not running.unsaved:
                return
            parts, growing = list(running.unsaved), running.growing
            first, *others = parts if growing is None else [growing, *parts]
            whole = await asyncio.to_thread(gathered, first, others)
            part = await asyncio.to_thread(records.pack, whole, growing)
            point, now = running.point(), time.time()
            try:
                held = await self.store.do(
                    jobs.checkpoint, running.id, self.holder, point, part, now
                )
            except SQLAlchemyError as error:
                log.error("job %s cannot be saved yet: %s", running.id, error)
                return
            finally:
                running.saved_at = time.monotonic()
            if not held:
                raise Taken(running.id)
            del running.unsaved[: len(parts)]
            running.growing = None if records.is_full(whole) else whole

    async def fail(self, job: str, error: Exception) -> None:
        """The job came to nothing; the store says why."""
        log.error("job %s failed: %s", job, error)
        told = as_problem(error, self.settings.retry_after_seconds).problem().model_dump_json()
        await self._insist(
            lambda now: self.store.do(jobs.fail, job, self.holder, told, now, self.expiry(now))
        )

    def expiry(self, now: float) -> float:
        """Until when a job that ends now is kept."""
        return now + self.settings.keep_hours * HOUR

    async def _draw(self, running: Running) -> Certified:
        """The certificate; a job of the store goes on when its worker is lost."""
        losses, reached = 0, running.samples
        while True:
            try:
                return await self._attempt(running)
            except WorkerLost as error:
                losses = 1 if running.samples > reached else losses + 1
                reached = running.samples
                if not running.kept or losses >= MOST_LOSSES:
                    raise
                log.warning("job %s is tried again: %s", running.id, error)
                await asyncio.sleep(RETRY_SECONDS)

    async def _attempt(self, running: Running) -> Certified:
        subject, notes = running.record.subject, running.notes()
        proofs = running.is_watched
        steps = certify(self._pool, running.order(), subject, proofs=proofs, notes=notes)
        async with aclosing(steps):
            async for step in steps:
                if isinstance(step, Certified):
                    return step
                running.tell(step)
                if time.monotonic() - running.saved_at >= self.settings.checkpoint_seconds:
                    # What is being written when a job is set aside is written to its end.
                    await asyncio.shield(self.save(running))
        raise RuntimeError("the pipeline ended without a certificate")

    async def _conclude(self, running: Running, certified: Certified) -> None:
        # So that a job that is done also says how much was drawn.
        await self.save(running)
        async with running.lock:
            if running.kept:
                results = await proving(self._results, certified)
                point, finish = running.point(), jobs.finish
                held = await self._insist(
                    lambda now: self.store.do(
                        finish, running.id, self.holder, point, results, now, self.expiry(now)
                    )
                )
                if not held:
                    raise Taken(running.id)
            running.settle(certified)

    def _results(self, certified: Certified) -> dict[str, bytes]:
        kinds = (JSON, NPY)
        made = {kind: answers.certificate(certified, kind, self._signer) for kind in kinds}
        return {**made, SCENE: gallery.scene(certified).pack()}

    async def _insist(self, attempt: Callable[[float], Awaitable[bool]]) -> bool:
        """What `attempt` gives, as soon as the store is there."""
        while True:
            try:
                return await attempt(time.time())
            except OperationalError as error:
                log.error("the store cannot be reached: %s", error)
                await asyncio.sleep(RETRY_SECONDS)
