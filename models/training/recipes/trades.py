"""TRADES: clean cross-entropy plus how far the prediction moves at worst.

Reference: Zhang et al. (2019), arXiv:1901.08573.
"""

from dataclasses import dataclass

from torch import Tensor

from models.training.adversarial import away, trades
from models.training.ascent import WHITE, Ball, ascend
from models.training.draws import Purpose
from models.training.lesson import Batch, Outcome
from models.training.pupil import Pupil

# Of the random start: at the clean picture the divergence is flat. As in the authors' code.
START_SCALE = 0.001


@dataclass(frozen=True)
class Trades:
    """CE + weight · KL. bound, length: ℓ∞ grey levels; weight: 1/λ of the paper."""

    bound: float = 8.0
    length: float = 2.0
    steps: int = 10
    weight: float = 6.0

    def __call__(self, pupil: Pupil, batch: Batch) -> Outcome:
        """CE(f(x), y) + weight · KL(f(x) ‖ f(x')), x' = argmax of the divergence in the ball."""
        there = self.attacked(pupil, batch)
        return Outcome(trades(pupil(batch.pictures), pupil(there), batch.labels, self.weight))

    def attacked(self, pupil: Pupil, batch: Batch) -> Tensor:
        """x', found against the network as in use (batch norms constant)."""
        noise = batch.draws.normal(Purpose.START, batch.shape).to(batch.pictures)
        climbed = away(pupil.calm, pupil.calm(batch.pictures))
        start = START_SCALE * WHITE * noise
        return ascend(climbed, batch.pictures, start, Ball(self.bound, self.length, self.steps))
