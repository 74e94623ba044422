"""RAR: robust attribution regularization, in its two practical forms.

Reference: Chen et al. (2019), arXiv:1905.09957.
"""

from dataclasses import dataclass

from torch import Tensor
from torch.nn.functional import cross_entropy

from models.training.ascent import Ball, ascend
from models.training.attributional import changed, ig_norm_aim, ig_sum_norm_aim
from models.training.lesson import Batch, Outcome
from models.training.pupil import Pupil
from models.training.recipes.pgd import started


@dataclass(frozen=True)
class Rar:
    """A loss plus weight · ‖integrated gradients of the cross-entropy from x to x'‖₁.

    sum_norm: False is IG-NORM, whose loss is that of the clean pictures and whose attack climbs the
    norm alone; True is IG-SUM-NORM, with the loss at x', and both climbed. points: of the path in
    training; attack_points: in the attack. bound, length: ℓ∞ grey levels.
    """

    sum_norm: bool = True
    weight: float = 0.1
    points: int = 10
    attack_points: int = 3
    bound: float = 8.0
    length: float = 2.0
    steps: int = 7

    def __call__(self, pupil: Pupil, batch: Batch) -> Outcome:
        """CE(f(x), y) or CE(f(x'), y), plus weight · mean of the norm."""
        there = self.attacked(pupil, batch)
        clean, labels = batch.pictures, batch.labels
        norm = changed(pupil.calm, clean, labels, self.points, pupil.parameters)(there).mean()
        loss = cross_entropy(pupil(there if self.sum_norm else clean), labels)
        return Outcome(loss + self.weight * norm, {"cross_entropy": loss, "norm": norm})

    def attacked(self, pupil: Pupil, batch: Batch) -> Tensor:
        """x', from a random start, against the network as in use."""
        clean, labels, points = batch.pictures, batch.labels, self.attack_points
        climbed = (
            ig_sum_norm_aim(pupil.calm, clean, labels, points, self.weight)
            if self.sum_norm
            else ig_norm_aim(pupil.calm, clean, labels, points)
        )
        ball = Ball(self.bound, self.length, self.steps)
        return ascend(climbed, clean, started(batch, self.bound), ball)
