"""What the pipeline asks of whatever computes samples, and the pool that computes in this process.

A Pool answers `look`, `draw`, `draw_parts` and `average`, and says truthfully whether it can. All
pools cut work and merge answers by the same code (`ChunkedPool`), so the same plan gives the same
bytes in process, over one worker or over many.
"""

import asyncio
import time
from abc import ABC, abstractmethod
from collections.abc import AsyncGenerator, Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import aclosing
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, Protocol, TypeVar

import numpy as np
from numpy.typing import NDArray

from certify.evidence import Evidence
from certify.gathering import Gathering
from certify.plan import Plan
from models.precision import FLOAT32
from service.pool.chunks import Pace, pieces
from service.pool.messages import (
    Array,
    Average,
    Averaged,
    Draw,
    Drawn,
    Failure,
    Looked,
    Ping,
    Ready,
    Reply,
    Request,
    typed,
)
from service.pool.messages import Look as LookRequest
from service.rules.base_maps import DEFAULT

if TYPE_CHECKING:
    from service.pool.desk import Desk

Picture = NDArray[np.uint8]
State = Literal["starting", "idle", "busy", "silent", "down"]


class PoolError(Exception):
    """The pool could not do what it was asked."""


class WorkerLost(PoolError):
    """The worker died or did not answer, or none is running. Asking again later may help."""


class WorkRefused(PoolError):
    """The request contradicts the model or itself. Asking again is no use."""


class ModelUnavailable(PoolError):
    """The weights of the model are missing or wrong; the text says what to do about it."""


class TooLittleMemory(PoolError):
    """One batch of the request does not fit into the memory of the device. Others may."""


class WorkFailed(PoolError):
    """The worker failed while working; its log has the traceback. The worker goes on."""


@dataclass(frozen=True)
class Look:
    """One clean picture seen once.

    probabilities: float32 (classes,). target: the class explained. map: float32 (height, width),
    the magnitude of the base map.
    """

    probabilities: NDArray[np.float32]
    target: int
    map: NDArray[np.float32]


@dataclass(frozen=True)
class Member:
    """One worker, as the last heartbeat found it. `pid` and `device` are None until it is ready."""

    name: str
    state: State
    pid: int | None
    device: str | None
    restarts: int


@dataclass(frozen=True)
class Health:
    """Whether at least one worker's loop is known to turn, and what each worker is doing."""

    ready: bool
    workers: tuple[Member, ...]
    detail: str


class Pool(Protocol):
    """What the pipeline needs. Every method may raise WorkerLost, WorkRefused or WorkFailed."""

    async def start(self) -> None: ...
    async def stop(self) -> None: ...
    async def look(
        self,
        model: str,
        image: Picture,
        target: int | None,
        attribution: str = DEFAULT,
        precision: str = FLOAT32,
    ) -> Look: ...
    async def draw(self, plan: Plan, image: Picture, start: int, stop: int) -> Evidence: ...
    def draw_parts(
        self, plan: Plan, image: Picture, start: int, stop: int
    ) -> AsyncGenerator[Evidence, None]: ...
    async def average(
        self, plan: Plan, image: Picture, start: int, stop: int
    ) -> NDArray[np.float64]: ...
    def answers(self, work: Iterator[Request]) -> AsyncGenerator[tuple[Request, Reply], None]: ...
    async def heartbeat(self) -> Health: ...
    def samples_per_second(self, plan: Plan) -> float | None: ...


class ChunkedPool(ABC):
    """A Pool over one method, `answers`: chunks of work in, replies out."""

    def __init__(self, pace: Pace) -> None:
        self.pace = pace

    def samples_per_second(self, plan: Plan) -> float | None:
        """The pace at which such a plan was drawn last; None if nothing like it was."""
        return self.pace.samples_per_second(plan)

    def smaller(self, request: Request, failure: Failure) -> tuple[Request, ...]:
        """What to ask instead of a request that failed; nothing where that is no use."""
        return self.pace.halve(request) if failure.kind == "memory" else ()

    @abstractmethod
    def answers(self, work: Iterator[Request]) -> AsyncGenerator[tuple[Request, Reply], None]:
        """Each request of `work` with its reply, in any order. Closing the generator cancels."""

    async def look(
        self,
        model: str,
        image: Picture,
        target: int | None,
        attribution: str = DEFAULT,
        precision: str = FLOAT32,
    ) -> Look:
        """Probabilities and base map of one clean picture."""
        request = LookRequest(model, Array.of(image), target, attribution, precision)
        async with aclosing(self.answers(iter([request]))) as answers:
            _, reply = await anext(answers)
        seen = _of(Looked, reply)
        probabilities, map_ = typed(seen.probabilities, np.float32), typed(seen.map, np.float32)
        return Look(probabilities, seen.target, map_)

    async def draw_parts(
        self, plan: Plan, image: Picture, start: int, stop: int
    ) -> AsyncGenerator[Evidence, None]:
        """Evidence of the samples `start` to `stop` in parts, as they come, in any order.

        Close the generator (contextlib.aclosing) to stop early; chunks at work end unheard.
        """
        work = pieces(Draw, plan, Array.of(image), start, stop, self.pace)
        async with aclosing(self.answers(work)) as answers:
            async for _, reply in answers:
                yield _of(Drawn, reply).evidence()

    async def draw(self, plan: Plan, image: Picture, start: int, stop: int) -> Evidence:
        """Evidence of the samples `start` to `stop`."""
        evidence = Gathering(Evidence.empty(plan.features, plan.votes_only))
        async with aclosing(self.draw_parts(plan, image, start, stop)) as parts:
            async for part in parts:
                evidence.add(part)
        return evidence.whole()

    async def average(
        self, plan: Plan, image: Picture, start: int, stop: int
    ) -> NDArray[np.float64]:
        """Sum over the samples of the gridded map, float64 (features,).

        Samplers round their scores so that these sums are exact: parts may be added in any order.
        """
        total = np.zeros(plan.features)
        work = pieces(Average, plan, Array.of(image), start, stop, self.pace)
        async with aclosing(self.answers(work)) as answers:
            async for _, reply in answers:
                total += typed(_of(Averaged, reply).total, np.float64)
        return total


class LocalPool(ChunkedPool):
    """Computes in one thread of this process, so that the event loop stays free.

    The networks, and torch with them, are loaded by the first request. `open_desk` makes what
    answers; by default the same desk that a worker process runs.
    """

    def __init__(
        self,
        open_desk: "Callable[[], Desk] | None" = None,
        *,
        device: str = "auto",
        chunk_seconds: float = 1.0,
        heartbeat_seconds: float = 5.0,
    ) -> None:
        super().__init__(Pace(chunk_seconds))
        self._open_desk = open_desk or (lambda: _real_desk(device))
        self._heartbeat_seconds = heartbeat_seconds
        self._desk: Desk | None = None
        self._thread: ThreadPoolExecutor | None = None

    async def start(self) -> None:
        """Nothing is loaded yet."""
        self._thread = ThreadPoolExecutor(max_workers=1, thread_name_prefix="desk")

    async def stop(self) -> None:
        """Wait for the chunk at work and end the thread."""
        if self._thread is not None:
            thread, self._thread = self._thread, None
            await asyncio.to_thread(thread.shutdown, cancel_futures=True)

    async def heartbeat(self) -> Health:
        """A round trip through the thread; one that is busy for too long is not ready."""
        try:
            reply = await asyncio.wait_for(self._ask(Ping()), self._heartbeat_seconds)
        except (TimeoutError, WorkerLost) as error:
            detail = str(error) or f"no answer within {self._heartbeat_seconds:g} s"
            return Health(False, (Member("local", "silent", None, None, 0),), detail)
        device, pid = (reply.device, reply.pid) if isinstance(reply, Ready) else (None, None)
        return Health(True, (Member("local", "idle", pid, device, 0),), "computing in this process")

    async def answers(self, work: Iterator[Request]) -> AsyncGenerator[tuple[Request, Reply], None]:
        """One request after another, each in the thread; other requests may come in between."""
        cut: list[Request] = []
        while (request := cut.pop() if cut else next(work, None)) is not None:
            if smaller := self.pace.recut(request):
                cut += reversed(smaller)
                continue
            reply = await self._ask(request)
            if not isinstance(reply, Failure):
                yield request, reply
            elif smaller := self.smaller(request, reply):
                cut += reversed(smaller)
            else:
                raise failure_error(reply)

    async def _ask(self, request: Request) -> Reply:
        if self._thread is None:
            raise WorkerLost("the pool is not running; start() it first")
        loop = asyncio.get_running_loop()
        return await loop.run_in_executor(self._thread, self._answer, request)

    def _answer(self, request: Request) -> Reply:
        if self._desk is None:
            self._desk = self._open_desk()
        began = time.monotonic()
        reply = self._desk.answer(request)
        if not isinstance(reply, Failure):
            self.pace.observe(request, time.monotonic() - began)
        return reply


def failure_error(failure: Failure) -> PoolError:
    """The exception that a Failure stands for."""
    kinds: dict[str, type[PoolError]] = {
        "refused": WorkRefused,
        "unavailable": ModelUnavailable,
        "memory": TooLittleMemory,
    }
    return kinds.get(failure.kind, WorkFailed)(failure.detail)


def _real_desk(device: str) -> "Desk":
    # Loads torch, and so only when there is something to compute.
    from service.pool.worker_process import open_desk

    return open_desk(device)


Kind = TypeVar("Kind", Looked, Drawn, Averaged)


def _of(kind: type[Kind], reply: Reply) -> Kind:
    """The reply, which must be of this kind."""
    if not isinstance(reply, kind):
        raise WorkFailed(f"expected {kind.__name__}, got {type(reply).__name__}")
    return reply
