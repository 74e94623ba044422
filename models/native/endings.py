"""What becomes of a sum: rounded to a precision, then led through a kink or back through one."""

from collections.abc import Callable

from llvmlite import ir

from models.native.emitting import At, Code, constant

# What becomes of a sum: the code, the sum, and where its bits are.
Ending = Callable[[Code, ir.Value, At], ir.Value]


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


ROUNDINGS: dict[str, Callable[[Code, ir.Value], ir.Value]] = {
    "float32": _exactly,
    "bfloat16": _to_bfloat16,
    "float16": _to_float16,
}
ENDINGS: dict[str, Ending] = {"none": _none, "relu": _relu, "relu6": _relu6, "masked": _masked}
