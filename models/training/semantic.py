"""SPAT: adversarial pictures that lower what all classes share, not what makes one class another.

The objective is not in the text we have; this is the reconstruction V-A of our notes. The inner
maximisation raises the cross-entropy to labels smoothed by s:

    - Σ_k t_k log p_k,  t = (1 - s) e_y + s/K,  slope in logit k: p_k - t_k.

One-hot labels push every rival up, which gives the picture another class's semantics; smoothed ones
push rivals with p_k < s/K down too. The trap: where p_y > t_y the slope of the true class is
positive and the "attack" raises confidence. Such slopes are cut to 0 unless `flips` allows them.
That closes half of the trap: of a picture that the network is sure of, every rival is below s/K and
pushed down, which raises confidence as well. The recipe logs how many pictures that befalls.

Reference: Lee, Lee & Lee (2020), arXiv:2009.10978 (abstract); the rest is reconstructed.
"""

from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn.functional import one_hot

from models.attacks.maps import Logits
from models.training.ascent import Values


@dataclass(frozen=True)
class Smoothing:
    """How the inner maximisation's labels are smoothed. share: s; flips: leave the trap open."""

    share: float = 0.2
    flips: bool = False

    def __post_init__(self) -> None:
        if not 0 <= self.share < 1:
            raise ValueError(f"share is {self.share}; it must lie in [0, 1)")

    def targets(self, labels: Tensor, classes: int) -> Tensor:
        """t, (n, classes): rows add up to 1."""
        return (1 - self.share) * one_hot(labels, classes).float() + self.share / classes


def slopes(logits: Tensor, labels: Tensor, smoothing: Smoothing) -> Tensor:
    """p - t, the slope of the smoothed cross-entropy in each logit, (n, classes).

    That of the true class is cut to 0 from above unless `smoothing.flips`.
    """
    steep = logits.softmax(dim=1) - smoothing.targets(labels, logits.shape[1])
    if smoothing.flips:
        return steep
    own = one_hot(labels, logits.shape[1]).bool()
    return torch.where(own, steep.clamp(max=0), steep)


def flipped(logits: Tensor, labels: Tensor, smoothing: Smoothing) -> Tensor:
    """Where an uncut step would raise the true class: p_y > t_y, bool (n,)."""
    own = labels.unsqueeze(1)
    targets = smoothing.targets(labels, logits.shape[1])
    return (logits.softmax(dim=1) > targets).gather(1, own).squeeze(1)


def shared_evidence(logits: Logits, labels: Tensor, smoothing: Smoothing) -> Values:
    """What SPAT's inner maximisation climbs: Σ_k c_k z_k with c = `slopes`, held fixed.

    Its gradient in the picture is that of the smoothed cross-entropy, with flips cut. Its value
    means nothing.
    """

    def values(pictures: Tensor) -> Tensor:
        seen = logits(pictures)
        return (slopes(seen.detach(), labels, smoothing) * seen).sum(dim=1)

    return values
