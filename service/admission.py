"""Which work is taken on: a bounded queue and a quota for each key, both in noise samples.

Whoever is turned away is told when to come back: when enough will have been drawn, at the pace that
was measured; when the quota will have grown enough.
"""

import math
import time
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import aclosing, contextmanager

from starlette.requests import Request

from models.registry import Card
from service.orders import NO_PICTURE, Noise
from service.pool.pools import Pool
from service.problems import ProblemError, fault
from service.settings import Settings

HOUR = 3600.0
LONGEST_RETRY = 3600


class Admission:
    """Counts the samples that are waited for; `backlog` says how many the jobs of the store need.

    Quotas are counted in this process: a restart forgets what was used, and several servers over
    one store count each for itself.
    """

    def __init__(self, settings: Settings, pool: Pool, backlog: Callable[[], int]) -> None:
        self._settings, self._pool, self._backlog = settings, pool, backlog
        self._held = 0
        self._buckets: dict[str, Bucket] = {}

    @property
    def waiting(self) -> int:
        """Samples that are waited for."""
        return self._held + self._backlog()

    def enter(self, request: Request, card: Card, noise: Noise | None) -> None:
        """Take this work on. Raises ProblemError queue-full or quota-exceeded."""
        samples = noise.samples if noise else 1
        most, waiting = self._settings.queue_samples, self.waiting
        if waiting and waiting + samples > most:
            raise self._full(card, noise, waiting + samples - most)
        owner = getattr(request.state, "owner", "")
        own = getattr(request.state, "samples_an_hour", None)
        quota = own if own is not None else self._settings.samples_an_hour
        if owner and quota:
            bucket = self._buckets.setdefault(owner, Bucket(quota, time.monotonic()))
            bucket.take(samples, quota, time.monotonic())

    def leave(self, request: Request, noise: Noise | None) -> None:
        """Give back what was taken from the caller's quota for nothing."""
        if (bucket := self._buckets.get(getattr(request.state, "owner", ""))) is not None:
            bucket.give(noise.samples if noise else 1)

    @contextmanager
    def held(self, noise: Noise | None) -> Iterator[None]:
        """The samples count as waited for."""
        samples = noise.samples if noise else 1
        self._held += samples
        try:
            yield
        finally:
            self._held -= samples

    async def streamed(
        self, stream: AsyncIterator[bytes], noise: Noise | None
    ) -> AsyncIterator[bytes]:
        """The stream, whose samples count as waited for until it ends."""
        with self.held(noise):
            async with aclosing(stream) as parts:  # type: ignore[type-var]
                async for part in parts:
                    yield part

    def _full(self, card: Card, noise: Noise | None, excess: int) -> ProblemError:
        pace = self._pool.samples_per_second(noise.plan(card, NO_PICTURE, 0)) if noise else None
        seconds = excess / pace if pace else float(self._settings.retry_after_seconds)
        return _come_back("queue-full", f"{self.waiting} samples are waited for already", seconds)


class Bucket:
    """What a key may still have drawn: grows by its quota an hour, and to no more than that."""

    def __init__(self, quota: int, now: float) -> None:
        self._left, self._then = float(quota), now

    def take(self, samples: int, quota: int, now: float) -> None:
        """Take so many. Raises ProblemError quota-exceeded."""
        rate = quota / HOUR
        self._left = min(float(quota), self._left + (now - self._then) * rate)
        self._then = now
        if samples > quota:
            rule = f"this key may have at most {quota} samples drawn in an hour"
            wrong = fault("samples", samples, rule, "ask for fewer, or for a larger quota")
            raise ProblemError("quota-exceeded", rule, [wrong])
        if samples > self._left:
            detail = f"{int(self._left)} of {quota} samples an hour are left for this key"
            raise _come_back("quota-exceeded", detail, (samples - self._left) / rate)
        self._left -= samples

    def give(self, samples: int) -> None:
        """Give so many back."""
        self._left += samples


def _come_back(kind: str, detail: str, seconds: float) -> ProblemError:
    after = min(max(1, math.ceil(seconds)), LONGEST_RETRY)
    headers = {"Retry-After": str(after)}
    return ProblemError(kind, f"{detail}; try again in {after} seconds", headers=headers)
