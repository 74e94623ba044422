"""The loops around tiles: blocks of runs, panels of channels, pixels.

A panel is the channels that a tile computes at once. Kernels lie panel by panel, the widest first;
of one that is eight channels wide some may be missing.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from llvmlite import ir

from models.native import matrices, tiles
from models.native.emitting import INT, INTS, At, Code, Int
from models.native.tiles import LEAST, Size, Task
from models.native.windows import HEIGHTS, RUN, TAP


def given(task: Task) -> dict[str, ir.Type]:
    """What a convolution is given.

    The arrays of `windows`; values of a pixel of y, and taps of the kernel; kernel and bias; values
    of a pixel of x; for matrices, what they need; pictures, outputs, and bits that kinks write and
    masks read.
    """
    of_tiles = matrices.given(task) if task.product == "matrix" else task.given
    own = {"blocks": INTS, "block_count": INT, "runs": INTS, "taps": INTS, "width": INT}
    names = ("w", "bias", "depth", "together", "settings", "x", "y", "bits")
    return {**own, "kernel": INT, **{name: of_tiles[name] for name in names if name in of_tiles}}


@dataclass(frozen=True)
class Shape:
    """Sizes of tiles that suit a processor: values in a register, channels of the widest panel, and
    the most registers that hold sums."""

    vector: int
    channels: int
    sums: int

    @property
    def panels(self) -> list[int]:
        """Widths of panels of a dense convolution, the widest first, each half of the last."""
        widths = [self.channels]
        while widths[-1] > LEAST:
            widths.append(widths[-1] // 2)
        return widths

    def pixels(self, width: int) -> list[int]:
        """Pixels of the tiles of a panel, from the most down to one."""
        most = self.sums * self.lanes(width) // width
        return [pixels for pixels in HEIGHTS if pixels <= most]

    def alone(self, pixels: int) -> list[int]:
        """Widths of the tiles of so many pixels where channels stay apart: few pixels take many."""
        most = self.sums * self.vector // pixels // self.channels * self.channels
        return [most, *self.panels] if most > self.channels else self.panels

    def lanes(self, width: int) -> int:
        """Values in a register of a tile so wide."""
        return min(width, self.vector)

    def sizes(self, product: str) -> list[Size]:
        """All tiles."""
        if product == "matrix":
            pairs = [(p, width) for width in self.panels for p in matrices.PIXELS]
        elif product == "dense":
            pairs = [(p, width) for width in self.panels for p in self.pixels(width)]
        else:
            pairs = [(p, width) for p in self.pixels(self.channels) for width in self.alone(p)]
        return [Size(pixels, width, self.lanes(width)) for pixels, width in pairs]


def convolution(module: ir.Module, task: Task, shape: Shape) -> None:
    """Write the function of this task, by its name."""
    write = matrices.tile if task.product == "matrix" else tiles.tile
    made = {
        (size.pixels, size.channels): write(module, task, size)
        for size in shape.sizes(task.product)
    }
    writer = Writer(Code(module, task.name, given(task)), made, shape, task.product)
    {"matrix": writer.matrix, "dense": writer.dense, "depthwise": writer.depthwise}[task.product]()
    writer.code.done()


@dataclass(frozen=True)
class Run:
    """One run, as it is read: see `models.native.windows.Windows`."""

    read: Int
    ahead: Int
    made: Int
    step: Int
    count: Int
    taps: Int
    many: Int


class Writer:
    """Writes the loops of one function."""

    def __init__(
        self, code: Code, tiles: dict[tuple[int, int], Code], shape: Shape, product: str
    ) -> None:
        self.code, self._tiles, self._shape, self._product = code, tiles, shape, product
        self._depth, self._width = code.whole("depth"), code.whole("width")
        self._row = (self._width + 7) // 8

    def dense(self) -> None:
        """A kernel stays in the first cache while all pixels of a block pass."""
        self._panels({width: self._shape.pixels(width) for width in self._shape.panels})

    def matrix(self) -> None:
        """As `dense`."""
        matrices.settle(self.code, self.code.number(matrices.SIDE))
        self._panels(dict.fromkeys(self._shape.panels, matrices.PIXELS))
        matrices.release(self.code)

    def _panels(self, heights: Mapping[int, Sequence[int]]) -> None:
        """Panel by panel, each in tiles of these heights."""
        for block in self._blocks():
            for panel, width in self._dealt(self._width, list(heights)):
                for run in self._runs(block):
                    for pixel, pixels in self._dealt(run.count, heights[width]):
                        self._tile(run, pixel, pixels, panel, width)

    def depthwise(self) -> None:
        """All channels of a few pixels, and on."""
        for block in self._blocks():
            for run in self._runs(block):
                heights = self._shape.pixels(self._shape.channels)
                for pixel, pixels in self._dealt(run.count, heights):
                    for panel, width in self._dealt(self._width, self._shape.alone(pixels)):
                        self._tile(run, pixel, pixels, panel, width)

    def _blocks(self) -> Iterator[tuple[Int, Int]]:
        """The runs of each block, from one number to another."""
        with self.code.loop(self.code.number(0), self.code.whole("block_count")) as number:
            here = self.code.at("blocks") + number
            yield here.whole(), (here + 1).whole()

    def _runs(self, block: tuple[Int, Int]) -> Iterator[Run]:
        with self.code.loop(*block) as number:
            row = self.code.at("runs") + number * RUN
            yield Run(*((row + place).whole() for place in range(RUN)))

    def _dealt(self, total: Int, sizes: Sequence[int]) -> Iterator[tuple[Int, int]]:
        """As many of each size as fit, the largest first; the last may go beyond the total."""
        start = self.code.number(0)
        for size in sizes:
            fits = size != sizes[-1]
            stop = start + (total - start) // size * size if fits else total
            with self.code.loop(start, stop, size) as place:
                yield place, size
            start = stop

    def _tile(self, run: Run, pixel: Int, pixels: int, panel: Int, width: int) -> None:
        """Run the tile of these outputs and this panel."""
        code, depth = self.code, self._depth
        made = run.made + pixel * run.step
        x, kernel = code.at("x") + (run.read + pixel * run.ahead) * depth, panel
        if self._product != "depthwise":
            kernel = panel * depth * code.whole("kernel")
        else:
            x = x + panel
        values: dict[str, Int | At] = {
            "x": x,
            "x_step": run.ahead * depth,
            "w": code.at("w") + kernel,
            "bias": code.at("bias") + panel,
            "y": code.at("y") + (made * self._width + panel),
            "y_step": run.step * self._width,
            "bits": code.at("bits") + (made * self._row + panel // 8),
            "bits_step": run.step * self._row,
            "taps": code.at("taps") + run.taps * TAP,
            "many": run.many,
            "depth": depth,
            "channels": self._width - panel,
        }
        if self._product == "matrix":
            values["pixels"] = (run.count - pixel).at_most(pixels)
            values |= {"together": code.whole("together"), "settings": code.at("settings")}
        code.call(self._tiles[pixels, width], list(values.values()))
