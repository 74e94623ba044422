"""Products of matrices by the processor's own instructions for bfloat16 (AMX): 16 pixels by 16
channels at once.

Sums begin with the bias, in float32. How the instruction adds the products of up to 32 input
channels is the processor's own affair, and numbers below 2^-126 are 0 to it; that of one pixel
depends on no other. As many channels go together as divide those that there are, so that nothing
beyond a pixel is read.
"""

import ctypes
import platform
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache

import numpy as np
from llvmlite import binding, ir
from numpy.typing import NDArray

from models.native.emitting import BYTE, BYTES, FLOAT, FLOATS, INT, WORDS, At, Code, Int, floats
from models.native.tiles import Size, Task, begun, finish
from models.native.windows import TAP

# Pixels and channels of a register, channels that it takes in at once, bytes of its row.
SIDE, DEEPEST, ROW = 16, 32, 64
LEAST_DEPTH = 8
# Pixels of tiles: two registers of them, or one, which may have fewer.
PIXELS = (2 * SIDE, SIDE)
# Linux asks that a process says beforehand that it will use these registers.
_ARCH_PRCTL, _REQUEST, _TILES = 158, 0x1023, 18
_X, _W = (4, 5), (6, 7)


@cache
def available() -> bool:
    """Whether this process may use such instructions."""
    if sys.platform != "linux" or platform.machine() != "x86_64":
        return False
    features = binding.get_host_cpu_features()
    if not (features.get("amx-bf16") and features.get("amx-tile")):
        return False
    refused: int = ctypes.CDLL(None).syscall(_ARCH_PRCTL, _REQUEST, _TILES)
    return not refused


def chunk(depth: int) -> int | None:
    """How many of so many input channels go together; None where that is too few for matrices."""
    even = [part for part in range(LEAST_DEPTH, DEEPEST + 1, 2) if depth % part == 0]
    return max(even, default=None)


@cache
def settings(together: int) -> NDArray[np.uint8]:
    """What registers hold, (pixels from 0 to 16, 64): `together` channels of so many pixels."""
    made = np.zeros((SIDE + 1, ROW), np.uint8)
    made[:, 0] = 1
    widths, heights = made[:, 16:32].view(np.uint16), made[:, 48:56]
    widths[:, :8], heights[:] = ROW, np.arange(SIDE + 1)[:, None]
    widths[:, _X], heights[:, _W] = 2 * together, together // 2
    return made


def given(task: Task) -> dict[str, ir.Type]:
    """What a tile of matrices is given besides: how many of its pixels are there, channels that go
    together, and `settings`."""
    return {**task.given, "w": WORDS, "pixels": INT, "together": INT, "settings": BYTES}


def tile(module: ir.Module, task: Task, size: Size) -> Code:
    """Write the tile of this size."""
    code = begun(module, task, size, given(task))
    with _fewer(code, size):
        _sums(code, size)
        _finished(code, task, size)
    return code.done()


@contextmanager
def _fewer(code: Code, size: Size) -> Iterator[None]:
    """Have registers of fewer pixels where they are not all there."""
    if size.pixels > SIDE:
        yield
        return
    fewer = code.builder.icmp_signed("<", code.whole("pixels").value, INT(SIDE))
    with code.builder.if_then(fewer):
        settle(code, code.whole("pixels"))
    yield
    with code.builder.if_then(fewer):
        settle(code, code.number(SIDE))


def settle(code: Code, pixels: Int) -> None:
    """Have registers of so many pixels."""
    _run(code, "ldtilecfg", (code.at("settings") + pixels * ROW).value)


def release(code: Code) -> None:
    """Have no registers any more."""
    _run(code, "tilerelease")


def _sums(code: Code, size: Size) -> None:
    columns, rows = _columns(size), range(size.pixels // SIDE)
    for row in rows:
        for column in columns:
            _load(code, _sum(row, column), code.at("bias") + column * SIDE, code.number(0))
    step, depth = code.whole("x_step"), code.whole("depth")
    with code.loop(code.number(0), code.whole("many")) as number:
        tap = code.at("taps") + number * TAP
        x = code.at("x") + tap.whole() * depth
        w = code.at("w") + (tap + 1).whole() * depth * size.channels
        with code.loop(code.number(0), depth, code.whole("together")) as channel:
            for row in rows:
                _load(code, _X[row], x + channel + step * (row * SIDE), step * 2)
            for column in columns:
                here = w + channel * size.channels + column * 2 * SIDE
                _load(code, _W[column], here, code.number(4 * size.channels))
                for row in rows:
                    _run(code, "tdpbf16ps", _sum(row, column), _X[row], _W[column])


def _finished(code: Code, task: Task, size: Size) -> None:
    """From the registers through memory: what is done with sums, pixel by pixel."""
    wide = _wide(size)
    with code.builder.goto_entry_block():
        room = code.builder.alloca(ir.ArrayType(FLOAT, size.pixels * wide))
        room.align = ROW
    sums = At(code.builder, code.builder.bitcast(room, FLOATS))
    for row in range(size.pixels // SIDE):
        for column in _columns(size):
            to = sums + (row * wide + column) * SIDE
            _move(code, "tilestored64", _sum(row, column), to, code.number(4 * wide))
    with code.loop(code.number(0), code.whole("pixels")) as pixel:
        for part in size.parts:
            total = (sums + pixel * wide + part).load(floats(size.vector))
            finish(code, task, size, total, (pixel, part))


def _wide(size: Size) -> int:
    """Channels of a tile in registers, whether they are all there or not."""
    return max(size.channels, SIDE)


def _columns(size: Size) -> range:
    return range(_wide(size) // SIDE)


def _sum(row: int, column: int) -> int:
    return 2 * row + column


def _load(code: Code, register: int, at: At, step: Int) -> None:
    _move(code, "tileloadd64", register, at, step)


def _move(code: Code, operation: str, register: int, at: At, step: Int) -> None:
    _run(code, operation, register, code.builder.bitcast(at.value, BYTES), step.value)


def _run(code: Code, operation: str, *given: int | ir.Value) -> None:
    """Run an instruction; numbers are those of registers."""
    values = [BYTE(each) if isinstance(each, int) else each for each in given]
    code.intrinsic(f"llvm.x86.{operation}", ir.VoidType(), values)
