"""What Affidavit itself proves about a network: of predictions and of explanations."""

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
FAILURE = 0.001


@dataclass(frozen=True)
class Certified:
    """Means over pictures, all at the card's cell, k and lanes.

    radius: within which the prediction is certified and right, 0 where it is not; ℓ2, [0, 1]
    intensity. accuracy, overlap: for each of `radii` the share of pictures certified and right
    there, and the share of the k reported regions that provably stay, of all pictures.
    """

    pictures: int
    samples: int
    scale: float
    radius: float
    radii: tuple[float, ...]
    accuracy: tuple[float, ...]
    overlap: tuple[float, ...]


def certified(network: Network, split: Split, scale: float, samples: int, key: int) -> Certified:
    """Certify map and prediction of every picture of the split, explaining its true class.

    Each picture has noise of its own: its key is `key` plus its number. Failure probability 0.001
    of each certificate, anytime bounds, ℓ2.
    """
    sampler, made = Sampler(network), []
    for number, (picture, label) in enumerate(zip(split.pictures, split.labels, strict=True)):
        made.append(_certificate(sampler, picture, int(label), scale, samples, key + number))
    radii = np.array([each.prediction.radius for each in made])
    overlaps = [[each.at_least_within(radius) / each.k for radius in RADII] for each in made]
    return Certified(
        pictures=len(made),
        samples=samples,
        scale=scale,
        radius=float(radii.mean()),
        radii=RADII,
        accuracy=tuple(float((radii >= radius).mean()) for radius in RADII),
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
