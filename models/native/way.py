"""How pictures of one size go through a chain: the calls, and where values and bits lie."""

import threading
from collections.abc import Iterator, Sequence
from functools import cache, lru_cache
from itertools import accumulate, pairwise

import numpy as np
import torch
from torch import Tensor

from models.native.kernel import PRECISIONS
from models.native.link import Link
from models.native.masking import masking
from models.native.walking import Call, Spot, Walk
from models.native.windows import Sides

# Bytes of the largest values behind a step, of the pictures that go together; as many as of its
# kernel where that is larger, which every group of pictures reads anew.
HELD = 1 << 19
# The arrays of a walk: values before the first step, behind the last, bits, and room between.
BEFORE, BEHIND, BITS, ROOM = range(4)
# Numbers of pictures whose walks are remembered.
WALKS = 8
_own = threading.local()


class Way:
    """What is known of a chain once the size of its pictures is.

    sides: of each step. plane: of what comes out. together: pictures that go together. between:
    bytes of what lies between two steps. starts: where the bits of each step begin among those of a
    picture, and how many there are. ahead, back: what computes so many pictures, and what leads
    their slopes back through each step and through the kink behind it; both are told where values
    before the first step, values behind the last, bits and `room` are.
    """

    def __init__(self, links: Sequence[Link], plane: tuple[int, int]) -> None:
        self.links, self.sides, self.held = links, list[Sides](), links[0].held
        for link in links:
            self.sides.append(link.sides(plane))
            plane = self.sides[-1][0].outs, self.sides[-1][1].outs
        self.plane = plane
        pixels = [high.outs * wide.outs for high, wide in self.sides]
        values = [n * link.ahead.width for n, link in zip(pixels, links, strict=True)]
        kernels = [link.ahead.packed.nbytes for link in links]
        self.together = max(1, max(HELD, *kernels) // (self.held.itemsize * max(values)))
        high, wide = self.sides[0]
        first = high.size * wide.size * links[0].ahead.depth
        # Bytes of a picture before the first step and behind the last.
        self._sizes = [self.held.itemsize * each for each in (first, values[-1])]
        self.between = self.held.itemsize * self.together * max(values[:-1], default=0)
        bits = [n * link.bytes for n, link in zip(pixels, links, strict=True)]
        self.starts = [0, *accumulate(bits)]
        self.ahead, self.back = (lru_cache(WALKS)(each) for each in (self._ahead, self._back))
        self._calls, self._calls_back = cache(self._steps), cache(self._steps_back)

    def parts(self, pictures: int) -> Iterator[slice]:
        """Which pictures go together."""
        for start in range(0, pictures, self.together):
            yield slice(start, min(start + self.together, pictures))

    def room(self) -> Tensor:
        """Room of this thread's own for what lies between steps, one half of which is read while
        the other is written, and for slopes led back through the last kink."""
        masked = self.together * self._sizes[1] if self.links[-1].kinked else 0
        return _room(2 * self.between + masked)

    def _ahead(self, pictures: int) -> Walk:
        legs = []
        for part in self.parts(pictures):
            ways = zip(pairwise(self._spots(part)), self._bits(part), strict=True)
            calls = self._calls(part.stop - part.start)
            legs += [(call, *way, bits) for call, (way, bits) in zip(calls, ways, strict=True)]
        return Walk(legs)

    def _back(self, pictures: int) -> Walk:
        legs: list[tuple[Call, Spot, Spot, Spot]] = []
        for part in self.parts(pictures):
            many, spots, bits = part.stop - part.start, self._spots(part), self._bits(part)
            if self.links[-1].kinked:
                # Slopes that come from outside are not written over: others may hold them too.
                masked = Spot(ROOM, 2 * self.between)
                legs.append((self._mask(many), spots[-1], masked, bits[-1]))
                spots[-1] = masked
            ways = zip(pairwise(spots), [Spot(BITS, 0), *bits[:-1]], strict=True)
            calls = list(zip(self._calls_back(many), ways, strict=True))
            legs += [(call, *way[::-1], kept) for call, (way, kept) in reversed(calls)]
        return Walk(legs)

    def _steps(self, pictures: int) -> list[Call]:
        """What computes so many pictures that go together, step by step."""
        steps = zip(self.links, self.sides, strict=True)
        return [link.ahead.call(link.ending, pictures, sides) for link, sides in steps]

    def _steps_back(self, pictures: int) -> list[Call]:
        """What leads their slopes back through each step and through the kink before it."""
        endings = ["none", *(link.masking for link in self.links[:-1])]
        return [
            link.back.call(ending, pictures, (high.back(), wide.back()))
            for link, (high, wide), ending in zip(self.links, self.sides, endings, strict=True)
        ]

    def _mask(self, pictures: int) -> Call:
        """What leads slopes back through the last kink."""
        pixels, width = self.plane[0] * self.plane[1], self.links[-1].ahead.width
        return masking(PRECISIONS[self.held], pictures * pixels, width)

    def _spots(self, part: slice) -> list[Spot]:
        """Where values before the first step, between steps and behind the last are."""
        first, last = (part.start * size for size in self._sizes)
        between = [Spot(ROOM, step % 2 * self.between) for step in range(len(self.links) - 1)]
        return [Spot(BEFORE, first), *between, Spot(BEHIND, last)]

    def _bits(self, part: slice) -> list[Spot]:
        """Where the bits of each step are, of pictures that go together."""
        start, many = part.start * self.starts[-1], part.stop - part.start
        return [Spot(BITS, start + many * each) for each in self.starts[:-1]]

    def steep(self, kept: Tensor, step: int, pictures: int) -> Tensor:
        """Where the slope of a step's kink is 1, (n, channels, h, w), read from its bits."""
        width, (high, wide) = self.links[step].ahead.width, self.sides[step]
        found = [np.zeros((0, high.outs, wide.outs, width), np.uint8)]
        for part in self.parts(pictures):
            many = part.stop - part.start
            first, last = self.starts[step : step + 2]
            ends = (part.start * self.starts[-1] + many * each for each in (first, last))
            bits = np.unpackbits(kept[slice(*ends)].numpy(), bitorder="little")
            found.append(bits.reshape(many, high.outs, wide.outs, -1)[..., :width])
        return torch.from_numpy(np.concatenate(found)).permute(0, 3, 1, 2).bool()


def _room(size: int) -> Tensor:
    """At least so many bytes of this thread's own, which all its chains use one after another: they
    stay in the caches."""
    room: Tensor | None = getattr(_own, "room", None)
    if room is None or len(room) < size:
        room = _own.room = torch.empty(size, dtype=torch.uint8, device="cpu")
    return room
