"""Chains of native code: layouts, sizes, copies, what they refuse, and what is not finite."""

import gc
from concurrent.futures import ThreadPoolExecutor
from copy import deepcopy
from functools import partial

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from models.native.chain import NativeChain
from models.native.compiling import NARROW, available
from models.native.ends import NativeLinear
from models.native.link import Link
from models.native.way import Way
from models.native.windows import windows
from models.steps import KINKS, NONE, Step
from tests.models.convolutions import ACTS, Case

pytestmark = pytest.mark.skipif(not available(), reason="this processor has no fused operation")


@pytest.mark.parametrize("stride", [1, 2])
@pytest.mark.parametrize("channels", [(8, 1, 1), (1, 3, 17)])
def test_small_blocks_change_nothing(
    channels: tuple[int, int, int], stride: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Runs are cut into pieces of twelve outputs."""
    case = Case((3, 2), stride, 1, 1, channels, "relu", True, 3, 5)
    monkeypatch.setattr("models.native.windows.CACHED", 1)
    windows.cache_clear()
    pixels = case.whole(3, channels[0] * channels[1], 31, 39)
    seen = [traced(each, pixels) for each in both(case)]
    windows.cache_clear()
    assert all(torch.equal(mine, its) for mine, its in zip(*seen, strict=True))


def both(case: Case) -> tuple[nn.Module, nn.Module]:
    step = Step(case.layer(), KINKS.get(ACTS[case.act], NONE))
    return NativeChain([step], NARROW), nn.Sequential(case.layer(), ACTS[case.act]())


def traced(module: nn.Module, pixels: Tensor) -> tuple[Tensor, Tensor]:
    given_ = pixels.detach().requires_grad_()
    values = module(given_)
    (slopes,) = torch.autograd.grad(values.square().sum(), given_)
    return values, slopes


def test_pictures_of_any_size_and_layout() -> None:
    case = Case((3, 3), 2, 1, 1, (1, 3, 8), "relu", True, 2, 5)
    mine, its = both(case)
    for high, wide in ((11, 9), (9, 11), (4, 7), (11, 9)):
        whole = case.whole(2, 3, high, 2 * wide)
        left = whole[..., :wide]
        for pixels in (left, whole[..., ::2], left[:1].expand(2, -1, -1, -1), left[:0]):
            seen = traced(mine, pixels), traced(its, pixels)
            assert all(torch.equal(a, b) for a, b in zip(*seen, strict=True))


@pytest.mark.parametrize("shape", [(2, 8), (0, 8), (8,), (2, 3, 8)])
def test_a_linear_layer_takes_what_a_linear_layer_takes(shape: tuple[int, ...]) -> None:
    layer = nn.Linear(8, 3).requires_grad_(False)
    x = torch.ones(shape)
    torch.testing.assert_close(NativeLinear(layer)(x), layer(x))


def test_room_between_steps_is_that_of_the_widest() -> None:
    pairs = ((3, 40), (40, 5), (5, 16))
    for kink in (NONE, KINKS[nn.ReLU]):
        steps = [Step(nn.Conv2d(*pair, 1).requires_grad_(False), kink) for pair in pairs]
        way = Way(NativeChain(steps)._links, (11, 9))
        assert way.between == 4 * way.together * 11 * 9 * 40
        masked = 0 if kink is NONE else 4 * way.together * 11 * 9 * 16
        assert len(way.room()) >= 2 * way.between + masked


@pytest.mark.parametrize("default", [torch.float64, torch.bfloat16])
def test_the_default_type_is_not_ours(default: torch.dtype) -> None:
    case = Case((3, 3), 1, 1, 1, (1, 8, 8), "relu", False, 2, 5)
    wanted = traced(both(case)[1], case.input())
    torch.set_default_dtype(default)
    try:
        found = traced(both(case)[0], case.input())
    finally:
        torch.set_default_dtype(torch.float32)
    assert all(torch.equal(a, b) for a, b in zip(found, wanted, strict=True))


def test_chains_of_several_threads_do_not_meet() -> None:
    """What lies between steps lies in room of each thread's own."""
    case = Case((3, 3), 1, 1, 1, (1, 16, 16), "relu", True, 6, 5)
    made = NativeChain([Step(case.layer(), KINKS[nn.ReLU]) for _ in range(4)])
    pixels = [case.input() + number for number in range(8)]
    wanted = [traced(made, each) for each in pixels]
    with ThreadPoolExecutor(4) as threads:
        for _ in range(20):
            told = threads.map(partial(traced, made), pixels)
            for found, right in zip(told, wanted, strict=True):
                assert all(torch.equal(a, b) for a, b in zip(found, right, strict=True))


def test_what_a_walk_points_at_is_kept() -> None:
    case = Case((3, 3), 1, 1, 1, (1, 16, 16), "relu", True, 2, 5)
    pixels = case.input()
    wanted = traced(made := NativeChain([Step(case.layer(), KINKS[nn.ReLU])]), pixels)
    windows.cache_clear()
    gc.collect()
    # Were they gone, this would lie in their places.
    others = [np.full(number, -1, np.int64) for number in range(1, 400)]
    found = traced(made, pixels)
    assert others and all(torch.equal(a, b) for a, b in zip(found, wanted, strict=True))


def test_what_the_first_step_cannot_take_is_refused() -> None:
    made = NativeChain([Step(nn.Conv2d(8, 8, 3).requires_grad_(False))])
    for wrong in (
        torch.zeros(4, 1, 9, 9),
        torch.zeros(8, 9, 9),
        torch.zeros(1, 8, 9, 9, dtype=torch.float64),
        torch.zeros(1, 8, 9, 9, device="meta"),
    ):
        with pytest.raises(ValueError, match="pictures are"):
            made(wrong)
    with pytest.raises(ValueError, match="a side is 2 pixels"):
        made(torch.zeros(1, 8, 9, 2))


def test_a_copy_can_be_differentiated_twice() -> None:
    case = Case((3, 3), 1, 1, 1, (1, 8, 8), "relu", True, 2, 5)
    steps = [Step(case.layer()), Step(case.layer(), KINKS[nn.ReLU])]
    pixels = case.input().requires_grad_()
    seen = []
    for module in (NativeChain(steps), deepcopy(NativeChain(steps))):
        seen += torch.autograd.grad(module(pixels).square().sum(), pixels, create_graph=True)
    assert torch.equal(*seen)


def test_behind_a_flat_kink_nothing_is_left_of_any_slope() -> None:
    layer = nn.Conv2d(8, 8, 1, groups=8, bias=False).requires_grad_(False)
    layer.weight.fill_(1)
    made = NativeChain([Step(layer, KINKS[nn.ReLU])])
    pixels = torch.tensor([-1.0, 2, -1, 2, -1, 2, 2, 2]).view(1, 8, 1, 1).requires_grad_()
    slopes = torch.tensor([torch.inf, 1, torch.nan, 1, -torch.inf, 1, 1, 1]).view(1, 8, 1, 1)
    for slowly in (False, True):
        (found,) = torch.autograd.grad(made(pixels), pixels, slopes, create_graph=slowly)
        assert found.flatten().tolist() == [0, 1, 0, 1, 0, 1, 1, 1]


@pytest.mark.parametrize("act", ["relu", "hardtanh"])
def test_what_is_no_number_has_the_same_slope_in_any_place(act: str) -> None:
    """PyTorch's own `hardtanh_backward` has one for most of a tensor and another for its rest."""
    layer = nn.Conv2d(8, 50, 1).requires_grad_(False)
    made = NativeChain([Step(layer, KINKS[ACTS[act]])])
    pixels = torch.full((4, 8, 1, 1), torch.nan)
    together, alone = traced(made, pixels)[1], [traced(made, each)[1] for each in pixels.split(1)]
    assert torch.equal(together.isnan(), torch.cat(alone).isnan()) and together.isnan().all()
    slopes = torch.ones(4, 50, 1, 1)
    for each in (pixels, pixels[:1]):
        each = each.detach().requires_grad_()
        (found,) = torch.autograd.grad(made(each), each, slopes[: len(each)])
        torch.testing.assert_close(found[0, :, 0, 0], layer.weight[:, :, 0, 0].sum(0))


def test_steps_of_two_types_are_no_chain() -> None:
    layers = [nn.Conv2d(8, 8, 1).requires_grad_(False) for _ in range(2)]
    with pytest.raises(ValueError, match="one type"):
        NativeChain([Step(layers[0]), Step(layers[1].bfloat16())])


def test_zeros_that_were_put_into_a_kernel_are_left_out_and_no_others() -> None:
    """What is not finite under a zero that the network has is no number, as in the layer."""
    layer = nn.Conv2d(8, 8, 3, padding=1, groups=8, bias=False).requires_grad_(False)
    layer.weight[:, :, 0], layer.weight[:, :, :, 0] = 0, 0
    pixels = torch.ones(1, 8, 5, 5)
    pixels[0, 3, 1, 1] = torch.inf
    wanted = layer(pixels)
    assert wanted.isnan().sum() == 5
    whole, few = (Step(layer, empty=empty) for empty in (0, 1))
    assert [Link(step, NARROW).ahead.taps for step in (whole, few)] == [9, 4]
    torch.testing.assert_close(NativeChain([whole])(pixels), wanted, equal_nan=True)
    found, known = NativeChain([few])(pixels), ~wanted.isnan()
    assert not found.isnan().any()
    torch.testing.assert_close(found[known], wanted[known])
