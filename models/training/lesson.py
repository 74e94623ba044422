"""What a recipe is: from a network and a batch to a loss, and what there is to say about it."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Protocol

from torch import Tensor

from models.training.draws import Draws
from models.training.pupil import Pupil


class Lacking(ValueError):
    """The data do not have what the recipe needs."""


@dataclass(frozen=True, eq=False)
class Batch:
    """Augmented pictures (n, height, width, 3) on 0..255 and labels (n,).

    saliency: what is annotated, (n, height, width, 1): 1 inside, -1 outside, all 0 in pictures
    without an annotation; None where the data have none. draws: the batch's randomness.
    """

    pictures: Tensor
    labels: Tensor
    draws: Draws
    saliency: Tensor | None = None

    @property
    def shape(self) -> tuple[int, ...]:
        """Of one picture: height, width, 3."""
        return tuple(self.pictures.shape[1:])


@dataclass(frozen=True, eq=False)
class Outcome:
    """The mean loss of a batch, to be minimised, and numbers to be logged by name."""

    loss: Tensor
    said: Mapping[str, Tensor] = field(default_factory=dict)


class Recipe(Protocol):
    """How to train: a frozen dataclass of parameters with one method."""

    def __call__(self, pupil: Pupil, batch: Batch) -> Outcome:
        """The loss of this batch, differentiable with respect to the pupil's parameters."""
