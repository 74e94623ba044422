"""A picture from a file, and the plan that a model card's defaults make of it."""

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from certify.plan import AttributionName, Plan, Recipe
from models.images import digest, read
from models.registry import Card
from models.sampling import Sampler

LARGEST_PICTURE = 1 << 26


def fitted(file: Path, card: Card) -> NDArray[np.uint8]:
    """The picture in a file as the card's network sees it. Raises BadImage."""
    return read(file.read_bytes(), card, max_pixels=LARGEST_PICTURE)


def planned(
    sampler: Sampler, file: Path, scale: float, key: str, attribution: AttributionName = "gradient"
) -> tuple[NDArray[np.uint8], Plan]:
    """The fitted picture, and a plan about the class predicted for it. Votes are rounded down."""
    card = sampler.card
    picture = fitted(file, card)
    cell, side = card.defaults.cell, card.size
    votes = int(card.defaults.vote_fraction * (side // cell) ** 2)
    recipe = Recipe("gaussian", 2, scale, attribution, cell, votes, card.lanes, "float32")
    target, image = sampler.look(picture).target, digest(picture)
    return picture, Plan(card.name, card.weights, image, side, side, 3, target, recipe, key)
