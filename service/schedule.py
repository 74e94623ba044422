"""Which piece of work goes next: jobs take turns, each handing out one request per turn.

Pure bookkeeping, no sockets and no clock, so that fairness and cancelling can be tested by hand.
"""

import asyncio
from collections import deque
from collections.abc import Iterator

from service.messages import Reply, Request

Answer = tuple[Request, Reply]


class Job:
    """One caller's work: requests still to hand out, requests at work, answers to be read."""

    def __init__(self, work: Iterator[Request]) -> None:
        self._work = work
        self._next = next(work, None)
        self._at_work = 0
        self._answers: asyncio.Queue[Answer | Exception] = asyncio.Queue()

    @property
    def waiting(self) -> bool:
        """Whether there is a request to hand out."""
        return self._next is not None

    @property
    def finished(self) -> bool:
        """Whether every request has been handed out, answered and read."""
        return not self.waiting and not self._at_work and self._answers.empty()

    def take(self) -> Request:
        """The next request, which now counts as at work."""
        request = self._next
        if request is None:
            raise LookupError("this job has nothing left to hand out")
        self._next = next(self._work, None)
        self._at_work += 1
        return request

    def settle(self, request: Request, reply: Reply) -> None:
        """One request has its reply."""
        self._at_work -= 1
        self._answers.put_nowait((request, reply))

    def fail(self, error: Exception) -> None:
        """Hand out nothing more; the caller gets `error` next."""
        self._next = None
        while not self._answers.empty():
            self._answers.get_nowait()
        self._answers.put_nowait(error)

    async def read(self) -> Answer:
        """The next answer, in the order they come. Raises what `fail` was given."""
        answer = await self._answers.get()
        if isinstance(answer, Exception):
            raise answer
        return answer


class Schedule:
    """Jobs that have something to hand out, in the order of their turns."""

    def __init__(self) -> None:
        self._turns: deque[Job] = deque()

    def add(self, job: Job) -> None:
        """The job gets its turns, after everyone who already waits."""
        if job.waiting:
            self._turns.append(job)

    def drop(self, job: Job) -> None:
        """The job gets no more turns."""
        if job in self._turns:
            self._turns.remove(job)

    def take(self) -> tuple[Job, Request] | None:
        """The next request and whose it is; None if nobody waits."""
        if not self._turns:
            return None
        job = self._turns.popleft()
        request = job.take()
        self.add(job)
        return job, request

    def clear(self) -> tuple[Job, ...]:
        """Every waiting job, none of which gets another turn."""
        jobs = tuple(self._turns)
        self._turns.clear()
        return jobs
