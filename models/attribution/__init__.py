"""Base attributions by the name a recipe gives: a literal dict, never an import."""

from collections.abc import Callable, Mapping

from torch import Tensor

from models.attribution.gradient import gradient
from models.loading import Network

# network, images (n, height, width, 3), target -> maps (n, height, width), logits (n, classes)
Attribution = Callable[[Network, Tensor, int], tuple[Tensor, Tensor]]
ATTRIBUTIONS: Mapping[str, Attribution] = {"gradient": gradient}
