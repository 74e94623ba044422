"""What goes out in one message, and what its answer means for those it came from.

Turns and their order are `schedule`'s, sizes are `chunks`'s; processes and sockets are `workers`'s.
A message is one request, or samples of several jobs that share batches. Nobody fails for another: a
message of several that cannot be done is done again one by one.
"""

import logging
from collections.abc import Iterator, Sequence

from service.pool.chunks import Pace
from service.pool.messages import (
    MOST_TOGETHER,
    DrawnTogether,
    Failure,
    Reply,
    Request,
    Sampled,
    Together,
)
from service.pool.pools import failure_error
from service.pool.schedule import Job, Schedule, Share

log = logging.getLogger(__name__)


class Dispatch:
    """The work of all jobs, handed out message by message."""

    def __init__(self, pace: Pace) -> None:
        self.pace = pace
        self._schedule = Schedule()

    def begin(self, work: Iterator[Request]) -> Job:
        """A job that gets its turns from now on."""
        job = Job(work)
        self._schedule.add(job)
        return job

    def end(self, job: Job) -> None:
        """Hand out nothing more of a job; what is at work ends unheard."""
        self._schedule.drop(job)

    def fail(self, job: Job, error: Exception) -> None:
        """End a job with an error for its caller."""
        self._schedule.drop(job)
        job.fail(error)

    def fail_waiting(self, error: Exception) -> None:
        """Fail every job that waits for a worker."""
        for job in self._schedule.clear():
            job.fail(error)

    def next(self) -> tuple[Share, ...]:
        """What goes into the next message, fit for memory as far as is known; () if nobody waits.

        After the request whose turn it is come others for the lanes that it would leave empty.
        """
        while share := self._schedule.take():
            if not (smaller := self.pace.recut(share.request)):
                return share, *self._schedule.riders(share, MOST_TOGETHER - 1)
            self._return(share, smaller)
        return ()

    def glance(self) -> tuple[Share, ...]:
        """What goes to a worker that is kept for looks at clean pictures; () if there is none."""
        share = self._schedule.glance()
        return () if share is None else (share,)

    def answered(self, shares: Sequence[Share], reply: Reply, worker: str) -> None:
        """A message has its reply."""
        if len(shares) == 1:
            self._settle(shares[0], reply, worker)
        elif isinstance(reply, DrawnTogether) and len(reply.parts) == len(shares):
            for share, part in zip(shares, reply.parts, strict=True):
                share.job.settle(share.request, part)
        else:
            log.warning("%s: %s; its requests are handed out one by one", worker, _said(reply))
            for share in shares:
                self._return(share, (share.request,))

    def lost(self, shares: Sequence[Share], error: Exception) -> None:
        """A message was lost with its worker: others get what was in it, unless too often lost."""
        for job in dict.fromkeys(share.job for share in shares):
            job.lose([share.request for share in shares if share.job is job], error)
            self._schedule.add(job)

    def _settle(self, share: Share, reply: Reply, worker: str) -> None:
        if not isinstance(reply, Failure):
            share.job.settle(share.request, reply)
        elif reply.kind == "memory" and (smaller := self.pace.halve(share.request)):
            log.warning("%s: %s; its chunks are halved", worker, reply.detail)
            self._return(share, smaller)
        else:
            self.fail(share.job, failure_error(reply))

    def _return(self, share: Share, requests: Sequence[Request]) -> None:
        share.job.give_back(*requests)
        self._schedule.add(share.job)


def message(shares: Sequence[Share]) -> Request:
    """What a worker is sent."""
    if len(shares) == 1:
        return shares[0].request
    asked = (share.request for share in shares)
    return Together(tuple(part for part in asked if isinstance(part, Sampled)))


def _said(reply: Reply) -> str:
    return reply.detail if isinstance(reply, Failure) else f"answers {type(reply).__name__}"
