"""A network whose convolutions take the kinks behind them, and zeros before them, into one step.

The names of layers stay, and what comes out of each; what a step has taken in is nn.Identity. The
weights are those of the network itself, not copies.
"""

import copy
import logging
from itertools import chain
from typing import TypeGuard

import torch
from torch import Tensor, nn

from models.steps import KINKS, NONE, Step, can

# How far gradients may lie apart, of their length: a value near a kink may fall on its other side.
NEAR = {torch.float32: 0.05, torch.bfloat16: 0.3}
_log = logging.getLogger(__name__)


def merged(module: nn.Module, side: int, apart: str | None = None) -> nn.Module:
    """Return the network in steps, for the processor.

    `module` is frozen and takes (n, 3, side, side). The layer named `apart`, whose values somebody
    will look at, is left as it is. Returns `module` itself, and logs why, where the two do not
    agree on a picture, so that nothing rests on oneDNN alone.
    """
    made = _shared(module)
    for path, part in list(made.named_modules()):
        if isinstance(part, nn.Sequential):
            _merge(part, f"{path}." if path else "", apart)
    if not any(isinstance(part, Step) for part in made.modules()):
        return module
    dtype = next(module.parameters()).dtype
    picture = waves(side).to(dtype)
    apart_by = distance(module, made, picture)
    if apart_by <= NEAR[dtype]:
        return made
    _log.warning(
        "Steps of oneDNN and layers of PyTorch differ by %.3g of the gradient in %s, at most %.3g "
        "is usual: the network runs layer by layer, which is slower.",
        apart_by,
        dtype,
        NEAR[dtype],
    )
    return module


def waves(side: int) -> Tensor:
    """A picture (1, 3, side, side) of values from −2 to 2, the same everywhere."""
    values = torch.arange(3 * side * side, dtype=torch.float64).sqrt().sin() * 2
    return values.float().reshape(1, 3, side, side)


def distance(one: nn.Module, other: nn.Module, picture: Tensor) -> float:
    """The larger of the distances of logits and of gradients, as shares of the first's lengths."""
    pairs = zip(_seen(one, picture), _seen(other, picture), strict=True)
    return max(float((a - b).norm() / a.norm()) if a.any() else float(b.norm()) for a, b in pairs)


def _seen(module: nn.Module, picture: Tensor) -> tuple[Tensor, Tensor]:
    """Logits, and the gradient of their squares: of each class by what it weighs."""
    pixels = picture.clone(memory_format=torch.channels_last).requires_grad_()
    with torch.enable_grad():
        logits = module(pixels)
        (slopes,) = torch.autograd.grad(logits.float().square().sum(), pixels)
    return logits.detach().double(), slopes.double()


def _shared(module: nn.Module) -> nn.Module:
    """A copy of the modules over the same tensors."""
    tensors = chain(module.parameters(), module.buffers())
    return copy.deepcopy(module, {id(each): each for each in tensors})


def _merge(sequence: nn.Sequential, path: str, apart: str | None) -> None:
    """Put steps where convolutions are, and identities where what they take in was."""
    layers = [(name, layer) for name, layer in sequence._modules.items() if not _idle(layer)]
    for place, (name, layer) in enumerate(layers):
        if not isinstance(layer, nn.Conv2d) or path + name == apart or not can(layer):
            continue
        before, after = layers[max(0, place - 1)], layers[min(place + 1, len(layers) - 1)]
        kink = KINKS.get(type(after[1]), NONE)
        if kink is not NONE:
            setattr(sequence, after[0], nn.Identity())
        if path + before[0] != apart and _widens(before[1], layer):
            layer = _widened(before[1], layer)
            setattr(sequence, before[0], nn.Identity())
        setattr(sequence, name, Step(layer, kink))


def _idle(layer: nn.Module | None) -> bool:
    return layer is None or isinstance(layer, nn.Identity)


def _widens(zeros: nn.Module | None, layer: nn.Conv2d) -> TypeGuard[nn.ZeroPad2d]:
    """Whether a larger kernel is the quicker way to zeros: it is where channels stay apart."""
    if not isinstance(zeros, nn.ZeroPad2d):
        return False
    left, right, top, bottom = zeros.padding
    fits = (left, right) == (top, bottom) and 0 <= left <= right
    depthwise = layer.groups == layer.in_channels
    return fits and depthwise and layer.padding == (0, 0) and layer.dilation == (1, 1)


def _widened(zeros: nn.ZeroPad2d, layer: nn.Conv2d) -> nn.Conv2d:
    """The convolution with the zeros within: as many in front as behind, and as many more zeros in
    front of the kernel, so that it reaches no further than before."""
    left, right, *_ = zeros.padding
    kernel = nn.functional.pad(layer.weight.detach(), (right - left, 0, right - left, 0))
    made = copy.copy(layer)
    made._parameters = dict(layer._parameters)
    made.weight = nn.Parameter(kernel.contiguous(memory_format=torch.channels_last), False)
    made.kernel_size, made.padding = tuple(kernel.shape[2:]), (right, right)
    return made
