"""What is random in training, by address: a function of key, epoch, sample and purpose alone.

So a run that was interrupted goes on with the very numbers it would have drawn, whatever was drawn
before, and a sample's augmentation does not depend on the batch it is in.
"""

from dataclasses import dataclass
from enum import IntEnum

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.special import ndtri
from torch import Tensor

from certify.noise import Gaussian, draw, table
from certify.randomness import words

# Samples of a data set have the low half of a sample number; an epoch has the high one.
EPOCH_BITS = 32
MOST_SAMPLES = 1 << EPOCH_BITS
WHOLE_BATCH = MOST_SAMPLES - 1  # the "sample" of what is drawn once for a batch
# Spaces 0 and 1 of a sample hold the noise of `certify.noise`; the rest is ours.
FIRST_SPACE = 2


class Purpose(IntEnum):
    """What a number is drawn for."""

    ORDER = 0
    CROP = 1
    FLIP = 2
    LEVEL = 3
    START = 4
    COIN = 5
    PICK = 6
    SIGN = 7
    TEACHER = 8
    PARAMETERS = 9


@dataclass(frozen=True)
class Draws:
    """The randomness of one batch. numbers: of its samples in the data set; batch: in its epoch.

    `time` tells apart what is drawn more than once for one purpose.
    """

    key: int
    epoch: int
    batch: int
    numbers: tuple[int, ...]

    def uniform(self, purpose: Purpose, shape: tuple[int, ...], time: int = 0) -> Tensor:
        """Uniform in [0, 1), multiples of 2^-24, float32 (samples, *shape)."""
        bits = self._words(purpose, shape, time) >> np.uint64(40)
        return torch.from_numpy(bits.astype(np.float32) * np.float32(2**-24))

    def within(self, purpose: Purpose, shape: tuple[int, ...], bound: float) -> Tensor:
        """Uniform in [-bound, bound), float32 (samples, *shape)."""
        return bound * (2 * self.uniform(purpose, shape) - 1)

    def normal(self, purpose: Purpose, shape: tuple[int, ...], time: int = 0) -> Tensor:
        """Standard normal, float32 (samples, *shape): the quantile of 53 uniform bits."""
        bits = (self._words(purpose, shape, time) >> np.uint64(11)).astype(np.float64)
        return torch.from_numpy(ndtri((bits + 0.5) * 2.0**-53).astype(np.float32))

    def signs(self, purpose: Purpose, shape: tuple[int, ...]) -> Tensor:
        """-1 or 1 with equal chances, float32 (samples, *shape)."""
        bits = self._words(purpose, shape, 0) >> np.uint64(63)
        return torch.from_numpy(1 - 2 * bits.astype(np.float32))

    def below(self, purpose: Purpose, ends: int, count: int = 1) -> NDArray[np.int64]:
        """Whole numbers in 0 … ends - 1, (samples, count)."""
        drawn = self._words(purpose, (count,), 0) >> np.uint64(32)
        return (drawn * np.uint64(ends) >> np.uint64(32)).astype(np.int64)

    def coin(self) -> bool:
        """Heads or tails for the whole batch, with equal chances."""
        sample = self.epoch << EPOCH_BITS | WHOLE_BATCH
        word = words(self.key, sample, FIRST_SPACE + Purpose.COIN + (self.batch << 8), 1)
        return bool(word[0] >> np.uint64(63))

    def noise(self, scale: float, index: int, shape: tuple[int, ...]) -> NDArray[np.int16]:
        """The whole grey levels that `certify.noise` draws for the index-th sample of the batch.

        Gaussian of this scale in [0, 1] intensity, exactly the noise that certificates draw.
        """
        law = table(Gaussian(scale))
        return draw(law, self.key, self._sample(self.numbers[index]), int(np.prod(shape))).reshape(
            shape
        )

    def _words(self, purpose: Purpose, shape: tuple[int, ...], time: int) -> NDArray[np.uint64]:
        entries, space = int(np.prod(shape)), FIRST_SPACE + purpose + (time << 8)
        drawn = [words(self.key, self._sample(n), space, entries) for n in self.numbers]
        return np.stack(drawn).reshape(len(self.numbers), *shape)

    def _sample(self, number: int) -> int:
        return self.epoch << EPOCH_BITS | number


def order(key: int, epoch: int, samples: int) -> NDArray[np.int64]:
    """The order in which an epoch sees its samples: a permutation of 0 … samples - 1."""
    space = FIRST_SPACE + Purpose.ORDER
    drawn = words(key, epoch << EPOCH_BITS | WHOLE_BATCH, space, samples)
    return np.argsort(drawn, kind="stable")
