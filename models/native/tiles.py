"""What is computed in registers: a few pixels by some channels of one convolution.

A sum begins with the bias. Products are added by taps, and within a tap by input channels, each by
a fused operation, which rounds once: an order that no tile changes. In a lower precision the whole
sum is then rounded to it. (Of tiles by instructions for matrices see `models.native.matrices`.)
"""

from collections.abc import Callable
from dataclasses import dataclass

from llvmlite import ir

from models.native.emitting import (
    BYTES,
    FLOAT,
    FLOATS,
    INT,
    INTS,
    At,
    Code,
    Int,
    Variable,
    alike,
    floats,
)
from models.native.endings import ENDINGS, ROUNDINGS
from models.native.holding import HELD
from models.native.windows import TAP

LEAST = 8


@dataclass(frozen=True)
class Task:
    """What a convolution computes: dense, depthwise or matrix, and one of ENDINGS, of ROUNDINGS and
    of HELD, which holds what comes in and what goes out."""

    product: str
    ending: str
    precision: str = "float32"
    held: str = "float32"

    @property
    def name(self) -> str:
        """What its code is called."""
        return f"{self.product}_{self.ending}_{self.precision}_in_{self.held}"

    @property
    def given(self) -> dict[str, ir.Type]:
        """What a tile is given.

        x, x_step: what the first pixel reads, and values to what the next does. w: the kernel from
        the tile's channels on. y, y_step, bits, bits_step: as x, of outputs. taps: as many as
        `many`. depth: values of a pixel of x. channels: outputs from the tile's first on, which
        may be fewer than it has, or more.
        """
        values = HELD[self.held].element.as_pointer()
        return {
            "x": values,
            "x_step": INT,
            "w": FLOATS,
            "bias": FLOATS,
            "y": values,
            "y_step": INT,
            "bits": BYTES,
            "bits_step": INT,
            "taps": INTS,
            "many": INT,
            "depth": INT,
            "channels": INT,
        }


@dataclass(frozen=True)
class Size:
    """Pixels and channels of a tile, and how many channels lie side by side in a register."""

    pixels: int
    channels: int
    vector: int

    @property
    def parts(self) -> range:
        """Where the registers of a pixel begin, in channels."""
        return range(0, self.channels, self.vector)


Sums = list[list[Variable]]
# Adds one tap's products: code, task, the tile's size and sums, x and the number of the tap.
Product = Callable[[Code, Task, Size, Sums, At, Int], None]


def begun(module: ir.Module, task: Task, size: Size, given: dict[str, ir.Type]) -> Code:
    """The function of a tile, of which nothing is written yet."""
    code = Code(module, f"{task.name}_{size.pixels}x{size.channels}", given)
    code.function.linkage = "internal"
    # Within the loops around it would only make LLVM slower.
    code.function.attributes.add("noinline")
    return code


def tile(module: ir.Module, task: Task, size: Size) -> Code:
    """Write the tile of this size."""
    code = begun(module, task, size, task.given)
    bias = [code.at("bias") + part for part in size.parts]
    first = [each.load(floats(size.vector)) for each in bias]
    sums = [[Variable(code, value) for value in first] for _ in range(size.pixels)]
    with code.loop(code.number(0), code.whole("many")) as number:
        tap = code.at("taps") + number * TAP
        x = code.at("x") + tap.whole() * code.whole("depth")
        PRODUCTS[task.product](code, task, size, sums, x, (tap + 1).whole())
    for pixel, row in enumerate(sums):
        for part, value in zip(size.parts, row, strict=True):
            finish(code, task, size, value.get(), (code.number(pixel), part))
    return code.done()


def finish(code: Code, task: Task, size: Size, total: ir.Value, place: tuple[Int, int]) -> None:
    """Round a register of sums, of a pixel and from a channel on, lead it through the kink, and
    write it."""
    pixel, part = place
    bits = code.at("bits") + (code.whole("bits_step") * pixel + part // 8)
    y = code.at("y") + (code.whole("y_step") * pixel + part)
    rounded = ROUNDINGS[task.precision](code, total)
    value = ENDINGS[task.ending](code, rounded, bits)
    _store(code, HELD[task.held].pack(code.builder, value), y, size)


def _store(code: Code, value: ir.Value, y: At, size: Size) -> None:
    """Write a register's channels; of the narrowest tile's some may be missing."""
    if size.channels > LEAST:
        y.store(value)
        return
    whole = code.builder.icmp_signed(">=", code.whole("channels").value, INT(LEAST))
    with code.builder.if_else(whole) as (then, otherwise):
        with then:
            y.store(value)
        with otherwise, code.loop(code.number(0), code.whole("channels")) as channel:
            (y + channel).store(code.builder.extract_element(value, channel.value))


def _dense(code: Code, task: Task, size: Size, sums: Sums, x: At, tap: Int) -> None:
    """Every output channel sees every input channel; w holds (taps, depth, the tile's channels)."""
    pixels = [x + code.whole("x_step") * pixel for pixel in range(size.pixels)]
    depth = code.whole("depth")
    at_tap = code.at("w") + tap * depth * size.channels
    with code.loop(code.number(0), depth) as channel:
        here = at_tap + channel * size.channels
        weights = [(here + part).load(floats(size.vector)) for part in size.parts]
        for pixel, row in zip(pixels, sums, strict=True):
            value = alike(code.builder, HELD[task.held].load(pixel + channel, FLOAT), size.vector)
            for total, weight in zip(row, weights, strict=True):
                total.set(_fused(code, value, weight, total.get()))


def _depthwise(code: Code, task: Task, size: Size, sums: Sums, x: At, tap: Int) -> None:
    """An output channel sees the input channel of its number; w holds (taps, depth)."""
    here = code.at("w") + tap * code.whole("depth")
    weights = [(here + part).load(floats(size.vector)) for part in size.parts]
    for pixel, row in enumerate(sums):
        start = x + code.whole("x_step") * pixel
        for part, total, weight in zip(size.parts, row, weights, strict=True):
            value = HELD[task.held].load(start + part, floats(size.vector))
            total.set(_fused(code, value, weight, total.get()))


def _fused(code: Code, a: ir.Value, b: ir.Value, c: ir.Value) -> ir.Value:
    """a·b + c, rounded once."""
    return code.intrinsic(f"llvm.fma.v{c.type.count}f32", c.type, [a, b, c])


PRODUCTS: dict[str, Product] = {"dense": _dense, "depthwise": _depthwise}
