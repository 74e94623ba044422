"""Base maps as an attack on a smoothed map climbs them: of the twin, every kink rounded.

Each takes noisy pictures (n, height, width, 3) that a slope is wanted of, and gives magnitudes
(n, height, width) from which it can be had.
"""

from collections.abc import Callable

import torch
from torch import Tensor, nn
from torch.nn.functional import interpolate, softplus

from models.attacks.twin import smooth_twin
from models.loading import Network

SoftMap = Callable[[Tensor], Tensor]


def soft_map(network: Network, attribution: str, target: int, sharpness: float) -> SoftMap:
    """The base map of this name, about `target`. Raises ValueError for a name not in SOFT_MAPS."""
    if attribution not in SOFT_MAPS:
        known = ", ".join(SOFT_MAPS)
        raise ValueError(f"attribution {attribution!r} cannot be climbed; known are {known}")
    return SOFT_MAPS[attribution](network, smooth_twin(network.module, sharpness), target)


def gradient(network: Network, twin: nn.Module, target: int) -> SoftMap:
    """Largest absolute slope over channels."""

    def soft(pixels: Tensor) -> Tensor:
        logits = twin(network.normalised(pixels))
        (slope,) = torch.autograd.grad(logits[:, target].sum(), pixels, create_graph=True)
        return slope.abs().amax(dim=3)

    return soft


def grad_cam(network: Network, twin: nn.Module, target: int) -> SoftMap:
    """As `models.attribution.grad_cam`, its positive part a softplus, in units of the mean size.

    Else a place that no sample gives anything would have no slope, and could not be raised.
    """
    name = network.card.cam_layer
    if name is None:
        raise ValueError(f"{network.card.name} names no layer of Grad-CAM; its card must")
    layer = twin.get_submodule(name)

    def soft(pixels: Tensor) -> Tensor:
        seen: list[Tensor] = []
        handle = layer.register_forward_hook(lambda *passed: seen.append(passed[2]))
        logits = twin(network.normalised(pixels))
        handle.remove()
        (slopes,) = torch.autograd.grad(logits[:, target].sum(), seen[0], create_graph=True)
        signed = (slopes.mean(dim=(2, 3), keepdim=True) * seen[0]).sum(dim=1, keepdim=True)
        unit = signed.detach().abs().mean(dim=(2, 3), keepdim=True).clamp_min(1e-30)
        return interpolate(softplus(signed / unit) * unit, pixels.shape[1:3], mode="bilinear")[:, 0]

    return soft


SOFT_MAPS: dict[str, Callable[[Network, nn.Module, int], SoftMap]] = {
    "gradient": gradient,
    "grad_cam": grad_cam,
}
