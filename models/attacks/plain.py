"""Sign ascent against a plain map, within an ℓ∞ ball of 8-bit pictures.

Climbs an aim of `models.attacks.aims` on a smooth twin of the network and judges every iterate as
what it would be in earnest: rounded to 8 bits, on the network itself. The best one counts, from
whichever restart, and only if the network still predicts the same class.

Reference: Ghorbani, Abid & Zou (2019), arXiv:1710.10547, algorithm 1.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from certify.randomness import words
from models.attacks.aims import Aim
from models.attacks.maps import Logits, Scores
from models.attacks.smoothed import FIRST_SAMPLE
from models.attacks.twin import smooth_twin
from models.loading import Network

# Spaces 0 and 1 hold the noise of samples; random starts come after them.
FIRST_SPACE = 2


@dataclass(frozen=True)
class Strength:
    """How hard to try. length: of a step, in grey levels; sharpness: of the twin.

    restarts: how often to begin; the first at the picture itself, others at random points of the
    ball.
    """

    steps: int = 40
    length: float = 1.0
    restarts: int = 2
    sharpness: float = 20.0

    def __post_init__(self) -> None:
        for name in ("steps", "length", "restarts", "sharpness"):
            if not getattr(self, name) > 0:
                raise ValueError(f"{name} is {getattr(self, name)}; it must be positive")


@dataclass(frozen=True)
class Found:
    """The best picture of one attack. value: its aim on the network itself.

    clean: the aim of the picture attacked, never above value. restart, step: where it was found;
    step 0 of restart 0 is the clean picture, which is returned where nothing was better.
    """

    picture: NDArray[np.uint8]
    value: float
    clean: float
    restart: int = 0
    step: int = 0


@dataclass(frozen=True)
class Victim:
    """A network and the map of it that is attacked."""

    network: Network
    scores: Scores


def attack(
    victim: Victim,
    pictures: NDArray[np.uint8],
    targets: Sequence[int],
    aims: Sequence[Aim],
    bound: int,
    strength: Strength,
    key: int,
    numbers: Sequence[int] | None = None,
) -> list[Found]:
    """For each picture the one that serves its aim best, no value further away than `bound`.

    pictures: (n, height, width, 3), attacked together; targets, aims: the explained class and the
    aim of each. bound: whole grey levels. Random starts are a function of key, of the picture's
    number (0 … n − 1 unless given) and of the restart. More restarts never give a worse value: each
    runs the same whatever the others, and the best of all is kept. Raises ValueError for a bound
    that is not in 1…255.
    """
    if not 1 <= bound <= 255:
        raise ValueError(f"bound is {bound}; it must be a whole number of grey levels in 1..255")
    clean = torch.from_numpy(pictures).to(victim.network.device, torch.float32)
    numbers = range(len(pictures)) if numbers is None else numbers
    climb = _Climb(victim, clean, torch.tensor(list(targets), device=clean.device), aims, bound)
    best = climb.judged(clean, 0, 0, None)
    for restart in range(strength.restarts):
        start = _random_start(pictures.shape, key, numbers, restart, bound).to(clean)
        best = climb.run(start, restart, strength, best)
    return best


def _random_start(
    shape: tuple[int, ...], key: int, numbers: Sequence[int], restart: int, bound: int
) -> Tensor:
    """Whole grey levels, uniform in −bound … bound, by address."""
    entries, space = int(np.prod(shape[1:])), FIRST_SPACE + restart
    drawn = [words(key, FIRST_SAMPLE + number, space, entries) for number in numbers]
    levels = np.stack(drawn) % np.uint64(2 * bound + 1)
    return torch.from_numpy(levels.astype(np.int64).reshape(shape) - bound)


class _Climb:
    """What stays the same over all restarts and steps of one attack."""

    def __init__(
        self, victim: Victim, clean: Tensor, targets: Tensor, aims: Sequence[Aim], bound: int
    ) -> None:
        self.network, self.scores = victim.network, victim.scores
        self.clean, self.targets, self.aims, self.bound = clean, targets, aims, bound
        self.predictions = self._predictions(clean)

    def run(
        self, start: Tensor, restart: int, strength: Strength, best: list[Found]
    ) -> list[Found]:
        """The best after one more restart."""
        twin = smooth_twin(self.network.module, strength.sharpness)
        change = self._inside(start) if restart else torch.zeros_like(self.clean)
        for step in range(1, strength.steps + 1):
            slope = self._slope(lambda x: twin(self.network.normalised(x)), change)
            # At the very start some aims are flat: leave it in a random direction.
            flat = (slope == 0).flatten(1).all(dim=1)
            slope[flat] = start[flat]
            change = self._inside(change + strength.length * slope.sign())
            best = self.judged(self.clean + change.round(), restart, step, best)
        return best

    def judged(
        self, images: Tensor, restart: int, step: int, best: list[Found] | None
    ) -> list[Found]:
        """The best of before, replaced where an image is better and predicted the same."""
        with torch.no_grad():
            values = self._values(self.network, images).tolist()
        pictures = images.to(torch.uint8).cpu().numpy()
        if best is None:
            return [Found(p, v, v) for p, v in zip(pictures, values, strict=True)]
        kept = (self._predictions(images) == self.predictions).tolist()
        return [
            Found(picture, value, old.clean, restart, step) if same and value > old.value else old
            for picture, value, same, old in zip(pictures, values, kept, best, strict=True)
        ]

    def _slope(self, logits: Logits, change: Tensor) -> Tensor:
        """The ascent direction in picture space, each picture's own."""
        images = (self.clean + change).requires_grad_()
        with torch.enable_grad():
            value = self._values(logits, images).sum()
            if not value.requires_grad:  # the gradient of a linear network is the same everywhere
                return torch.zeros_like(images)
            (slope,) = torch.autograd.grad(value, images)
        return slope

    def _values(self, logits: Logits, images: Tensor) -> Tensor:
        scores = self.scores(logits, images, self.targets).flatten(1)
        shares = scores / scores.sum(dim=1, keepdim=True).clamp_min(1e-30)
        return torch.stack([aim(row[None]) for aim, row in zip(self.aims, shares, strict=True)])

    def _predictions(self, images: Tensor) -> Tensor:
        with torch.no_grad():
            return self.network(images).argmax(dim=1)

    def _inside(self, change: Tensor) -> Tensor:
        """The change, cut to the ball and to pictures of 0…255."""
        cut = change.clamp(-self.bound, self.bound)
        return (self.clean + cut).clamp(0, 255) - self.clean
