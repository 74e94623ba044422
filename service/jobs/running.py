"""One job at work in this process: its evidence so far, what is not saved yet, who watches."""

import asyncio
from dataclasses import replace

from certify.evidence import Evidence
from certify.gathering import Gathering
from certify.plan import Plan
from service.jobs.record import Record
from service.orders import CertifyOrder
from service.pipeline import Certified, Notes
from service.results import Progress
from service.store.jobs import Point


class SetAside(Exception):
    """This process works on the job no more; it waits in the store."""


class Taken(Exception):
    """The job was cancelled, or another process took it."""


class Running:
    """A job between its start here and its end here.

    kept: whether it is in the store, and may outlive the request and the process. unsaved: what
    was drawn and is not there yet; growing: what was saved last, if more is to be saved with it.
    outcome: the certificate, once it is made and, where it is kept, in the store; or why there is
    none.
    """

    def __init__(self, record: Record, *, kept: bool, evidence: Evidence | None = None) -> None:
        self.record = record
        self.kept = kept
        self.target = record.order.target
        self.unsaved: list[Evidence] = []
        self.growing: Evidence | None = None
        self.progress: Progress | None = None
        self.saved_at = float("-inf")
        self.lock = asyncio.Lock()
        self.outcome: asyncio.Future[Certified] = asyncio.get_running_loop().create_future()
        # Nobody may be waiting for it.
        self.outcome.add_done_callback(lambda done: done.cancelled() or done.exception())
        self.task: asyncio.Task[None] | None = None
        self._gathered = None if evidence is None else Gathering(evidence)
        self._bell = asyncio.Event()
        self._watched = False

    @property
    def id(self) -> str:
        """The job's id."""
        return self.record.id

    @property
    def samples(self) -> int:
        """Samples drawn so far."""
        return self._gathered.samples if self._gathered is not None else 0

    @property
    def left(self) -> int:
        """Samples that may still be drawn."""
        return self.record.order.noise.samples - self.samples

    def point(self) -> Point:
        """How far it has got, for the store."""
        told = self.progress.model_dump_json() if self.progress else None
        return Point(self.samples, self.target, told)

    def order(self) -> CertifyOrder:
        """The order, of the class that is explained once that is known."""
        return replace(self.record.order, target=self.target)

    def notes(self) -> Notes:
        """What the pipeline goes on from, and where it leaves what it draws."""
        evidence = None if self._gathered is None else self._gathered.whole()
        return Notes(self.record.issue, evidence, self._keep)

    async def _keep(self, plan: Plan, part: Evidence, evidence: Gathering) -> None:
        self.target, self._gathered = plan.target, evidence
        self.unsaved.append(part)

    def tell(self, progress: Progress) -> None:
        """Progress for whoever watches."""
        self.progress = progress
        self.ring()

    def look(self) -> Progress | None:
        """How far it is. Proofs on the way take as long as many samples, so they are made from the
        first look on."""
        self._watched = True
        return self.progress

    def is_watched(self) -> bool:
        """Whether anybody has looked how far it is."""
        return self._watched

    def ring(self) -> None:
        """Wake whoever watches."""
        self._bell.set()
        self._bell = asyncio.Event()

    async def news(self, seconds: float) -> None:
        """Return when there is something new, or after so many seconds."""
        self._watched = True
        try:
            await asyncio.wait_for(self._bell.wait(), seconds)
        except TimeoutError:
            return

    def settle(self, outcome: Certified | Exception) -> None:
        """The end of it here; the first one counts."""
        if self.outcome.done():
            return
        if isinstance(outcome, Exception):
            self.outcome.set_exception(outcome)
        else:
            self.outcome.set_result(outcome)
        self.ring()
