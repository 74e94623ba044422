"""Layer-wise relevance propagation: the z⁺ rule in convolutions, gradient times input elsewhere.

Captum's LRP knows neither ReLU6 nor additions, and with rules for both supplied its relevance
overflows on inverted residual networks: it divides by sums of mixed sign. Here every share is of a
sum of equal signs. Relevance is computed as gradient times input of a twin whose layers keep their
values and change their derivatives (Montavon et al. 2019, doi:10.1007/978-3-030-28954-6_10).
"""

from functools import lru_cache

from torch import Tensor, nn

from models.architectures.layers import Sum
from models.attribution.gradient import gradient_of
from models.attribution.targets import Target
from models.attribution.twins import KINKS, twin
from models.loading import Network


def lrp(network: Network, images: Tensor, target: Target) -> Tensor:
    """Return the relevance of each value, (n, height, width, 3) in logits.

    An output z_j of a convolution gives input i the share a_i·w_ij / Σ a_i'·w_i'j, counting
    positive products only; ReLU and ReLU6 pass what they get; an addition x + y shares as |x| to
    |y|; what is linear otherwise shares as it adds. Relevance goes to no bias, and is lost only
    where an output has no positive product at all: else, if the only linear layer is the last, a
    map sums to the target's logit less its bias. Raises Unsupported for networks with other layers.

    Reference: Bach et al. (2015), doi:10.1371/journal.pone.0130140; Montavon et al. (2017),
    arXiv:1512.02479 (z⁺); z⁺ maps depend little on the class: Sixt et al. (2020), arXiv:1912.09818.
    """
    module, normalised = _sharing(network), network.normalised(images)
    slopes, _ = gradient_of(module, normalised, target)
    return (normalised * slopes).permute(0, 2, 3, 1)


class Positive(nn.Module):
    """A convolution that goes backwards by the z⁺ rule."""

    above: Tensor
    below: Tensor

    def __init__(self, layer: nn.Conv2d) -> None:
        super().__init__()
        self.layer = layer
        self.register_buffer("above", layer.weight.clamp(min=0))
        self.register_buffer("below", layer.weight.clamp(max=0))

    def forward(self, x: Tensor) -> Tensor:
        """Return what the convolution returns."""
        shares = self._add(x.clamp(min=0), self.above)
        # Behind a ReLU there is nothing below zero, and half the work is saved.
        if (x < 0).any():
            shares = shares + self._add(x.clamp(max=0), self.below)
        return valued(shares, self.layer(x))

    def _add(self, x: Tensor, weight: Tensor) -> Tensor:
        sums: Tensor = self.layer._conv_forward(x, weight, None)
        return sums


class Passing(nn.Module):
    """A kink that passes its output's relevance to its input."""

    def __init__(self, layer: nn.Module) -> None:
        super().__init__()
        self.layer = layer

    def forward(self, x: Tensor) -> Tensor:
        """Return what the layer returns."""
        return valued(x, self.layer(x.clone()))


class Shared(nn.Module):
    """An addition that shares by magnitude."""

    def forward(self, x: Tensor, y: Tensor) -> Tensor:
        """Return x + y."""
        return valued(x.abs() + y.abs(), x + y)


def valued(shares: Tensor, value: Tensor) -> Tensor:
    """Return `value`, with the derivative of `shares` times value/shares, 0 where shares is 0."""
    ratio = (value / shares.where(shares != 0, 1)).where(shares != 0, 0).detach()
    scaled = shares * ratio
    return scaled + (value - scaled).detach()


@lru_cache(maxsize=8)
def _sharing(network: Network) -> nn.Module:
    return twin(network, _share)


def _share(layer: nn.Module) -> nn.Module | None:
    if isinstance(layer, nn.Conv2d):
        return Positive(layer)
    if isinstance(layer, Sum):
        return Shared()
    return Passing(layer) if isinstance(layer, KINKS) else None
