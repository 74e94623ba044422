"""What is computed in registers: a few pixels by some channels of one convolution.

A sum begins with the bias. Products are added by taps, and within a tap by input channels, each by
a fused operation, which rounds once: an order that no tile changes. In a lower precision the whole
sum is then rounded to it.
"""

from collections.abc import Callable
from dataclasses import dataclass

from llvmlite import ir

from models.native.emitting import (
    BYTES,
    FLOATS,
    INT,
    INTS,
    At,
    Code,
    Int,
    Variable,
    alike,
    constant,
    floats,
)
from models.native.windows import TAP

LEAST = 8
# What a tile is given. x, x_step: what the first pixel reads, and values to what the next does.
# w: the kernel from the tile's channels on. y, y_step, bits, bits_step: as x, of outputs. taps: as
# many as `many`. depth: values of a pixel of x. channels: how many of the tile's are there.
GIVEN: dict[str, ir.Type] = {
    "x": FLOATS,
    "x_step": INT,
    "w": FLOATS,
    "bias": FLOATS,
    "y": FLOATS,
    "y_step": INT,
    "bits": BYTES,
    "bits_step": INT,
    "taps": INTS,
    "many": INT,
    "depth": INT,
    "channels": INT,
}


@dataclass(frozen=True)
class Task:
    """What a convolution computes: one of PRODUCTS, of ENDINGS and of ROUNDINGS."""

    product: str
    ending: str
    precision: str = "float32"

    @property
    def name(self) -> str:
        """What its code is called."""
        return f"{self.product}_{self.ending}_{self.precision}"


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
# Adds one tap's products: the code, the tile's size, its sums, x and w at this tap.
Product = Callable[[Code, Size, Sums, At, Int], None]
# What becomes of a sum: the code, the sum, and where its bits are.
Ending = Callable[[Code, ir.Value, At], ir.Value]


def tile(module: ir.Module, task: Task, size: Size) -> Code:
    """Write the tile of this size."""
    name = f"{task.name}_{size.pixels}x{size.channels}"
    code = Code(module, name, GIVEN)
    code.function.linkage = "internal"
    # Within the loops around it would only make LLVM slower.
    code.function.attributes.add("noinline")
    bias = [code.at("bias") + part for part in size.parts]
    first = [each.load(floats(size.vector)) for each in bias]
    sums = [[Variable(code, value) for value in first] for _ in range(size.pixels)]
    with code.loop(code.number(0), code.whole("many")) as number:
        tap = code.at("taps") + number * TAP
        x = code.at("x") + tap.whole() * code.whole("depth")
        PRODUCTS[task.product](code, size, sums, x, (tap + 1).whole())
    for pixel, row in enumerate(sums):
        for part, value in zip(size.parts, row, strict=True):
            bits = code.at("bits") + (code.whole("bits_step") * pixel + part // 8)
            y = code.at("y") + (code.whole("y_step") * pixel + part)
            total = ROUNDINGS[task.precision](code, value.get())
            _store(code, ENDINGS[task.ending](code, total, bits), y, size)
    return code.done()


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


def _dense(code: Code, size: Size, sums: Sums, x: At, tap: Int) -> None:
    """Every output channel sees every input channel; w holds (taps, depth, the tile's channels)."""
    pixels = [x + code.whole("x_step") * pixel for pixel in range(size.pixels)]
    depth = code.whole("depth")
    at_tap = code.at("w") + tap * depth * size.channels
    with code.loop(code.number(0), depth) as channel:
        here = at_tap + channel * size.channels
        weights = [(here + part).load(floats(size.vector)) for part in size.parts]
        for pixel, row in zip(pixels, sums, strict=True):
            value = alike(code.builder, (pixel + channel).load(FLOATS.pointee), size.vector)
            for total, weight in zip(row, weights, strict=True):
                total.set(_fused(code, value, weight, total.get()))


def _depthwise(code: Code, size: Size, sums: Sums, x: At, tap: Int) -> None:
    """An output channel sees the input channel of its number; w holds (taps, depth)."""
    here = code.at("w") + tap * code.whole("depth")
    weights = [(here + part).load(floats(size.vector)) for part in size.parts]
    for pixel, row in enumerate(sums):
        start = x + code.whole("x_step") * pixel
        for part, total, weight in zip(size.parts, row, weights, strict=True):
            value = (start + part).load(floats(size.vector))
            total.set(_fused(code, value, weight, total.get()))


def _fused(code: Code, a: ir.Value, b: ir.Value, c: ir.Value) -> ir.Value:
    """a·b + c, rounded once."""
    name = f"llvm.fma.v{c.type.count}f32"
    kind = ir.FunctionType(c.type, [c.type] * 3)
    found = code.module.globals.get(name) or ir.Function(code.module, kind, name)
    return code.builder.call(found, [a, b, c])


def _exactly(code: Code, total: ir.Value) -> ir.Value:
    return total


def _to_bfloat16(code: Code, total: ir.Value) -> ir.Value:
    """To the nearest value of bfloat16, of two as near the even one. What is no number stays so."""
    words = ir.VectorType(ir.IntType(32), total.type.count)

    def same(number: int) -> ir.Value:
        return ir.Constant(words, [number] * words.count)

    build = code.builder
    bits = build.bitcast(total, words)
    odd = build.and_(build.lshr(bits, same(16)), same(1))
    up = build.add(build.add(bits, same(0x7FFF)), odd)
    near = build.bitcast(build.and_(up, same(0xFFFF0000)), total.type)
    return build.select(build.fcmp_unordered("uno", total, total), total, near)


def _to_float16(code: Code, total: ir.Value) -> ir.Value:
    """To the nearest value of float16, likewise."""
    half = ir.VectorType(ir.HalfType(), total.type.count)
    return code.builder.fpext(code.builder.fptrunc(total, half), total.type)


def _none(code: Code, total: ir.Value, bits: At) -> ir.Value:
    return total


def _relu(code: Code, total: ir.Value, bits: At) -> ir.Value:
    """The kink's value; a bit for each channel says whether its slope is 1."""
    value, steep = _above(code, total)
    _remember(code, steep, bits)
    return value


def _relu6(code: Code, total: ir.Value, bits: At) -> ir.Value:
    """As `_relu`, with a second kink at 6."""
    six = constant(6.0, total.type.count)
    value, steep = _above(code, total)
    over = code.builder.fcmp_ordered(">", value, six)
    under = code.builder.fcmp_unordered("<", value, six)
    _remember(code, code.builder.and_(steep, under), bits)
    return code.builder.select(over, six, value)


def _above(code: Code, total: ir.Value) -> tuple[ir.Value, ir.Value]:
    """What is not below 0, and whether it is above. What is no number stays, with slope 1."""
    zero = constant(0.0, total.type.count)
    below = code.builder.fcmp_ordered("<", total, zero)
    value = code.builder.select(below, zero, total)
    return value, code.builder.fcmp_unordered(">", value, zero)


def _remember(code: Code, steep: ir.Value, bits: At) -> None:
    bits.store(code.builder.bitcast(steep, ir.IntType(steep.type.count)))


def _masked(code: Code, total: ir.Value, bits: At) -> ir.Value:
    """Slopes before a kink: those behind it where its slope is 1, else 0."""
    vector = total.type.count
    word = bits.load(ir.IntType(vector))
    steep = code.builder.bitcast(word, ir.VectorType(ir.IntType(1), vector))
    return code.builder.select(steep, total, constant(0.0, vector))


PRODUCTS: dict[str, Product] = {"dense": _dense, "depthwise": _depthwise}
ROUNDINGS: dict[str, Callable[[Code, ir.Value], ir.Value]] = {
    "float32": _exactly,
    "bfloat16": _to_bfloat16,
    "float16": _to_float16,
}
ENDINGS: dict[str, Ending] = {"none": _none, "relu": _relu, "relu6": _relu6, "masked": _masked}
