"""How work is cut: pieces that end at multiples of the lanes, each about a second long.

Only the first and the last batch of a request are then ever padded, and a sample has the same place
in its batch however the work is cut.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import pairwise

from msgspec.structs import replace

from certify.plan import Plan
from models.attribution.methods import METHODS
from service.pool.messages import Array, Request, Sampled, Together

Key = tuple[str, int, str, str]


@dataclass(frozen=True)
class Work:
    """The samples of one message: how many, in how many batches, by a plan like all of theirs."""

    plan: Plan
    samples: int
    batches: int

    @classmethod
    def of(cls, request: Request) -> "Work | None":
        """What a worker does for a request; None where it draws no samples."""
        asked = request.parts if isinstance(request, Together) else (request,)
        parts = [part for part in asked if isinstance(part, Sampled)]
        if not parts:
            return None
        plan, samples = parts[0].plan, sum(part.stop - part.start for part in parts)
        return cls(plan, samples, -(-samples // plan.recipe.lanes))

    @property
    def lanes(self) -> int:
        """Pictures that the network sees, with a sample or without."""
        return self.batches * self.plan.recipe.lanes

    @property
    def fill(self) -> float:
        """Share of the lanes that hold a sample."""
        return self.samples / self.lanes


class Pace:
    """How many samples per second one worker makes of each model at so many lanes by each base map,
    learned from finished chunks. Noise, cells and votes take next to no time beside the network, so
    the pace of a base map not seen yet follows from another's by their passes."""

    def __init__(self, chunk_seconds: float = 1.0, workers: int = 1) -> None:
        self.chunk_seconds = chunk_seconds
        self.workers = workers
        # Told of every chunk and the seconds that it took.
        self.listeners: list[Callable[[Work, float], None]] = []
        # Told of every time that memory did not suffice.
        self.halved: list[Callable[[], None]] = []
        self._rates: dict[Key, float] = {}
        self._most: dict[tuple[str, int, int], int] = {}

    def observe(self, request: Request, seconds: float) -> None:
        """Learn from one finished chunk, which counts half. A lane left empty takes as long as one
        with a sample, so lanes are what counts."""
        work = Work.of(request)
        if work is None or not work.samples or seconds <= 0:
            return
        for listener in self.listeners:
            listener(work, seconds)
        key = _key(work.plan)
        rate = work.lanes / seconds
        self._rates[key] = 0.5 * (rate + self._rates.get(key, rate))

    def samples_per_second(self, plan: Plan) -> float | None:
        """What all workers together make of such a plan; None before anything was measured."""
        rate = self._rate(plan)
        return None if rate is None else rate * self.workers

    def _rate(self, plan: Plan) -> float | None:
        """What one worker makes: as measured, else as measured of another base map."""
        key = _key(plan)
        if key in self._rates:
            return self._rates[key]
        for (*alike, other), rate in self._rates.items():
            if alike == list(key[:-1]):
                return rate * METHODS[other].passes / METHODS[key[-1]].passes
        return None

    def batches(self, plan: Plan, remaining: int) -> int:
        """Batches for the next chunk: one until the pace is known, then `chunk_seconds` of work,
        and never more than each worker's share of what remains."""
        rate, lanes = self._rate(plan) or 0.0, plan.recipe.lanes
        share = -(-remaining // (lanes * self.workers))
        most = self._most.get(_shape(plan), share)
        return max(1, min(int(rate * self.chunk_seconds / lanes), share, most))

    def halve(self, request: Request) -> tuple[Request, ...]:
        """The same work in smaller chunks, because a worker had too little memory for it as one.

        From now on no chunk of such a plan gets larger than half of it. None come back where there
        is nothing to halve: one batch of the lanes that the recipe says is the least, since a
        network's rounding depends on them.
        """
        if not isinstance(request, Sampled) or (batches := _batches(request)) < 2:
            return ()
        self._most[_shape(request.plan)] = batches // 2
        for told in self.halved:
            told()
        return self.recut(request)

    def recut(self, request: Request) -> tuple[Request, ...]:
        """The same work in chunks that fit into memory, as far as is known; none if it fits."""
        if not isinstance(request, Sampled):
            return ()
        most = self._most.get(_shape(request.plan))
        if most is None or _batches(request) <= most:
            return ()
        lanes = request.plan.recipe.lanes
        first = (request.start // lanes + most) * lanes
        cuts = [request.start, *range(first, request.stop, most * lanes), request.stop]
        return tuple(replace(request, start=start, stop=stop) for start, stop in pairwise(cuts))


def _batches(request: Sampled) -> int:
    lanes = request.plan.recipe.lanes
    return -(-request.stop // lanes) - request.start // lanes


def _shape(plan: Plan) -> tuple[str, int, int]:
    """What decides how much memory a chunk takes beside its length."""
    return plan.model, plan.recipe.lanes, plan.features


def _key(plan: Plan) -> Key:
    """What decides the time that a sample takes, its base map last."""
    recipe = plan.recipe
    return plan.model, recipe.lanes, recipe.precision, recipe.attribution


def pieces(
    kind: type[Sampled], plan: Plan, image: Array, start: int, stop: int, pace: Pace
) -> Iterator[Request]:
    """Requests that cover [start, stop); each is cut when it is taken, at the pace known then."""
    lanes = plan.recipe.lanes
    while start < stop:
        end = min(stop, (start // lanes + pace.batches(plan, stop - start)) * lanes)
        yield kind(plan, image, start, end)
        start = end
