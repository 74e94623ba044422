"""Regularizers of attributions: RAR's norms, and the contrast and weight terms CACR and WACR.

All maps are integrated gradients (`models.training.paths`), from black or from the clean picture.
The text of the paper behind CACR and WACR was not at hand beyond its abstract; formulas are those
of the authors' released code (shared notes, section 2.1).

Reference: Chen et al. (2019), arXiv:1905.09957 (RAR); Sarkar, Sarkar & Balasubramanian (2021),
"Enhanced regularizers for attributional robustness", AAAI (CACR, WACR).
"""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn.functional import one_hot

from models.attacks.maps import Logits
from models.training.adversarial import losses
from models.training.ascent import Values
from models.training.paths import along


@dataclass(frozen=True)
class Maps:
    """What CACR and WACR compare; all of the pictures' shape.

    base: integrated gradients of p_y from black to the clean picture. change: of log p_y from the
    clean to the perturbed picture. true, rival: of p_y, and of the largest other probability at
    each point of the path, from black to the perturbed picture.
    """

    base: Tensor
    change: Tensor
    true: Tensor
    rival: Tensor


def maps(
    logits: Logits,
    clean: Tensor,
    there: Tensor,
    labels: Tensor,
    steps: int,
    parameters: Sequence[Tensor],
) -> Maps:
    """The four maps for pictures `clean` and the perturbed ones `there`."""
    black, own = torch.zeros_like(clean), own_probability(logits, labels)
    return Maps(
        base=along(own, black, clean, steps, parameters),
        change=-along(losses(logits, labels), clean, there, steps, parameters),
        true=along(own, black, there, steps, parameters),
        rival=along(rival_probability(logits, labels), black, there, steps, parameters),
    )


def own_probability(logits: Logits, labels: Tensor) -> Values:
    """The softmax probability of each picture's label."""
    return lambda pictures: (
        logits(pictures).softmax(dim=1).gather(1, labels.unsqueeze(1)).squeeze(1)
    )


def rival_probability(logits: Logits, labels: Tensor) -> Values:
    """The largest softmax probability of any other class, chosen anew for each picture asked."""

    def values(pictures: Tensor) -> Tensor:
        probabilities = logits(pictures).softmax(dim=1)
        own = one_hot(labels, probabilities.shape[1]).bool()
        return probabilities.masked_fill(own, -1).amax(dim=1)

    return values


def cacr(true: Tensor, rival: Tensor, gain: float = 1.0) -> Tensor:
    """KL(U ‖ P_rival) - KL(U ‖ P_true) of each picture, (n,): low where the true map is peaked.

    P is the softmax over pixels of `gain` times a map summed over channels, U the uniform
    distribution. Equals the mean over pixels of log P_true - log P_rival. Computed from logarithms,
    so it is finite for any map; the released code takes the logarithm of a softmax.

    The released code has no gain, that is 1. A map of a probability sums to 1 at most, so with m
    pixels its values are near 1/m, softmaxes are flat, and the term is near 0 whatever the maps
    are: about gain²/2 times the difference of the maps' variances.
    """
    return (_log_softmax(gain * true) - _log_softmax(gain * rival)).mean(dim=1)


def wacr(base: Tensor, change: Tensor) -> Tensor:
    """Σ B·D where the signs of base B and change D agree, plus Σ |D| where not, (n,).

    Weights what the perturbation changes by how much it matters, and all of it where it turns what
    matters around. Nowhere negative. Jumps where a value of B crosses 0, as released.
    """
    agree = torch.sign(base) == torch.sign(change)
    return torch.where(agree, base * change, change.abs()).flatten(1).sum(dim=1)


def changed(
    logits: Logits,
    clean: Tensor,
    labels: Tensor,
    steps: int,
    parameters: Sequence[Tensor] = (),
) -> Values:
    """‖IG of the cross-entropy from the clean picture to the one asked‖₁ of each, (n,)."""

    def values(pictures: Tensor) -> Tensor:
        moved = along(losses(logits, labels), clean, pictures, steps, parameters)
        return moved.abs().flatten(1).sum(dim=1)

    return values


def ig_norm_aim(logits: Logits, clean: Tensor, labels: Tensor, steps: int) -> Values:
    """What the attack of RAR's IG-NORM climbs: the ℓ1 norm of the change of attribution.

    At the clean picture itself it is 0 and its slope is, too: start elsewhere.
    """
    return changed(logits, clean, labels, steps)


def ig_sum_norm_aim(
    logits: Logits, clean: Tensor, labels: Tensor, steps: int, weight: float
) -> Values:
    """What the attack of IG-SUM-NORM climbs, CACR and WACR's too: CE + weight · that norm."""
    loss, norm = losses(logits, labels), changed(logits, clean, labels, steps)
    return lambda pictures: loss(pictures) + weight * norm(pictures)


def _log_softmax(signed: Tensor) -> Tensor:
    return signed.sum(dim=3).flatten(1).log_softmax(dim=1)
