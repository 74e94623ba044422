"""Standard training: cross-entropy of the pictures as they are."""

from dataclasses import dataclass

from torch.nn.functional import cross_entropy

from models.training.lesson import Batch, Outcome
from models.training.pupil import Pupil


@dataclass(frozen=True)
class Standard:
    """Mean cross-entropy. The baseline of every other recipe."""

    def __call__(self, pupil: Pupil, batch: Batch) -> Outcome:
        """CE(f(x), y)."""
        return Outcome(cross_entropy(pupil(batch.pictures), batch.labels))
