"""How pictures of one size go through a chain: the calls, and where values and bits lie."""

import threading
from collections.abc import Iterator, Sequence
from functools import cache
from itertools import accumulate

import numpy as np
import torch
from torch import Tensor

from models.native.kernel import PRECISIONS, Call
from models.native.link import Link
from models.native.masking import masking
from models.native.windows import Sides

# Bytes of the largest values behind a step, of the pictures that go together; as many as of its
# kernel where that is larger, which every group of pictures reads anew.
HELD = 1 << 19
_own = threading.local()


class Way:
    """What is known of a chain once the size of its pictures is.

    sides: of each step. plane: of what comes out. together: pictures that go together. starts:
    where the bits of each step begin among those of a picture, and how many there are.
    """

    def __init__(self, links: Sequence[Link], plane: tuple[int, int]) -> None:
        self.links, self.sides = links, list[Sides]()
        for link in links:
            self.sides.append(link.sides(plane))
            plane = self.sides[-1][0].outs, self.sides[-1][1].outs
        self.plane, self.held = plane, links[0].held
        pixels = [high.outs * wide.outs for high, wide in self.sides]
        values = [n * link.ahead.width for n, link in zip(pixels, links, strict=True)]
        self._between = max(values[:-1], default=0)
        kernels = [link.ahead.packed.nbytes for link in links]
        self.together = max(1, max(HELD, *kernels) // (self.held.itemsize * max(values)))
        bits = [n * link.bytes for n, link in zip(pixels, links, strict=True)]
        self.starts = [0, *accumulate(bits)]
        self.ahead, self.back = cache(self._ahead), cache(self._back)

    def _ahead(self, pictures: int) -> list[Call]:
        """What computes so many pictures, step by step."""
        steps = zip(self.links, self.sides, strict=True)
        return [link.ahead.call(link.ending, pictures, sides) for link, sides in steps]

    def _back(self, pictures: int) -> list[Call]:
        """What leads their slopes back through each step and through the kink before it."""
        endings = ["none", *(link.masking for link in self.links[:-1])]
        return [
            link.back.call(ending, pictures, (high.back(), wide.back()))
            for link, (high, wide), ending in zip(self.links, self.sides, endings, strict=True)
        ]

    def mask(self, behind: int, before: int, bits: int, pictures: int) -> None:
        """Lead slopes back through the last kink, from one address to another."""
        pixels, width = self.plane[0] * self.plane[1], self.links[-1].ahead.width
        masking(PRECISIONS[self.held])(behind, before, bits, pictures * pixels, width)

    def parts(self, pictures: int) -> Iterator[slice]:
        """Which pictures go together."""
        for start in range(0, pictures, self.together):
            yield slice(start, min(start + self.together, pictures))

    def spare(self) -> Tensor:
        """Room for what lies between steps: one row is read while the other is written."""
        size = self.together * self._between
        return _room(2 * size * self.held.itemsize).view(self.held)[: 2 * size].view(2, size)

    def places(self, first: int, last: int, spare: Tensor) -> list[int]:
        """The addresses of values before the first step, between steps and behind the last."""
        start, size = spare.data_ptr(), spare.stride(0) * spare.element_size()
        between = [start + step % 2 * size for step in range(len(self.links) - 1)]
        return [first, *between, last]

    def bits(self, kept: Tensor, part: slice) -> list[int]:
        """The addresses of the bits of each step, of pictures that go together."""
        start = kept.data_ptr() + part.start * self.starts[-1]
        return [start + (part.stop - part.start) * each for each in self.starts[:-1]]

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
        room = _own.room = torch.empty(-(-size // 4) * 4, dtype=torch.uint8, device="cpu")
    return room
