"""Base attributions by the name a recipe gives: a literal dict, never an import."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType

import torch
from torch import Tensor

from models.attribution.grad_cam import grad_cam, grad_cam_and_logits
from models.attribution.gradient import (
    gradient,
    gradient_of,
    input_x_gradient,
    input_x_gradient_and_logits,
)
from models.attribution.guided import guided_backprop
from models.attribution.occlusion import occlusion
from models.attribution.paths import integrated_gradients
from models.attribution.relevance import lrp
from models.attribution.rise import rise
from models.attribution.smoothing import (
    relaxed_smoothgrad,
    smoothgrad,
    sparsified_smoothgrad,
    squared_smoothgrad,
)
from models.attribution.targets import Target
from models.decoys.within import dance, dance_and_logits
from models.loading import Network

Maps = Callable[[Network, Tensor, Target], Tensor]
MapsAndLogits = Callable[[Network, Tensor, Target], tuple[Tensor, Tensor]]


@dataclass(frozen=True)
class Attribution:
    """A way to explain one class. `at_once` is the way to maps and logits in one pass, if any."""

    maps: Maps
    at_once: MapsAndLogits | None = None

    def __call__(self, network: Network, images: Tensor, target: Target) -> Tensor:
        """Return signed maps (n, height, width, 3), or (n, height, width) where it has no channels.

        `images` is float32 (n, height, width, 3) on 0..255; `target` is a class, or one for each of
        them, (n,) int64. Every pass through the network has n pictures, so that a map is the same
        whatever n is cut from and whatever the others are about (docs/invariance.md).
        """
        return self.maps(network, images, target)

    def with_logits(
        self, network: Network, images: Tensor, target: Target
    ) -> tuple[Tensor, Tensor]:
        """Return the maps and the logits (n, classes) of the very images."""
        if self.at_once is not None:
            return self.at_once(network, images, target)
        with torch.no_grad():
            logits = network(images)
        return self.maps(network, images, target), logits


ATTRIBUTIONS: Mapping[str, Attribution] = MappingProxyType(
    {
        "gradient": Attribution(gradient, gradient_of),
        "input_x_gradient": Attribution(input_x_gradient, input_x_gradient_and_logits),
        "integrated_gradients": Attribution(integrated_gradients),
        "smoothgrad": Attribution(smoothgrad),
        "squared_smoothgrad": Attribution(squared_smoothgrad),
        "sparsified_smoothgrad": Attribution(sparsified_smoothgrad),
        "relaxed_smoothgrad": Attribution(relaxed_smoothgrad),
        "guided_backprop": Attribution(guided_backprop),
        "grad_cam": Attribution(grad_cam, grad_cam_and_logits),
        "lrp": Attribution(lrp),
        "occlusion": Attribution(occlusion),
        "rise": Attribution(rise),
        "dance": Attribution(dance, dance_and_logits),
    }
)
