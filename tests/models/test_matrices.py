"""Products of matrices against float32, pixel by pixel and next to what else uses the registers."""

import ctypes
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor, nn

from models.native import compiling, matrices
from models.native.chain import NativeChain
from models.native.compiling import NARROW, WIDE
from models.native.convolving import Shape
from models.native.kernel import Kernel
from models.native.link import Link
from models.native.way import Way
from models.native.windows import windows
from models.steps import KINKS, NONE, Step
from tests.models.convolutions import ACTS, Case
from tests.models.edges import Edge

LOW = torch.bfloat16
here = pytest.mark.skipif(
    not matrices.available(), reason="this processor has no matrices of bfloat16: NOT tested"
)
deep = st.sampled_from([8, 9, 10, 16, 17, 24, 34, 40, 96])
made = st.builds(
    Case,
    st.tuples(st.integers(1, 3), st.integers(1, 3)),
    st.integers(1, 2),
    st.integers(0, 2),
    st.integers(1, 2),
    st.tuples(st.just(1), deep, st.integers(1, 70)),
    st.sampled_from(list(ACTS)),
    st.booleans(),
    st.integers(1, 3),
    st.integers(0, 2**32 - 1),
)


def low(case: Case, shape: Shape = WIDE) -> NativeChain:
    return NativeChain([Step(case.layer().to(LOW), KINKS.get(ACTS[case.act], NONE))], shape)


def seen(module: nn.Module, pixels: Tensor) -> tuple[Tensor, Tensor]:
    """Values, and the slopes of half their squares."""
    pixels = pixels.detach().requires_grad_()
    values = module(pixels)
    (slopes,) = torch.autograd.grad(values, pixels, values.detach())
    return values.detach(), slopes


def fine(case: Case) -> Tensor:
    return case.fine().to(LOW)


@here
@given(case=made, shape=st.sampled_from([NARROW, WIDE]))
def test_whole_numbers_are_added_up_exactly_and_rounded_once(case: Case, shape: Shape) -> None:
    """There and back, against PyTorch's layers in float64, whose sums are rounded to bfloat16."""
    pixels = case.input().to(LOW)
    values, slopes = seen(low(case, shape), pixels)
    layer = case.layer().double()
    given_ = pixels.double().requires_grad_()
    sums = layer(given_)
    after = ACTS[case.act]()(sums.detach().to(LOW))
    steep = (after > 0) & ((after < 6) | (case.act == "relu")) | (case.act == "none")
    wanted, back = after, torch.where(steep, after, 0).double()
    (exact,) = torch.autograd.grad(sums, given_, back)
    assert torch.equal(values, wanted) and torch.equal(slopes, exact.to(LOW))


@here
@given(case=made)
def test_sums_are_those_of_float32_but_for_their_order(case: Case) -> None:
    pixels = fine(case)
    exact = NativeChain([Step(case.layer())], WIDE)
    made_ = NativeChain([Step(case.layer().to(LOW))], WIDE)
    for mine, its in zip(seen(made_, pixels), seen(exact, pixels.float()), strict=True):
        # Slopes are those of values that were rounded.
        torch.testing.assert_close(mine.float(), its, rtol=2**-7, atol=2**-7 * its.abs().max())


@here
@given(case=made)
def test_bits_depend_on_no_neighbour_and_on_no_tile(case: Case) -> None:
    pixels = fine(case)
    pixels[0, 0, 0, 0] = torch.nan
    found = []
    for shape in (NARROW, WIDE):
        for parts in (pixels, *pixels.split(1)) if shape is WIDE else [pixels]:
            found.append(seen(low(case, shape), parts))
    together, alone = found[:2], found[2:]
    apart = [torch.cat(each) for each in zip(*alone, strict=True)]
    for each in (together[1], apart):
        for mine, its in zip(together[0], each, strict=True):
            torch.testing.assert_close(mine, its, rtol=0, atol=0, equal_nan=True)
    assert all(each.isfinite().all() for each in found[-1]) or case.pictures == 1


@here
def test_small_blocks_change_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    case = Case((3, 2), 2, 1, 1, (1, 24, 40), "relu", True, 3, 5)
    before = seen(low(case), fine(case))
    monkeypatch.setattr("models.native.windows.CACHED", 1)
    windows.cache_clear()
    after = seen(low(case), fine(case))
    windows.cache_clear()
    assert all(torch.equal(mine, its) for mine, its in zip(before, after, strict=True))


@here
@pytest.mark.parametrize("held", [1, 1 << 12, 1 << 20])
@pytest.mark.parametrize("act", ["relu", "hardtanh"])
def test_a_chain_is_its_steps_one_after_another_however_many_pictures_go_together(
    act: str, held: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Matrices, then channels apart, then matrices with a rest, then what is too few for them."""
    monkeypatch.setattr("models.native.way.HELD", held)
    shapes = ((1, 8, 24), (24, 1, 1), (1, 24, 13), (1, 13, 5))
    cases = [Case((2, 2), 1, 1, 1, each, act, True, 5, n) for n, each in enumerate(shapes)]
    steps = [Step(case.layer().to(LOW), KINKS[ACTS[act]]) for case in cases]
    pixels, wanted = fine(cases[0]), fine(cases[0])
    values, slopes = seen(NativeChain(steps), pixels)
    inputs = []
    for step in steps:
        inputs.append(wanted)
        wanted = NativeChain([step])(wanted)
    back = wanted
    for step, given_ in reversed(list(zip(steps, inputs, strict=True))):
        given_ = given_.detach().requires_grad_()
        (back,) = torch.autograd.grad(NativeChain([step])(given_), given_, back)
    assert values.any() and not torch.equal(values, values.clamp(max=5))
    assert torch.equal(values, wanted) and torch.equal(slopes, back) and slopes.any()


EDGES = [
    (Case(kernel, stride, 1, spread, channels, "relu", True, 2, 5), plane)
    for channels in ((1, 8, 8), (1, 24, 13), (1, 10, 47), (1, 96, 40), (16, 1, 1))
    for kernel, stride, spread, plane in (
        ((1, 1), 1, 1, (11, 9)),
        ((1, 1), 1, 1, (1, 3)),
        ((3, 3), 2, 1, (11, 9)),
        ((3, 3), 1, 1, (5, 1)),
        ((2, 3), 1, 2, (11, 9)),
    )
]


@here
@pytest.mark.parametrize(("case", "plane"), EDGES, ids=str)
def test_nothing_is_read_or_written_beyond_what_there_is(
    case: Case, plane: tuple[int, int]
) -> None:
    """Pictures, outputs, bits, kernels and biases all end where the process may not go."""
    module, pixels = low(case), case.whole(2, case.channels[0] * case.channels[1], *plane).to(LOW)
    values, slopes = seen(module, pixels)
    (link,), (sides,) = module._links, Way(module._links, plane).sides
    back = sides[0].back(), sides[1].back()
    steep = np.packbits((values > 0).permute(0, 2, 3, 1).numpy(), axis=-1, bitorder="little")
    all_steep = np.full((*pixels.shape[::2], plane[1], -(-pixels.shape[1] // 8)), 255, np.uint8)
    for kernel, ending, way, before, after, bits in (
        (link.ahead, "relu", sides, pixels, values, steep),
        (link.back, "none", back, values, slopes, steep),
        (link.back, "masked", back, values, slopes, all_steep),
    ):
        with ExitStack() as stack:
            packed, bias = (edge(stack, each) for each in (kernel.packed, kernel.bias))
            call = replace(kernel, packed=packed.tensor, bias=bias.tensor).call(ending, 2, way)
            x, kept = edge(stack, before.permute(0, 2, 3, 1)), edge(stack, torch.from_numpy(bits))
            if ending == "relu":
                kept.values[:] = 0
            y = stack.enter_context(Edge(after.numel(), np.int16))
            call(x.address, y.address, kept.address)
            assert np.array_equal(y.values, words(after.permute(0, 2, 3, 1)))
            assert np.array_equal(kept.values, bits.reshape(-1))


def words(values: Tensor) -> Any:
    """The numbers as they lie in memory."""
    flat = values.detach().flatten()
    return flat.view({1: torch.uint8, 2: torch.int16, 4: torch.int32}[flat.itemsize]).numpy()


def edge(stack: ExitStack, values: Tensor) -> Edge:
    """A copy at an edge."""
    inside = stack.enter_context(Edge(values.numel(), words(values).dtype.type))
    inside.values[:] = words(values)
    inside.tensor = inside.tensor.view(values.dtype)
    return inside


@here
def test_whatever_else_uses_the_registers_is_not_disturbed_nor_are_we() -> None:
    """oneDNN keeps them settled from one call to the next; threads have registers of their own."""
    case = Case((3, 3), 1, 1, 1, (1, 64, 64), "relu", True, 3, 5)
    layer, pixels = case.layer().to(LOW), fine(case)
    rows, weight = torch.randn(64, 96).to(LOW), torch.randn(48, 96).to(LOW)
    module = low(case)
    wanted = layer(pixels), nn.functional.linear(rows, weight), module(pixels)
    for _ in range(3):
        again = layer(pixels), module(pixels), nn.functional.linear(rows, weight)
        assert torch.equal(again[0], wanted[0]) and torch.equal(again[2], wanted[1])
        assert torch.equal(again[1], wanted[2])
    with ThreadPoolExecutor(2) as threads:
        assert all(torch.equal(each, wanted[2]) for each in threads.map(module, [pixels] * 8))


STORED = """
declare void @llvm.x86.sttilecfg(ptr)
define void @stored(ptr %into) {
  call void @llvm.x86.sttilecfg(ptr %into)
  ret void
}
"""


@here
def test_registers_are_given_back() -> None:
    """Kept ones would be saved and restored whenever the thread gives way to another."""
    engine = compiling._engine(STORED)
    stored = ctypes.CFUNCTYPE(None, ctypes.c_void_p)(engine.get_function_address("stored"))
    case, settings = Case((1, 1), 1, 0, 1, (1, 16, 16), "relu", True, 1, 5), np.ones(64, np.uint8)
    low(case)(fine(case))
    stored(settings.ctypes.data)
    assert not settings.any()


def test_a_process_that_may_not_use_them_does_without(monkeypatch: pytest.MonkeyPatch) -> None:
    asked = []

    class Refusing:
        def syscall(self, *numbers: int) -> int:
            asked.append(numbers)
            return -1

    features = {"amx-bf16": True, "amx-tile": True}
    monkeypatch.setattr(matrices.sys, "platform", "linux")
    monkeypatch.setattr(matrices.platform, "machine", lambda: "x86_64")
    monkeypatch.setattr(matrices.binding, "get_host_cpu_features", lambda: features)
    monkeypatch.setattr(matrices.ctypes, "CDLL", lambda _: Refusing())
    matrices.available.cache_clear()
    try:
        assert not matrices.available() and asked == [(158, 0x1023, 18)]
        matrices.available.cache_clear()
        monkeypatch.setitem(features, "amx-tile", False)
        assert not matrices.available() and len(asked) == 1
    finally:
        matrices.available.cache_clear()


def test_channels_that_go_together_are_even_and_divide_all() -> None:
    wanted = {3: None, 7: None, 8: 8, 9: None, 24: 24, 34: None, 40: 20, 96: 32, 1000: 20}
    assert {depth: matrices.chunk(depth) for depth in wanted} == wanted


def test_registers_are_settled_as_the_processor_s_manual_says() -> None:
    """Palette 1; from byte 16 on the bytes of each register's rows, from 48 on how many rows."""
    for pixels in (1, 5, 16):
        row = matrices.settings(20)[pixels]
        assert row[0] == 1 and not row[1:16].any()
        assert row[16:32].view(np.uint16).tolist() == [64, 64, 64, 64, 40, 40, 64, 64]
        assert row[48:56].tolist() == [pixels] * 6 + [10, 10] and not row[56:].any()


def test_a_kernel_lies_in_pairs_of_input_channels(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("models.native.matrices.available", lambda: True)
    layer = nn.Conv2d(8, 43, 1).to(LOW).requires_grad_(False)
    ahead: Kernel = Link(Step(layer), WIDE).ahead
    weight = layer.weight[:, :, 0, 0]
    assert (ahead.product, ahead.together, ahead.held) == ("matrix", 8, LOW)
    panels, start = [(0, 32), (32, 8), (40, 8)], 0
    for first, wide in panels:
        panel = ahead.packed[start : start + 8 * wide].view(4, wide, 2)
        some = weight[first : first + wide].T.reshape(4, 2, -1).transpose(1, 2)
        assert torch.equal(panel[:, : some.shape[1]], some)
        assert not panel[:, some.shape[1] :].any()
        start += 8 * wide
    # What registers take in of the last eight lies there too.
    assert not ahead.packed[start:].any() and len(ahead.packed) == start + 32
    assert len(ahead.bias) == 40 + 8 + 16 and not ahead.bias[43:].any()
