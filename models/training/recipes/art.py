"""ART: attributional robustness by the alignment of gradient and picture.

Reference: Singh et al. (2020), arXiv:1911.13073; see `models.training.alignment`.
"""

from dataclasses import dataclass

from torch import Tensor
from torch.nn.functional import cross_entropy

from models.training.alignment import alignment, angles, hardest, largest, misalignment
from models.training.ascent import Ball, ascend
from models.training.lesson import Batch, Outcome
from models.training.pupil import Pupil
from models.training.recipes.pgd import started


@dataclass(frozen=True)
class Art:
    """CE(f(x'), y) + weight · alignment of the harder of x and x'.

    k: values that the attack looks at; sharpness: of the twin whose gradients are aligned. bound,
    length: ℓ∞ grey levels.
    """

    weight: float = 0.5
    k: int = 1000
    sharpness: float = 50.0
    bound: float = 8.0
    length: float = 5.0
    steps: int = 3

    def __call__(self, pupil: Pupil, batch: Batch) -> Outcome:
        """The loss; the alignment term is logged."""
        smooth, labels = pupil.smooth(self.sharpness), batch.labels
        there = self.attacked(pupil, batch)
        pair = angles(smooth, batch.pictures, labels), angles(smooth, there, labels)
        aligned = alignment(hardest(*pair)).mean()
        loss = cross_entropy(pupil(there), labels)
        return Outcome(loss + self.weight * aligned, {"cross_entropy": loss, "alignment": aligned})

    def attacked(self, pupil: Pupil, batch: Batch) -> Tensor:
        """x', from a random start, against the smooth twin."""
        smooth, clean, labels = pupil.smooth(self.sharpness), batch.pictures, batch.labels
        climbed = misalignment(smooth, labels, largest(smooth, clean, labels, self.k))
        ball = Ball(self.bound, self.length, self.steps)
        return ascend(climbed, clean, started(batch, self.bound), ball)
