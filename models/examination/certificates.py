"""What Affidavit itself proves about a network: of predictions and of explanations."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from certify.certificate import Certificate, certify
from certify.plan import Plan, Question, Recipe
from models.data.dataset import Split
from models.images import digest
from models.loading import Network
from models.sampling import Sampler

RADII = (0.05, 0.1, 0.25)
# Not from 0: a radius of 0 proves nothing, so nothing is to be said there.
FINE = (0.01, *(number / 20 for number in range(1, 21)))
FAILURE = 0.001


@dataclass(frozen=True)
class Curve:
    """The same two shares at radii fine enough to be drawn."""

    radii: tuple[float, ...]
    accuracy: tuple[float, ...]
    overlap: tuple[float, ...]


@dataclass(frozen=True)
class Certified:
    """Means over pictures, all at the card's cell, k and lanes.

    radius: within which the prediction is certified and right, 0 where it is not; ℓ2, [0, 1]
    intensity. accuracy, overlap: for each of `radii` the share of pictures certified and right
    there, and the share of the k reported regions that provably stay, of all pictures. curve: of
    the same certificates.
    """

    pictures: int
    samples: int
    scale: float
    radius: float
    radii: tuple[float, ...]
    accuracy: tuple[float, ...]
    overlap: tuple[float, ...]
    curve: Curve


def certified(network: Network, split: Split, scale: float, samples: int, key: int) -> Certified:
    """Certify map and prediction of every picture of the split, explaining its true class.

    Each picture has noise of its own: its key is `key` plus its number. Failure probability 0.001
    of each certificate, anytime bounds, ℓ2.
    """
    sampler, made = Sampler(network), []
    for number, (picture, label) in enumerate(zip(split.pictures, split.labels, strict=True)):
        made.append(_certificate(sampler, picture, int(label), scale, samples, key + number))
    coarse = _curve(made, RADII)
    return Certified(
        pictures=len(made),
        samples=samples,
        scale=scale,
        radius=float(np.mean([each.prediction.radius for each in made])),
        radii=RADII,
        accuracy=coarse.accuracy,
        overlap=coarse.overlap,
        curve=_curve(made, FINE),
    )


def _curve(made: Sequence[Certificate], radii: tuple[float, ...]) -> Curve:
    reached = np.array([each.prediction.radius for each in made])
    overlaps = [[each.at_least_within(radius) / each.k for radius in radii] for each in made]
    return Curve(
        radii=radii,
        accuracy=tuple(float((reached >= radius).mean()) for radius in radii),
        overlap=tuple(np.mean(overlaps, axis=0).tolist()),
    )


def _certificate(
    sampler: Sampler,
    picture: NDArray[np.uint8],
    label: int,
    scale: float,
    samples: int,
    key: int,
) -> Certificate:
    card = sampler.card
    k = max(1, int(card.defaults.k_fraction * (card.size // card.defaults.cell) ** 2))
    recipe = Recipe("gaussian", 2, scale, "gradient", card.defaults.cell, k, card.lanes, "float32")
    side, image, name = card.size, digest(picture), f"{key:032x}"
    plan = Plan(card.name, card.weights, image, side, side, 3, label, recipe, name)
    evidence = sampler.draw(plan, picture, 0, samples)
    return certify(plan, evidence, Question(k, samples, FAILURE, "anytime", "2"))
