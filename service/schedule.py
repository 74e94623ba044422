"""Which piece of work goes next: jobs take turns, each handing out one request per turn.

A job is quick until it has handed out a few requests; quick jobs go first, so that an explanation
does not wait behind a certificate of hours, and every so many turns a long job goes first all the
same. Pure bookkeeping and no sockets, so that fairness and cancelling can be tested by
hand.
"""

import asyncio
import time
from collections import deque
from collections.abc import Iterator

from service import tracing
from service.messages import Reply, Request

Answer = tuple[Request, Reply]


# A job that has had so many turns is long; after so many turns of quick ones, a long one has one.
QUICK_TURNS, QUICK_IN_A_ROW = 4, 3
# A request that has cost so many workers in a row costs no more.
MOST_LOSSES = 3


class Job:
    """One caller's work: requests still to hand out, requests at work, answers to be read."""

    def __init__(self, work: Iterator[Request]) -> None:
        self._work = work
        self._next = next(work, None)
        self._returned: deque[Request] = deque()
        self._at_work = self._turns = self._losses = 0
        self._closed = False
        self._answers: asyncio.Queue[Answer | Exception] = asyncio.Queue()
        self.context = tracing.here()
        self._since = time.monotonic()

    @property
    def waiting(self) -> bool:
        """Whether there is a request to hand out."""
        return bool(self._returned) or self._next is not None

    @property
    def quick(self) -> bool:
        """Whether it has not had many turns yet."""
        return self._turns < QUICK_TURNS

    @property
    def finished(self) -> bool:
        """Whether every request has been handed out, answered and read."""
        return not self.waiting and not self._at_work and self._answers.empty()

    def take(self) -> Request:
        """The next request, which now counts as at work; those that came back go first."""
        if self._returned:
            request = self._returned.popleft()
        elif self._next is not None:
            request, self._next = self._next, next(self._work, None)
        else:
            raise LookupError("this job has nothing left to hand out")
        self._at_work += 1
        self._turns += 1
        return request

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

    def lose(self, request: Request, error: Exception) -> None:
        """One request was lost with its worker: another gets it, unless too many were lost."""
        self._losses += 1
        if self._losses < MOST_LOSSES:
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
        self._closed, self._next = True, None
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
        for turns in (self._quick, self._long):
            if job in turns:
                turns.remove(job)

    def take(self) -> tuple[Job, Request] | None:
        """The next request and whose it is; None if nobody waits."""
        turns = self._whose()
        if not turns:
            return None
        job = turns.popleft()
        request = job.take()
        self.add(job)
        return job, request

    def clear(self) -> tuple[Job, ...]:
        """Every waiting job, none of which gets another turn."""
        jobs = (*self._quick, *self._long)
        self._quick.clear()
        self._long.clear()
        return jobs

    def _whose(self) -> deque[Job]:
        """Whose turn it is: quick or long jobs."""
        if self._quick and (not self._long or self._in_a_row < QUICK_IN_A_ROW):
            self._in_a_row += 1 if self._long else 0
            return self._quick
        self._in_a_row = 0
        return self._long
