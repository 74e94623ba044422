"""A network as the function of pictures that fidelity and curves ask for."""

import numpy as np
import torch
from numpy.typing import NDArray

from models.evaluation.fidelity import Score
from models.loading import Network


def log_probability(network: Network, target: int) -> Score:
    """The logarithm of the softmax probability of class `target`, for any number of pictures.

    Computed from the logits, so it is finite however small the probability. The network always sees
    the card's `lanes` pictures at once, the last batch padded, so that values do not depend on how
    many are asked for together.
    """

    def score(pictures: NDArray[np.float32]) -> NDArray[np.float64]:
        lanes = network.card.lanes
        batches = (pictures[first : first + lanes] for first in range(0, len(pictures), lanes))
        return np.concatenate([_logarithms(network, batch, target) for batch in batches])

    return score


def _logarithms(
    network: Network, pictures: NDArray[np.float32], target: int
) -> NDArray[np.float64]:
    full = np.zeros((network.card.lanes, *pictures.shape[1:]), np.float32)
    full[: len(pictures)] = pictures
    with torch.no_grad():
        logits = network(torch.from_numpy(full).to(network.device)).double()
    values: NDArray[np.float64] = logits.log_softmax(dim=1)[: len(pictures), target].cpu().numpy()
    return values
