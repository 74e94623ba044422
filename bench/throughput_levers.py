"""What makes a pass faster, one lever at a time, for docs/throughput.md. Not used in the product.

Each is a network of the same weights, layer by layer or in steps of oneDNN; `Network` itself runs
as native code.
"""

import copy
from collections.abc import Callable
from contextlib import ExitStack
from functools import partial
from pathlib import Path
from typing import Any
from unittest.mock import patch

import torch
from torch import Tensor, nn

from models import steps
from models.attribution.gradient import gradient_of
from models.loading import Network
from models.merging import merged

Pass = Callable[[Tensor], object]


class Contiguous(nn.Module):
    """Values in the layout that PyTorch makes by itself: channel by channel."""

    def forward(self, x: Tensor) -> Tensor:
        """Return x, laid out so."""
        return x.contiguous()


class Turned(nn.Module):
    """A convolution of stride 1 whose input gradient is a convolution with the turned kernel."""

    def __init__(self, layer: nn.Conv2d) -> None:
        super().__init__()
        self.layer, self.back = layer, steps.turned(layer.weight.detach(), layer.groups)

    def forward(self, x: Tensor) -> Tensor:
        """Return what the convolution returns."""
        y: Tensor = _Turn.apply(x, self.layer, self.back)  # type: ignore[no-untyped-call]
        return y


class _Turn(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, x: Tensor, layer: nn.Conv2d, back: Tensor) -> Tensor:
        ctx.layer, ctx.back = layer, back
        y: Tensor = layer._conv_forward(x, layer.weight, layer.bias)
        return y

    @staticmethod
    def backward(ctx: Any, *slopes: Tensor) -> tuple[Tensor, None, None]:
        layer = ctx.layer
        around = [k - 1 - p for k, p in zip(layer.kernel_size, layer.padding, strict=True)]
        found = torch.nn.functional.conv2d(slopes[0], ctx.back, None, 1, around, 1, layer.groups)
        return found, None, None


def other(network: Network, module: nn.Module) -> Network:
    """The network with another module in its place."""
    made = copy.copy(network)
    made.module = made.merged = module
    return made


def by_onednn(network: Network) -> Network | None:
    """The network in steps of oneDNN alone; None where it has none of this precision here."""
    made, card = copy.copy(network), network.card
    made.merged = merged(network.module, card.size, card.cam_layer, native=False)
    return None if made.merged is network.module else made


def turned(module: nn.Module) -> nn.Module:
    """A copy in which every convolution of stride 1 is Turned."""
    made = copy.deepcopy(module)
    for part in list(made.modules()):
        for name, child in part.named_children():
            if isinstance(child, nn.Conv2d) and child.stride == (1, 1):
                setattr(part, name, Turned(child))
    return made


def convolutions(network: Network, noisy: Tensor, target: int) -> list[Callable[[], Tensor]]:
    """oneDNN's convolutions of one gradient in order, there and back, each on the tensors it had.

    Raises ValueError for a network that does not run in steps of oneDNN.
    """
    calls: list[Callable[[], Tensor]] = []

    def remembering(function: Callable[..., Tensor]) -> Callable[..., Tensor]:
        def remember(*given: Any) -> Tensor:
            calls.append(partial(function, *given))
            return function(*given)

        return remember

    with ExitStack() as stack:
        for name in ("_convolve", "conv2d_input"):
            watched = remembering(getattr(steps, name))
            stack.enter_context(patch.object(steps, name, watched))
        gradient_of(network, noisy, target)
    if not calls:
        raise ValueError(f"{network.card.name} has no steps of oneDNN; it must run in them")
    return calls


def compiled(network: Network, noisy: Tensor, target: int, package: Path) -> Pass:
    """Gradient and logits as one graph, traced and compiled ahead of time for this many pictures.

    Takes a minute and a C++ compiler; the package is kept.
    """
    from torch._inductor import aoti_compile_and_package, aoti_load_package
    from torch.fx.experimental.proxy_tensor import make_fx

    if not package.exists():

        def both(pixels: Tensor) -> tuple[Tensor, Tensor]:
            return gradient_of(network, pixels, target)

        graph = make_fx(both)(noisy)
        with torch.no_grad():
            exported = torch.export.export(graph, (noisy,))
        # Weights are constants, laid out once as the kernels want them.
        aoti_compile_and_package(
            exported, package_path=str(package), inductor_configs={"freezing": True}
        )
    run = aoti_load_package(str(package))

    def see(pixels: Tensor) -> object:
        with torch.no_grad():
            return run(pixels)

    return see
