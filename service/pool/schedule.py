"""Which piece of work goes next: jobs take turns, each handing out one request per turn.

A job is quick until it has handed out a few requests; quick jobs go first, so that an explanation
does not wait behind a certificate of hours, and every so many turns a long job goes first all the
same. Lanes that a request would leave empty are filled from those that wait, without counting as a
turn. Pure bookkeeping and no sockets, so that fairness and cancelling can be tested by hand.
"""

import asyncio
import time
from collections import deque
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from msgspec.structs import replace

from models.lanes import Company, company
from service import tracing
from service.pool.messages import Look, Reply, Request, Sampled

Answer = tuple[Request, Reply]


# A job that has had so many turns is long; after so many turns of quick ones, a long one has one.
QUICK_TURNS, QUICK_IN_A_ROW = 4, 3
# A request that has cost so many workers in a row costs no more.
MOST_LOSSES = 3


@dataclass(frozen=True)
class Share:
    """A request that was handed out: whose it is, how many seconds it had waited, and whether
    others may be in one message with it."""

    job: "Job"
    request: Request
    waited: float
    sociable: bool = True


class Job:
    """One caller's work: requests still to hand out, requests at work, answers to be read.

    What came back is handed out first, and alone: it may be what a worker failed at, and nobody
    else shall fail for it.
    """

    def __init__(self, work: Iterator[Request]) -> None:
        self._work = work
        self._next = next(work, None)
        self._returned: deque[Request] = deque()
        self._rest: Request | None = None
        self._at_work = self._turns = self._losses = 0
        self._closed = False
        self._answers: asyncio.Queue[Answer | Exception] = asyncio.Queue()
        self.context = tracing.here()
        self._since = time.monotonic()

    @property
    def waiting(self) -> bool:
        """Whether there is a request to hand out."""
        return bool(self._returned) or self._coming is not None

    @property
    def quick(self) -> bool:
        """Whether it has not had many turns yet."""
        return self._turns < QUICK_TURNS

    @property
    def finished(self) -> bool:
        """Whether every request has been handed out, answered and read."""
        return not self.waiting and not self._at_work and self._answers.empty()

    @property
    def _coming(self) -> Request | None:
        return self._rest or self._next

    @property
    def _sociable(self) -> bool:
        return not self._returned and not self._losses

    def take(self) -> Share:
        """The next request, which now counts as at work; those that came back go first."""
        sociable = self._sociable
        self._turns += 1
        return self._out(self._returned.popleft() if self._returned else self._pop(), sociable)

    @property
    def glances(self) -> bool:
        """Whether the next request is one look at a clean picture, and nothing it has failed at."""
        return self._sociable and isinstance(self._coming, Look)

    def rides(self, with_: Company) -> bool:
        """Whether the next request may share a batch with such plans."""
        return (
            self._sociable
            and isinstance(self._coming, Sampled)
            and company(self._coming.plan) == with_
        )

    def ride(self, most: int) -> Share:
        """At most so many samples of the next request in lanes that cost nobody a turn."""
        request = self._pop()
        if isinstance(request, Sampled) and request.stop - request.start > most:
            cut = request.start + most
            request, self._rest = replace(request, stop=cut), replace(request, start=cut)
        return self._out(request, True)

    def _pop(self) -> Request:
        request = self._coming
        if request is None:
            raise LookupError("this job has nothing left to hand out")
        if self._rest is not None:
            self._rest = None
        else:
            self._next = next(self._work, None)
        return request

    def _out(self, request: Request, sociable: bool) -> Share:
        self._at_work += 1
        return Share(self, request, self.waited(), sociable)

    def waited(self) -> float:
        """Seconds since its last request was handed out; a new wait begins."""
        since, self._since = self._since, time.monotonic()
        return self._since - since

    def settle(self, request: Request, reply: Reply) -> None:
        """One request has its reply."""
        self._at_work -= 1
        self._losses = 0
        self._answers.put_nowait((request, reply))

    def give_back(self, *requests: Request) -> None:
        """One request could not be done as it was; these are handed out in its place."""
        self._at_work -= 1
        if not self._closed:
            self._returned.extend(requests)

    def lose(self, requests: Sequence[Request], error: Exception) -> None:
        """These were lost with one worker: another gets them, unless too many workers were."""
        self._losses += 1
        if self._losses < MOST_LOSSES:
            for request in requests:
                self.give_back(request)
        else:
            self.fail(error)

    def fail(self, error: Exception) -> None:
        """Hand out nothing more; the caller gets `error` next."""
        self.close()
        while not self._answers.empty():
            self._answers.get_nowait()
        self._answers.put_nowait(error)

    def close(self) -> None:
        """Hand out nothing more."""
        self._closed, self._next, self._rest = True, None, None
        self._returned.clear()

    async def read(self) -> Answer:
        """The next answer, in the order they come. Raises what `fail` was given."""
        answer = await self._answers.get()
        if isinstance(answer, Exception):
            raise answer
        return answer


class Schedule:
    """Jobs that have something to hand out, in the order of their turns."""

    def __init__(self) -> None:
        self._quick: deque[Job] = deque()
        self._long: deque[Job] = deque()
        self._in_a_row = 0

    def add(self, job: Job) -> None:
        """The job gets its turns, after everyone of its kind who already waits."""
        if job.waiting and job not in self._quick and job not in self._long:
            (self._quick if job.quick else self._long).append(job)

    def drop(self, job: Job) -> None:
        """The job gets no more turns."""
        job.close()
        self._leave(job)

    def take(self) -> Share | None:
        """The next request and whose it is; None if nobody waits."""
        turns = self._whose()
        if not turns:
            return None
        job = turns.popleft()
        share = job.take()
        self.add(job)
        return share

    def glance(self) -> Share | None:
        """The next look at a clean picture and whose it is; None if nobody waits for one."""
        job = next((job for job in self._quick if job.glances), None)
        if job is None:
            return None
        self._quick.remove(job)
        share = job.take()
        self.add(job)
        return share

    def riders(self, share: Share, most: int) -> Iterator[Share]:
        """At most so many others for the lanes that a request would leave empty in its last batch,
        from those whose turn comes first."""
        first = share.request
        if not isinstance(first, Sampled) or not share.sociable:
            return
        room, with_ = (first.start - first.stop) % first.plan.recipe.lanes, company(first.plan)
        for job in (*self._quick, *self._long):
            while room and most and job.rides(with_):
                rider = job.ride(room)
                room, most = room - _samples(rider.request), most - 1
                yield rider
            if not job.waiting:
                self._leave(job)

    def clear(self) -> tuple[Job, ...]:
        """Every waiting job, none of which gets another turn."""
        jobs = (*self._quick, *self._long)
        self._quick.clear()
        self._long.clear()
        return jobs

    def _leave(self, job: Job) -> None:
        for turns in (self._quick, self._long):
            if job in turns:
                turns.remove(job)

    def _whose(self) -> deque[Job]:
        """Whose turn it is: quick or long jobs."""
        if self._quick and (not self._long or self._in_a_row < QUICK_IN_A_ROW):
            self._in_a_row += 1 if self._long else 0
            return self._quick
        self._in_a_row = 0
        return self._long


def _samples(request: Request) -> int:
    return request.stop - request.start if isinstance(request, Sampled) else 0
