"""Gaussian noise augmentation: trains for the very noise that certificates draw.

Reference: Cohen, Rosenfeld & Kolter (2019), arXiv:1902.02918, section 3.3.
"""

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor
from torch.nn.functional import cross_entropy

from models.training.draws import Purpose
from models.training.lesson import Batch, Outcome
from models.training.pupil import Pupil


@dataclass(frozen=True)
class Noise:
    """Mean cross-entropy under noise.

    scales: standard deviations in [0, 1] intensity; each picture gets one of them by chance, 0
    leaves it as it is. As in certificates, noisy pictures are whole grey levels and not clipped.
    """

    scales: tuple[float, ...] = (0.25,)

    def __post_init__(self) -> None:
        if not self.scales or min(self.scales) < 0:
            raise ValueError(f"scales are {self.scales}; there must be one, and none negative")

    def __call__(self, pupil: Pupil, batch: Batch) -> Outcome:
        """CE(f(x + δ), y), δ ~ N(0, scale²) in whole grey levels."""
        return Outcome(cross_entropy(pupil(self.noisy(batch)), batch.labels))

    def noisy(self, batch: Batch) -> Tensor:
        """The batch's pictures plus noise, each of its own scale, by address."""
        picks = batch.draws.below(Purpose.LEVEL, len(self.scales))[:, 0]
        empty = np.zeros(batch.shape, np.int16)
        noise = [
            batch.draws.noise(scale, index, batch.shape) if scale else empty
            for index, scale in enumerate(self.scales[pick] for pick in picks)
        ]
        return batch.pictures + torch.from_numpy(np.stack(noise)).to(batch.pictures)
