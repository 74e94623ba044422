"""CACR and WACR on top of the attack of RAR's IG-SUM-NORM.

As in the released code the two terms are not part of the attack's aim. There loss and terms are
summed over the batch; here both are means, so their ratio is the same.

Reference: Sarkar, Sarkar & Balasubramanian (2021), "Enhanced regularizers for attributional
robustness", AAAI.
"""

from dataclasses import dataclass

from torch.nn.functional import cross_entropy

from models.training.attributional import cacr, maps, wacr
from models.training.lesson import Batch, Outcome
from models.training.pupil import Pupil
from models.training.recipes.rar import Rar


@dataclass(frozen=True)
class Contrast:
    """CE(f(x'), y) + weight · (CACR + WACR).

    cacr, wacr: which of the terms count. gain: of maps before CACR's softmaxes; 1, as released,
    leaves them flat. points: of the four paths; attack_points: of the attack's. bound, length: ℓ∞
    grey levels.
    """

    cacr: bool = True
    wacr: bool = True
    gain: float = 1.0
    weight: float = 0.1
    points: int = 10
    attack_points: int = 3
    bound: float = 8.0
    length: float = 2.0
    steps: int = 7

    def __call__(self, pupil: Pupil, batch: Batch) -> Outcome:
        """The loss, with both terms logged whether they count or not."""
        attack = Rar(
            True,
            self.weight,
            self.points,
            self.attack_points,
            self.bound,
            self.length,
            self.steps,
        )
        there = attack.attacked(pupil, batch)
        loss = cross_entropy(pupil(there), batch.labels)
        seen = maps(pupil.calm, batch.pictures, there, batch.labels, self.points, pupil.parameters)
        contrast = cacr(seen.true, seen.rival, self.gain).mean()
        weighted = wacr(seen.base, seen.change).mean()
        terms = self.cacr * contrast + self.wacr * weighted
        said = {"cross_entropy": loss, "cacr": contrast, "wacr": weighted}
        return Outcome(loss + self.weight * terms, said)
