"""Calls by table, one after another, in the order of the walk and at its spots."""

from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from llvmlite import ir

from models.native.compiling import Function, available
from models.native.emitting import BYTES, INT, INTS, Code
from models.native.walking import Call, Spot, Walk, tabled

pytestmark = pytest.mark.skipif(not available(), reason="this processor has no fused operation")


@pytest.fixture(scope="module")
def shifting() -> Function:
    """y = x · by + add, and one more of what is counted; what is given anew comes in between."""
    given = {"by": INT, "x": INTS, "seen": INTS, "y": INTS, "bits": BYTES, "add": INT}
    module = ir.Module("shifting")
    code = Code(module, "shift", given)
    changed = code.at("x").whole() * code.whole("by") + code.whole("add")
    code.at("y").store(changed.value)
    code.at("seen").store((code.at("seen").whole() + 1).value)
    code.at("bits").store(ir.IntType(8)(1))
    code.done()
    return tabled(module, "shift", given)


class Kept:
    """Numbers where native code finds them."""

    def __init__(self, *numbers: int, kind: type[np.generic] = np.int64) -> None:
        self.numbers = np.array(numbers, kind)
        self.address = self.numbers.ctypes.data


def call(function: Function, by: int, add: int, seen: Kept) -> Call:
    return Call(function, (by, seen.address, add), kept=seen)


def test_a_call_knows_what_it_is_always_given(shifting: Function) -> None:
    x, y, bits, seen = Kept(5), Kept(0), Kept(0, kind=np.uint8), Kept(0)
    call(shifting, 3, 100, seen)(x.address, y.address, bits.address)
    assert (y.numbers[0], seen.numbers[0], bits.numbers[0]) == (115, 1, 1)


def test_a_walk_goes_in_order_and_by_spots(shifting: Function) -> None:
    """((2 · 10 + 1) · 10 + 2) · 10 + 3, from one number of an array to the next."""
    values, bits, seen = Kept(7, 2, 0, 0, 0), Kept(*[0] * 4, kind=np.uint8), Kept(0)
    walk = Walk(
        [
            (call(shifting, 10, n, seen), Spot(0, 8 * n), Spot(0, 8 + 8 * n), Spot(1, n))
            for n in (1, 2, 3)
        ]
    )
    for _ in range(2):
        walk(values.address, bits.address)
        assert values.numbers.tolist() == [7, 2, 21, 212, 2123]
    assert bits.numbers.tolist() == [0, 1, 1, 1] and seen.numbers[0] == 6
    others = Kept(0, 3, 0, 0, 0)
    walk(others.address, bits.address)
    assert others.numbers.tolist() == [0, 3, 31, 312, 3123]


def test_a_walk_of_no_calls_goes_nowhere() -> None:
    Walk([])(1, 2, 3)


def test_a_walk_serves_many_threads(shifting: Function) -> None:
    seen, bits = Kept(0), Kept(0, kind=np.uint8)
    walk = Walk([(call(shifting, 2, 0, seen), Spot(0, 0), Spot(0, 8), Spot(1, 0))] * 50)

    def doubled(number: int) -> bool:
        values = Kept(number, 0)
        for _ in range(50):
            walk(values.address, bits.address)
        return values.numbers.tolist() == [number, 2 * number]

    with ThreadPoolExecutor(4) as threads:
        assert all(threads.map(doubled, range(64)))
