"""Native code at the edges of memory: it reads and writes what a walk says, and nothing else."""

from contextlib import ExitStack

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from models.native.chain import NativeChain
from models.native.compiling import WIDE, available
from models.native.way import Way
from models.steps import KINKS, Step
from tests.models.convolutions import Case
from tests.models.edges import Edge

pytestmark = pytest.mark.skipif(not available(), reason="this processor has no fused operation")


@pytest.mark.parametrize("channels", [(1, 3, 5), (8, 1, 1), (1, 16, 16)])
def test_nothing_is_read_or_written_beyond_the_pictures(channels: tuple[int, int, int]) -> None:
    """What comes in and what goes out end where the process may not go."""
    case = Case((3, 3), 1, 1, 1, channels, "relu", True, 2, 5)
    within_edges(
        NativeChain([Step(case.layer(), KINKS[nn.ReLU])], WIDE),
        *led(nn.Sequential(case.layer(), nn.ReLU()), case.input()),
    )


@pytest.mark.parametrize("held", [1, 1 << 19])
def test_nor_beyond_the_room_between_steps(held: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """Pictures one by one and together; the widest values lie between, and the last are wide."""
    monkeypatch.setattr("models.native.way.HELD", held)
    widths = ((1, 3, 40), (1, 40, 8), (1, 8, 8), (1, 8, 24))
    layers = [Case((1, 1), 1, 0, 1, each, "relu", True, 2, 5).layer() for each in widths]
    steps = [Step(layer, KINKS[nn.ReLU]) for layer in layers]
    module = nn.Sequential(*(part for layer in layers for part in (layer, nn.ReLU())))
    pixels = Case((1, 1), 1, 0, 1, widths[0], "relu", True, 2, 5).input()
    within_edges(NativeChain(steps), *led(module, pixels))


@pytest.mark.parametrize("held", [1, 1 << 19])
def test_values_held_in_two_bytes_lie_where_those_of_each_picture_alone_do(
    held: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As for matrices of bfloat16, which this processor need not have."""
    monkeypatch.setattr("models.native.way.HELD", held)
    monkeypatch.setattr("models.native.matrices.available", lambda: True)
    monkeypatch.setattr("models.native.matrices.chunk", lambda depth: None)
    widths = ((1, 3, 16), (16, 1, 1), (1, 16, 24))
    cases_ = [Case((3, 3), 1, 1, 1, each, "relu", True, 3, 5) for each in widths]
    made = NativeChain([Step(case.layer().bfloat16(), KINKS[nn.ReLU]) for case in cases_])
    assert made._links[0].held == torch.bfloat16
    pixels = cases_[0].input().bfloat16()
    alone = [led(made, each) for each in pixels.split(1)]
    within_edges(made, *(torch.cat([each[part] for each in alone]) for part in range(3)))


def led(module: nn.Module, pixels: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Pixels, values, and the slopes in pixels of the values' sum."""
    pixels = pixels.detach().requires_grad_()
    values = module(pixels)
    (slopes,) = torch.autograd.grad(values, pixels, torch.ones_like(values))
    return pixels.detach(), values.detach(), slopes


def within_edges(made: NativeChain, pixels: Tensor, values: Tensor, slopes: Tensor) -> None:
    """The chain computes these, there and back, in arrays with nothing behind them."""
    many, way = len(pixels), Way(made._links, (pixels.shape[2], pixels.shape[3]))
    most = min(many, way.together) * values[0].nbytes
    arrays = (
        (pixels.numel(), in_memory(pixels).dtype.type),
        (values.numel(), in_memory(values).dtype.type),
        (many * way.starts[-1], np.uint8),
        (2 * way.between + most, np.uint8),
    )
    with ExitStack() as stack:
        before, behind, bits, room = (stack.enter_context(Edge(*each)) for each in arrays)
        addresses = [each.address for each in (before, behind, bits, room)]
        before.values[:] = in_memory(pixels)
        way.ahead(many)(*addresses)
        assert np.array_equal(behind.values, in_memory(values))
        ones = behind.values[:] = in_memory(torch.ones_like(values))
        way.back(many)(*addresses)
        assert np.array_equal(before.values, in_memory(slopes))
        assert np.array_equal(behind.values, ones)


def in_memory(pictures: Tensor) -> np.ndarray:  # type: ignore[type-arg]
    """Values as they lie, channel by channel of pixel by pixel; of two bytes each as numbers."""
    flat = pictures.permute(0, 2, 3, 1).flatten()
    return (flat.view(torch.int16) if flat.itemsize == 2 else flat).numpy()
