"""Evidence as it grows, part by part in any order, at a cost that grows with the samples alone."""

from collections.abc import Iterable

from certify.evidence import Evidence, Range, union


class Gathering:
    """What `Evidence.merge` makes of all parts, without copying everything for each of them.

    Parts lie on a pile in which each has more samples than the next: a new one is merged with what
    lies on top for as long as that is not so. Of parts alike a sample is copied once for each
    doubling; merging each part with all before it would copy everything once for each part.

    ranges: the samples gathered so far, as in evidence.
    """

    def __init__(self, evidence: Evidence) -> None:
        self._pile = [evidence]
        self.ranges: tuple[Range, ...] = evidence.ranges

    @property
    def samples(self) -> int:
        """Number of samples gathered."""
        return sum(stop - start for start, stop in self.ranges)

    def add(self, part: Evidence) -> None:
        """Take a part. Raises ValueError if a sample of it is there, or features differ."""
        self._pile[0].require_alike(part)
        self.ranges = union(self.ranges, part.ranges)
        self._pile.append(part)
        while len(self._pile) > 1 and self._pile[-2].samples <= self._pile[-1].samples:
            top = self._pile.pop()
            self._pile[-1] = self._pile[-1].merge(top)

    def whole(self) -> Evidence:
        """All parts as one."""
        while len(self._pile) > 1:
            top = self._pile.pop()
            self._pile[-1] = self._pile[-1].merge(top)
        return self._pile[0]


def gathered(first: Evidence, others: Iterable[Evidence]) -> Evidence:
    """The first part and all others as one."""
    gathering = Gathering(first)
    for part in others:
        gathering.add(part)
    return gathering.whole()
