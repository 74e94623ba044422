"""Which pixels a convolution reads for which of its outputs, as numbers that code follows.

Along a side of the plane, output o reads tap k at pixel (o·stride + k·spread − zeros) / apart,
where that is a whole number and within the plane. Forward, `apart` is 1. Backward, the kernel is
turned, and `apart` is the stride of the convolution that is led back.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cached_property, lru_cache

import numpy as np
from numpy.typing import NDArray

# Input bytes that should stay in the second cache while kernels of all outputs pass over them.
CACHED = 192 << 10
# Outputs of a tile, the most first, which is a multiple of all others.
HEIGHTS = (12, 6, 4, 2, 1)
RUN, TAP = 7, 2


@dataclass(frozen=True)
class Side:
    """One side: pixels that come in and go out, and how they meet."""

    size: int
    outs: int
    kernel: int
    stride: int
    zeros: int
    spread: int
    apart: int = 1

    def back(self) -> "Side":
        """The side of the convolution that leads slopes back through this one, `apart` 1."""
        zeros = self.spread * (self.kernel - 1) - self.zeros
        return Side(self.outs, self.size, self.kernel, 1, zeros, self.spread, self.stride)


@dataclass(frozen=True)
class Strand:
    """Outputs along a side, evenly apart, that read the same taps; each the next pixels.

    taps: each tap, and the pixel that the first output reads there.
    """

    first: int
    step: int
    count: int
    ahead: int
    taps: tuple[tuple[int, int], ...]

    def goes_on(self, taps: Sequence[tuple[int, int]]) -> bool:
        """Whether these are what the next output would read."""
        further = self.ahead * self.count
        return tuple((tap, pixel + further) for tap, pixel in self.taps) == tuple(taps)


def strands(side: Side) -> list[Strand]:
    """All outputs of a side in strands."""
    found: list[Strand] = []
    for first in range(side.apart):
        for out in range(first, side.outs, side.apart):
            taps = tuple(_taps(side, out))
            same = found and first == found[-1].first % side.apart and found[-1].goes_on(taps)
            before = found.pop() if same else Strand(out, side.apart, 0, side.stride, taps)
            found.append(replace(before, count=before.count + 1))
    return found


def _taps(side: Side, out: int) -> Iterator[tuple[int, int]]:
    for tap in range(side.kernel):
        pixel, rest = divmod(out * side.stride + tap * side.spread - side.zeros, side.apart)
        if not rest and 0 <= pixel < side.size:
            yield tap, pixel


Sides = tuple[Side, Side]


@dataclass(frozen=True, eq=False)
class Windows:
    """What the code follows, for the pixels of all pictures in one row.

    runs (n, RUN): the first pixel read, pixels from one output to the next in the input; the first
    output, and outputs to the next; how many; the first of its taps, and how many. taps (n, TAP):
    pixels from the first one read, and which tap of the kernel. blocks (n + 1,): where the runs
    begin that go together through the kernels of all outputs.
    """

    blocks: NDArray[np.int64]
    runs: NDArray[np.int64]
    taps: NDArray[np.int64]

    @cached_property
    def addresses(self) -> tuple[int, int, int, int]:
        """Blocks, how many, runs and taps: what code is given."""
        where = [each.ctypes.data for each in (self.blocks, self.runs, self.taps)]
        return where[0], len(self.blocks) - 1, where[1], where[2]


@lru_cache(maxsize=4096)
def windows(pictures: int, sides: Sides, weight: int, tile: int) -> Windows:
    """Return the windows of so many pictures whose pixels are of so many bytes, for tiles of so
    many outputs."""
    high, wide = sides
    runs: list[Sequence[int]] = []
    taps: list[tuple[int, int]] = []
    for down in strands(high):
        for across in strands(wide):
            where = [
                (row * wide.size + pixel, tap_high * wide.kernel + tap_wide)
                for tap_high, row in down.taps
                for tap_wide, pixel in across.taps
            ]
            start = where[0][0] if where else 0
            about = (len(taps), len(where))
            taps += [(pixel - start, tap) for pixel, tap in where]
            lines = _lines(down, across, high, wide, start)
            runs += [(*line, *about) for line in _pictured(lines, pictures, high, wide)]
    # In whole tiles, so that no piece but the last leaves a rest.
    most = max(1, CACHED // weight // tile) * tile
    cut = [piece for run in runs for piece in _cut(run, most)]
    sizes = [run[4] for run in cut]
    return Windows(_blocks(sizes, most), np.array(cut, np.int64), _array(taps))


Line = tuple[int, int, int, int, int]


def _lines(down: Strand, across: Strand, high: Side, wide: Side, start: int) -> list[Line]:
    """The runs of one picture: along the longer of two strands, one for each of the other."""
    ins, outs = wide.size * down.ahead, wide.outs * down.step
    first = down.first * wide.outs + across.first
    along, other = (across.ahead, across.step, across.count), (ins, outs, down.count)
    if down.count > across.count:
        along, other = other, along
    lines = [
        (start + each * other[0], along[0], first + each * other[1], along[1], along[2])
        for each in range(other[2])
    ]
    return _joined(lines)


def _pictured(lines: list[Line], pictures: int, high: Side, wide: Side) -> list[Line]:
    """The runs of all pictures."""
    ins, outs = high.size * wide.size, high.outs * wide.outs
    return _joined(
        [
            (read + each * ins, ahead, made + each * outs, step, count)
            for each in range(pictures)
            for read, ahead, made, step, count in lines
        ]
    )


def _joined(lines: list[Line]) -> list[Line]:
    """The same runs, one where one goes on where another ends."""
    found = lines[:1]
    for line in lines[1:]:
        read, ahead, made, step, count = found[-1]
        if line == (read + ahead * count, ahead, made + step * count, step, line[4]):
            found[-1] = (read, ahead, made, step, count + line[4])
        else:
            found.append(line)
    return found


def _cut(run: Sequence[int], most: int) -> Iterator[Sequence[int]]:
    """The run in pieces of so many outputs; the last may be shorter."""
    read, ahead, made, step, count, *about = run
    for low in range(0, count, most):
        some = min(most, count - low)
        yield (read + ahead * low, ahead, made + step * low, step, some, *about)


def _blocks(sizes: Sequence[int], most: int) -> NDArray[np.int64]:
    blocks, held = [0], 0
    for number, size in enumerate(sizes):
        if held and held + size > most:
            blocks.append(number)
            held = 0
        held += size
    return np.array([*blocks, len(sizes)], np.int64)


def _array(taps: Sequence[tuple[int, int]]) -> NDArray[np.int64]:
    return np.array(taps, np.int64).reshape(-1, TAP)
