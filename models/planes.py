"""The planes of a network's last layer with a place in the picture, and what the logits owe them.

Grad-CAM and its kin look no further back than that layer. So nothing is remembered of the way
there, and the whole costs little more than a prediction.
"""

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from models.attribution.twins import Unsupported
from models.loading import Network


@dataclass(frozen=True, eq=False)
class Planes:
    """Values A of the card's `cam_layer`, (n, channels, h, w), and the pass that they came from.

    All float32, whatever the network computed in.

    slopes: ∂ chosen / ∂ A, of the same shape. logits: (n, classes).
    """

    values: Tensor
    slopes: Tensor
    logits: Tensor


def planes(
    network: Network, images: Tensor, chosen: Callable[[Tensor], Tensor], asked_by: str
) -> Planes:
    """Return the planes of one pass, and the slopes of chosen(logits), (n,), in them.

    `images` is float32 (n, height, width, 3) on 0..255. Raises Unsupported where the card names no
    layer, in the name of the method that asked.
    """
    name = network.card.cam_layer
    if name is None:
        rule = "its card must name the layer of Grad-CAM as cam_layer"
        raise Unsupported(f"{asked_by} on {network.card.name}: {rule}")
    seen: list[Tensor] = []

    def start_here(module: nn.Module, inputs: tuple[Tensor, ...], output: Tensor) -> Tensor:
        seen.append(output.detach().requires_grad_())
        return seen[0]

    handle = network.merged.get_submodule(name).register_forward_hook(start_here)
    try:
        with torch.enable_grad():
            logits = network(images.detach())
            (slopes,) = torch.autograd.grad(chosen(logits).sum(), seen[0])
    finally:
        handle.remove()
    return Planes(seen[0].detach().float(), slopes.float(), logits.detach())
