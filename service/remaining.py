"""What is left to draw: the legs of an order, and the gaps in evidence that others began."""

from collections.abc import Iterator

from certify import stopping
from certify.evidence import Evidence, Range
from certify.gathering import Gathering
from service.orders import CertifyOrder


def legs(order: CertifyOrder) -> tuple[int, ...]:
    """Where drawing pauses: at each checkpoint if it is to stop early, else at the end only."""
    samples = order.noise.samples
    return stopping.checkpoints(samples) if order.asked.stop == "proven" else (samples,)


def legs_left(order: CertifyOrder, evidence: Evidence | Gathering) -> tuple[int, ...]:
    """The legs from the one on that `evidence` reaches into: those before did not end sampling."""
    reached = evidence.ranges[-1][1] if evidence.ranges else 0
    return tuple(stop for stop in legs(order) if stop >= reached)


def gaps(evidence: Evidence | Gathering, stop: int) -> Iterator[Range]:
    """The ranges of samples below `stop` that the evidence lacks, in order."""
    at = 0
    for first, last in evidence.ranges:
        if at < min(first, stop):
            yield at, min(first, stop)
        at = last
    if at < stop:
        yield at, stop
