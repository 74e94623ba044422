"""Adversarial training by projected gradient ascent.

Reference: Madry et al. (2018), arXiv:1706.06083.
"""

from dataclasses import dataclass

from torch import Tensor
from torch.nn.functional import cross_entropy

from models.training.adversarial import losses
from models.training.ascent import Ball, ascend
from models.training.draws import Purpose
from models.training.lesson import Batch, Outcome
from models.training.pupil import Pupil


@dataclass(frozen=True)
class Pgd:
    """Cross-entropy at the pictures that raise it most. bound, length: ℓ∞ grey levels."""

    bound: float = 8.0
    length: float = 2.0
    steps: int = 10

    def __call__(self, pupil: Pupil, batch: Batch) -> Outcome:
        """CE(f(x'), y), x' = argmax CE in the ball, from a random start."""
        return Outcome(cross_entropy(pupil(self.attacked(pupil, batch)), batch.labels))

    def attacked(self, pupil: Pupil, batch: Batch) -> Tensor:
        """x', found against the network as in use (batch norms constant)."""
        ball, climbed = self.ball, losses(pupil.calm, batch.labels)
        return ascend(climbed, batch.pictures, started(batch, self.bound), ball)

    @property
    def ball(self) -> Ball:
        """Where the attack looks."""
        return Ball(self.bound, self.length, self.steps)


def started(batch: Batch, bound: float) -> Tensor:
    """A random start for each picture: uniform in the ball, by address."""
    return batch.draws.within(Purpose.START, batch.shape, bound).to(batch.pictures)
