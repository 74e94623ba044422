"""How work is cut: pieces that end at multiples of the lanes, each about a second long.

Only the first and the last batch of a request are then ever padded, and a sample has the same place
in its batch however the work is cut.
"""

from collections.abc import Callable, Iterator

from certify.plan import Plan
from service.messages import Array, Average, Draw, Request


class Pace:
    """How many samples per second one worker makes of each model at so many lanes, learned from
    finished chunks. Noise, cells and votes take next to no time beside the network."""

    def __init__(self, chunk_seconds: float = 1.0, workers: int = 1) -> None:
        self.chunk_seconds = chunk_seconds
        self.workers = workers
        # Told of every chunk and the seconds that it took.
        self.listeners: list[Callable[[Request, float], None]] = []
        self._rates: dict[tuple[str, int, str], float] = {}
        self._most: dict[tuple[str, int, int], int] = {}

    def observe(self, request: Request, seconds: float) -> None:
        """Learn from one finished chunk, which counts half. Only samples count."""
        if not isinstance(request, Draw | Average) or seconds <= 0:
            return
        for listener in self.listeners:
            listener(request, seconds)
        key = _key(request.plan)
        rate = (request.stop - request.start) / seconds
        self._rates[key] = 0.5 * (rate + self._rates.get(key, rate))

    def samples_per_second(self, plan: Plan) -> float | None:
        """What all workers together make of such a plan; None before anything was measured."""
        rate = self._rates.get((plan.model, plan.recipe.lanes))
        return None if rate is None else rate * self.workers

    def batches(self, plan: Plan, remaining: int) -> int:
        """Batches for the next chunk: one until the pace is known, then `chunk_seconds` of work,
        and never more than each worker's share of what remains."""
        rate = self._rates.get((plan.model, plan.recipe.lanes), 0.0)
        lanes = plan.recipe.lanes
        share = -(-remaining // (lanes * self.workers))
        return max(1, min(int(rate * self.chunk_seconds / lanes), share))


def pieces(
    kind: type[Draw] | type[Average], plan: Plan, image: Array, start: int, stop: int, pace: Pace
) -> Iterator[Request]:
    """Requests that cover [start, stop); each is cut when it is taken, at the pace known then."""
    lanes = plan.recipe.lanes
    while start < stop:
        end = min(stop, (start // lanes + pace.batches(plan, stop - start)) * lanes)
        yield kind(plan, image, start, end)
        start = end
