"""How many pictures a network reads right, as they are and after attacks on the prediction."""

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from models.data.dataset import Split
from models.loading import Network
from models.training.adversarial import losses
from models.training.ascent import WHITE, Ball, ascend
from models.training.draws import Draws, Purpose

BATCH = 128


@dataclass(frozen=True)
class Pgd:
    """How hard PGD tries. bound, length: ℓ∞ grey levels; restarts: random starts."""

    bound: float = 8.0
    length: float = 2.0
    steps: int = 20
    restarts: int = 2


class NoAutoAttack(RuntimeError):
    """The package that has AutoAttack is not installed."""


def right(network: Network, split: Split) -> NDArray[np.bool_]:
    """Which pictures the network reads right, (n,)."""
    return np.concatenate([_right(network, *each) for each in _batches(network, split)])


def right_after_pgd(network: Network, split: Split, pgd: Pgd, key: int) -> NDArray[np.bool_]:
    """Which pictures the network reads right as they are and at the end of every restart, (n,).

    Random starts are a function of key, picture and restart, so more restarts never leave more
    right. Pictures under attack need not be 8-bit.

    Reference: Madry et al. (2018), arXiv:1706.06083.
    """
    ball, left = Ball(pgd.bound, pgd.length, pgd.steps), right(network, split)
    for restart in range(pgd.restarts):
        ends = []
        for number, (pictures, labels) in enumerate(_batches(network, split)):
            numbers = range(number * BATCH, number * BATCH + len(pictures))
            draws = Draws(key, restart, 0, tuple(numbers))
            shape = tuple(pictures.shape[1:])
            start = draws.within(Purpose.START, shape, pgd.bound).to(pictures)
            there = ascend(losses(network, labels), pictures, start, ball)
            ends.append(_right(network, there, labels))
        left = left & np.concatenate(ends)
    return left


def right_after_autoattack(
    network: Network, split: Split, bound: float, seed: int, fast: bool = False
) -> NDArray[np.bool_]:
    """Which pictures the network reads right after AutoAttack, (n,).

    The standard version of the authors' package: APGD on cross-entropy, targeted APGD on DLR,
    targeted FAB, and Square. For fewer than ten classes targets are fewer; fast: the first attack
    alone, which is not AutoAttack. Raises NoAutoAttack where the package is not installed.

    Reference: Croce & Hein (2020), arXiv:2003.01690.
    """
    try:
        from pyautoattack import AutoAttack
    except ImportError:
        rule = "pip install --no-deps pyautoattack==0.2.0, or leave AutoAttack out"
        raise NoAutoAttack(f"AutoAttack is not installed; {rule}") from None

    def logits(planes: Tensor) -> Tensor:
        return network(planes.permute(0, 2, 3, 1) * WHITE)

    version = {"version": "custom", "attacks": ["apgd-ce"]} if fast else {"version": "standard"}
    attack = AutoAttack(logits, eps=bound / WHITE, device=network.device, seed=seed, **version)
    targets = min(9, len(network.card.classes) - 1)
    attack.apgd_targeted.n_target_classes = attack.fab.n_target_classes = targets
    planes = torch.from_numpy(split.pictures).to(network.device).permute(0, 3, 1, 2) / WHITE
    truth = torch.from_numpy(split.labels).to(network.device)
    ends = attack.run_standard_evaluation(planes.contiguous(), truth, batch_size=BATCH)
    there = (ends[0] if isinstance(ends, tuple) else ends).permute(0, 2, 3, 1) * WHITE
    return right(network, split) & _right(network, there, truth)


def _batches(network: Network, split: Split) -> list[tuple[Tensor, Tensor]]:
    device = network.device
    return [
        (
            torch.from_numpy(split.pictures[first : first + BATCH]).to(device, torch.float32),
            torch.from_numpy(split.labels[first : first + BATCH]).to(device),
        )
        for first in range(0, len(split), BATCH)
    ]


def _right(network: Network, pictures: Tensor, labels: Tensor) -> NDArray[np.bool_]:
    with torch.no_grad():
        found: NDArray[np.bool_] = (network(pictures).argmax(dim=1) == labels).cpu().numpy()
    return found
