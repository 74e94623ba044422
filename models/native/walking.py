"""Calls of native code one after another, of which Python makes one.

What a function is always given lies in a table, from which a second function of its module reads
it. What differs are three addresses: where values come from, where they go, and where bits are. A
walk knows them as spots in arrays, and needs to be told only where the arrays begin.
"""

import ctypes
from collections.abc import Mapping, Sequence
from functools import cache
from typing import NamedTuple

import numpy as np
from llvmlite import ir

from models.native.compiling import Function, compiled
from models.native.emitting import INT, INTS, Code

ANEW = ("x", "y", "bits")
TABLED: dict[str, ir.Type] = {"table": INTS, **dict.fromkeys(ANEW, INT)}
# A row of a walk: the function, its table, and what it is given anew.
ROW = 2 + len(ANEW)
ROWS: dict[str, ir.Type] = {"rows": INTS, "many": INT}


class Spot(NamedTuple):
    """A place in one of several arrays, so many bytes from its beginning."""

    array: int
    offset: int


class Call:
    """A function by its table: `given` is what it is always given, in order; `kept` is what that
    holds addresses of."""

    def __init__(self, function: Function, given: Sequence[int], kept: object = None) -> None:
        self._function, self._kept = function, kept
        self._table = np.array(given, np.int64)
        address = ctypes.cast(function, ctypes.c_void_p).value  # type: ignore[arg-type]
        self.row = (address or 0, self._table.ctypes.data)

    def __call__(self, x: int, y: int, bits: int) -> None:
        """Compute, from the addresses of pictures, outputs and bits, which must stay there."""
        self._function(self._table.ctypes.data, x, y, bits)


class Walk:
    """Calls in order, each with its spots of values before, values behind and bits."""

    def __init__(self, legs: Sequence[tuple[Call, Spot, Spot, Spot]]) -> None:
        self._calls = [call for call, *_ in legs]
        spots = np.array([spots for _, *spots in legs], np.int64).reshape(-1, len(ANEW), 2)
        rows = np.array([call.row for call in self._calls], np.int64).reshape(-1, 2)
        self._arrays, self._rows = spots[..., 0], np.hstack([rows, spots[..., 1]])

    def __call__(self, *arrays: int) -> None:
        """Make all calls; `arrays` are the addresses of the arrays, which must stay there."""
        rows = self._rows.copy()
        rows[:, -len(ANEW) :] += np.array(arrays, np.int64)[self._arrays]
        walking()(rows.ctypes.data, len(rows))


def tabled(module: ir.Module, name: str, given: Mapping[str, ir.Type]) -> Function:
    """Return, compiled, what calls the module's function of this name with what lies in a table, in
    the order in which it is given, and with x, y and bits."""
    code = Code(module, f"{name}_tabled", TABLED)
    lying = iter(range(len(given)))
    words = [
        code.whole(each) if each in ANEW else (code.at("table") + next(lying)).whole()
        for each in given
    ]
    values = [
        word.value if kind == INT else code.builder.inttoptr(word.value, kind)
        for word, kind in zip(words, given.values(), strict=True)
    ]
    code.builder.call(module.get_global(name), values)
    code.done()
    return compiled(module, f"{name}_tabled", TABLED)


@cache
def walking() -> Function:
    """The function of `ROWS`, which makes the call of each row."""
    module = ir.Module("walking")
    code = Code(module, "walk", ROWS)
    build, kind = code.builder, ir.FunctionType(ir.VoidType(), list(TABLED.values()))
    with code.loop(code.number(0), code.whole("many")) as number:
        row = code.at("rows") + number * ROW
        function, table, *anew = ((row + place).whole().value for place in range(ROW))
        given = build.inttoptr(table, INTS), *anew
        build.call(build.inttoptr(function, kind.as_pointer()), given)
    code.done()
    return compiled(module, "walk", ROWS)
