"""One pass through a network from input that lies ready, for any base map.

Whoever writes noisy pictures can write them normalised: it is one way through memory instead of
three, and the bits are the same (tested).
"""

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

from models.attribution.bases import ATTRIBUTIONS
from models.attribution.grad_cam import grad_cam_and_logits
from models.attribution.gradient import gradient_of
from models.loading import FLOATS, Network


@dataclass(frozen=True, eq=False)
class Pass:
    """From input and targets, (n,) int64, to signed maps and logits, bit for bit as the base map's
    `with_logits`.

    Input is (n, 3, height, width) of `dtype` in channels-last memory. It holds `Network.normalised`
    of pictures where mean and std are the card's, and pictures where they are 0 and 1.
    """

    network: Network
    dtype: torch.dtype
    mean: tuple[float, ...]
    std: tuple[float, ...]
    run: Callable[[Tensor, Tensor], tuple[Tensor, Tensor]]


class Front(Network):
    """A network whose pictures are normalised already: (n, height, width, 3) of what
    `Network.normalised` gives."""

    def __init__(self, network: Network) -> None:
        self.card, self.device, self.merged = network.card, network.device, network.merged
        self.precision = network.precision

    def normalised(self, images: Tensor) -> Tensor:
        """Return the very values, (n, 3, height, width)."""
        return images.permute(0, 3, 1, 2)


def passing(network: Network, attribution: str) -> Pass:
    """Return the pass of this base map: from normalised input where the base map asks nothing of a
    picture but what the network sees of it, else from pictures."""
    card = network.card
    if attribution in _PAST_NORMALISATION:
        past, front = _PAST_NORMALISATION[attribution], Front(network)
        std = torch.tensor(card.std, dtype=torch.float32, device=network.device)

        def run(given: Tensor, targets: Tensor) -> tuple[Tensor, Tensor]:
            with network.arithmetic():
                return past(front, given.permute(0, 2, 3, 1), targets, std)

        return Pass(network, FLOATS[network.precision], card.mean, card.std, run)
    whole = ATTRIBUTIONS[attribution]

    def run_whole(given: Tensor, targets: Tensor) -> tuple[Tensor, Tensor]:
        with network.arithmetic():
            return whole.with_logits(network, given.permute(0, 2, 3, 1), targets)

    nothing, one = (0.0,) * len(card.mean), (1.0,) * len(card.std)
    return Pass(network, torch.float32, nothing, one, run_whole)


def _gradient(front: Front, given: Tensor, targets: Tensor, std: Tensor) -> tuple[Tensor, Tensor]:
    """Slopes in grey levels, by the division that autograd would make of normalisation's."""
    slopes, logits = gradient_of(front, given, targets)
    return slopes.float() / std, logits


def _grad_cam(front: Front, given: Tensor, targets: Tensor, _: Tensor) -> tuple[Tensor, Tensor]:
    """It looks no further back than the card's layer."""
    return grad_cam_and_logits(front, given, targets)


_PAST_NORMALISATION: dict[str, Callable[[Front, Tensor, Tensor, Tensor], tuple[Tensor, Tensor]]] = {
    "gradient": _gradient,
    "grad_cam": _grad_cam,
}
