"""Noisy pictures as native code: words by address, noise by table, the picture added, normalised.

The noise is what `certify.noise.drawn` gives, bit for bit, where the number of pixels is one that
blocks of words fill; the rest is rounded as anyone rounds single operations of float32.
"""

import ctypes
import math
from functools import cache, lru_cache

import numpy as np
from llvmlite import ir
from numpy.typing import NDArray

from certify import noise as exact
from certify.noise import LEFTOVER, SLOT_BITS, Law
from certify.randomness import MULTIPLIERS, ROUNDS, WEYL, Words
from models.native.compiling import Function, available, compiled
from models.native.emitting import (
    FLOAT,
    FLOATS,
    INT,
    INTS,
    WORD,
    WORDS,
    Code,
    Int,
    Variable,
    floats,
)

# Words of a block, slots of a word, entries that a block is enough for.
LANES, QUARTERS = 4, 64 // SLOT_BITS
BLOCK = LANES * QUARTERS
WIDE = ir.IntType(128)
# The key's halves, the sample; the table; the picture, room for its noise, and where to write; by
# what it is normalised, and after how many entries that begins anew.
GIVEN: dict[str, ir.Type] = {
    "low": INT,
    "high": INT,
    "sample": INT,
    "slots": WORDS,
    "residual": INTS,
    "many": INT,
    "first": INT,
    "entries": INT,
    "clean": FLOATS,
    "noise": WORDS,
    "into": FLOATS,
    "mean": FLOATS,
    "std": FLOATS,
    "period": INT,
}


Floats = NDArray[np.float32]


class Noisy:
    """One picture, to which noise of one law and key is added; for one thread at a time.

    What is written is (clean + noise - mean) / std, where clean is (…, channels) and mean and std
    are (channels,). Raises ValueError for numbers that are not float32, for other shapes and for
    as many pixels as do not fill blocks of words.
    """

    def __init__(self, law: Law, key: int, clean: Floats, mean: Floats, std: Floats) -> None:
        given = clean.dtype, mean.dtype, std.dtype, mean.shape, std.shape
        channels = [clean.shape[-1:]] * 2
        if not clean.shape or given != (*[np.dtype(np.float32)] * 3, *channels):
            rule = "must be float32 with one mean and one std for each channel"
            raise ValueError(f"clean is of shape {clean.shape}, the rest is {given}; they {rule}")
        if clean.size % (period := BLOCK * clean.shape[-1]):
            rule = f"must be a multiple of {period}, so many channels times {BLOCK}"
            raise ValueError(f"clean has {clean.size} entries; they {rule}")
        self._table, self._clean = exact.table(law), np.ascontiguousarray(clean)
        self._mean, self._std = np.tile(mean, BLOCK), np.tile(std, BLOCK)
        self._room, self._write = np.empty(clean.size, np.int16), writing()
        halves = key & (1 << 64) - 1, key >> 64
        self._halves = [ctypes.c_int64(each).value for each in halves]

    def write(self, sample: int, into: Floats) -> None:
        """Write the picture with this sample's noise into an array of its size, without gaps.

        Raises ValueError for another array: native code would write over what lies there.
        """
        fits = into.size == self._clean.size and into.flags.carray
        if not (fits and into.dtype == np.float32):
            rule = f"must be {self._clean.size} float32 without gaps that may be written"
            raise ValueError(f"into is {into.dtype} of shape {into.shape}; it {rule}")
        table = self._table
        law = table.slots.ctypes.data, table.residual.ctypes.data, len(table.residual), table.first
        held = self._clean, self._room, into, self._mean, self._std
        arrays = (each.ctypes.data for each in held)
        self._write(*self._halves, sample, *law, into.size, *arrays, self._mean.size)


@lru_cache(maxsize=32)
def suits(law: Law, shape: tuple[int, ...]) -> bool:
    """Whether native code draws pictures of this shape, and as `certify.noise` does: tried once."""
    if not available() or math.prod(shape) % (BLOCK * shape[-1]):
        return False
    key, sample, clean = (1 << 128) - 3, (1 << 63) - 1, np.full(shape, 7, np.float32)
    steps = np.arange(shape[-1], dtype=np.float32)
    mean, std = steps + 123.7, steps + 58.4
    found, table = np.empty_like(clean), exact.table(law)
    Noisy(law, key, clean, mean, std).write(sample, found)
    noise = exact.drawn(table, Words(key), [sample], clean.size).reshape(shape)
    return np.array_equal(found, (clean + noise.astype(np.float32) - mean) / std)


@cache
def writing() -> Function:
    """The function of `GIVEN`."""
    module = ir.Module("noise")
    code = Code(module, "noisy", GIVEN)
    _draw(code)
    _add(code)
    code.done()
    return compiled(module, "noisy", GIVEN)


def _draw(code: Code) -> None:
    """What the slots say of each entry."""
    with code.loop(code.number(0), code.whole("entries"), BLOCK) as start:
        lanes = _block(code, start // BLOCK + 1, 0)
        for number, lane in enumerate(lanes):
            for quarter in range(QUARTERS):
                bits = code.builder.lshr(lane, INT(quarter * SLOT_BITS))
                slot = Int(code.builder, code.builder.and_(bits, INT((1 << SLOT_BITS) - 1)))
                value = (code.at("slots") + slot).load(WORD)
                (code.at("noise") + (start + (QUARTERS * number + quarter))).store(value)


def _add(code: Code) -> None:
    """The picture with its noise, normalised; entries that slots leave over take a word of their
    own."""
    build, several = code.builder, ir.VectorType(WORD, BLOCK)
    with (
        code.loop(code.number(0), code.whole("entries"), code.whole("period")) as around,
        code.loop(code.number(0), code.whole("period"), BLOCK) as within,
    ):
        noise = (code.at("noise") + (around + within)).load(several)
        _write(code, around, within, build.sitofp(noise, floats(BLOCK)))
        over = build.icmp_signed("==", noise, ir.Constant(several, [LEFTOVER] * BLOCK))
        some = build.bitcast(over, ir.IntType(BLOCK))
        with (
            build.if_then(build.icmp_signed("!=", some, some.type(0)), likely=False),
            code.loop(within, within + BLOCK) as entry,
        ):
            value = (code.at("noise") + (around + entry)).load(WORD)
            with build.if_then(build.icmp_signed("==", value, WORD(LEFTOVER))):
                left = _left(code, around + entry).value
                _write(code, around, entry, build.sitofp(left, FLOAT))


def _write(code: Code, around: Int, within: Int, noise: ir.Value) -> None:
    """(clean + noise - mean) / std of the entries from one on: as many as there is noise for."""
    build, kind = code.builder, noise.type
    clean = (code.at("clean") + (around + within)).load(kind)
    mean, std = ((code.at(name) + within).load(kind) for name in ("mean", "std"))
    normalised = build.fdiv(build.fsub(build.fadd(clean, noise), mean), std)
    (code.at("into") + (around + within)).store(normalised)


def _left(code: Code, entry: Int) -> Int:
    """The value of an entry by its own word: first + #{thresholds ≤ word}, by bisection."""
    lanes = _block(code, entry // LANES + 1, 1)
    place, word = entry - entry // LANES * LANES, lanes[-1]
    for number, lane in enumerate(lanes[:-1]):
        here = code.builder.icmp_signed("==", place.value, INT(number))
        word = code.builder.select(here, lane, word)
    low, high = Variable(code, INT(0)), Variable(code, code.whole("many").value)
    with code.until(low, high):
        middle = (Int(code.builder, low.get()) + Int(code.builder, high.get())) // 2
        threshold = (code.at("residual") + middle).whole().value
        below = code.builder.icmp_unsigned("<=", threshold, word)
        low.set(code.builder.select(below, (middle + 1).value, low.get()))
        high.set(code.builder.select(below, high.get(), middle.value))
    return Int(code.builder, low.get()) + code.whole("first")


def _block(code: Code, block: Int, space: int) -> list[ir.Value]:
    """The words of a block: ten rounds of Philox4x64 (see `certify.randomness`)."""
    build = code.builder
    even, odd = [block.value, INT(space)], [code.whole("sample").value, INT(0)]
    keys = [code.whole("low").value, code.whole("high").value]
    for _ in range(ROUNDS):
        products = [
            build.mul(build.zext(x, WIDE), WIDE(int(by)))
            for x, by in zip(even, MULTIPLIERS[:, 0], strict=True)
        ]
        high = [build.trunc(build.lshr(each, WIDE(64)), INT) for each in products]
        mixed = zip(reversed(high), odd, keys, strict=True)
        even = [build.xor(build.xor(h, o), k) for h, o, k in mixed]
        odd = [build.trunc(each, INT) for each in reversed(products)]
        keys = [build.add(k, INT(int(w))) for k, w in zip(keys, WEYL[:, 0], strict=True)]
    return [even[0], odd[0], even[1], odd[1]]
