"""SPAT, as reconstructed: adversarial training whose inner maximisation has smoothed labels.

Reference: Lee, Lee & Lee (2020), arXiv:2009.10978; see `models.training.semantic` for what of it
is a reconstruction.
"""

from dataclasses import dataclass

from torch import Tensor, no_grad
from torch.nn.functional import cross_entropy

from models.training.adversarial import losses, trades
from models.training.ascent import Ball, ascend
from models.training.lesson import Batch, Outcome
from models.training.pupil import Pupil
from models.training.recipes.pgd import started
from models.training.semantic import Smoothing, flipped, shared_evidence

COMPANIONS = ("pgd", "trades")


@dataclass(frozen=True)
class Spat:
    """Cross-entropy, or the loss of TRADES, at pictures that lower what classes share.

    smoothing: s of the inner labels; flips: leave the sign of the true class's slope as it comes.
    companion: the outer loss. bound, length: ℓ∞ grey levels; weight: of the divergence with TRADES.
    Logged: `flipped`, the share of pictures where an uncut step at the clean picture would raise
    the true class, and `reassured`, of those that the network is surer of after the attack.
    """

    smoothing: float = 0.2
    flips: bool = False
    companion: str = "pgd"
    bound: float = 8.0
    length: float = 2.0
    steps: int = 10
    weight: float = 6.0

    def __post_init__(self) -> None:
        if self.companion not in COMPANIONS:
            rule = f"it must be one of {', '.join(COMPANIONS)}"
            raise ValueError(f"companion is {self.companion!r}; {rule}")
        Smoothing(self.smoothing)

    def __call__(self, pupil: Pupil, batch: Batch) -> Outcome:
        """CE(f(x'), y), or CE(f(x), y) + weight · KL(f(x) ‖ f(x'))."""
        there = self.attacked(pupil, batch)
        said = self._traps(pupil, batch, there)
        if self.companion == "trades":
            clean = pupil(batch.pictures)
            return Outcome(trades(clean, pupil(there), batch.labels, self.weight), said)
        return Outcome(cross_entropy(pupil(there), batch.labels), said)

    def attacked(self, pupil: Pupil, batch: Batch) -> Tensor:
        """x', from a random start, against the network as in use."""
        climbed = shared_evidence(pupil.calm, batch.labels, self._smoothing)
        ball = Ball(self.bound, self.length, self.steps)
        return ascend(climbed, batch.pictures, started(batch, self.bound), ball)

    @property
    def _smoothing(self) -> Smoothing:
        return Smoothing(self.smoothing, self.flips)

    def _traps(self, pupil: Pupil, batch: Batch, there: Tensor) -> dict[str, Tensor]:
        surer = losses(pupil.calm, batch.labels)
        with no_grad():
            seen = pupil.calm(batch.pictures)
            reassured = surer(there) < surer(batch.pictures)
        would = flipped(seen, batch.labels, self._smoothing)
        return {"flipped": would.float().mean(), "reassured": reassured.float().mean()}
