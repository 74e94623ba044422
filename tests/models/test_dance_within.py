"""DANCE inside certificates: decoys of noisy pictures keep the constraint, and all pixels move."""

import numpy as np
import torch
from numpy.typing import NDArray

from models.attribution.gradient import gradient
from models.decoys.within import CAP, TOLERANCE, dance_and_logits, decoys
from models.layers import front
from models.loading import Network


def noisy(digits: NDArray[np.uint8]) -> torch.Tensor:
    rng = np.random.Generator(np.random.Philox(key=4))
    return torch.from_numpy((digits + rng.normal(0, 64, digits.shape)).round()).float()


def test_decoys_of_noisy_pictures_keep_the_layer_and_move_every_pixel_somewhere(
    tiny: Network, digits: NDArray[np.uint8]
) -> None:
    images = noisy(digits)
    found = decoys(tiny, images)
    assert len(found) == 4
    early = front(tiny.module, tiny.card.defaults.layer)
    values = early(tiny.normalised(images)).double().flatten(1)
    limits = TOLERANCE * values.std(dim=1, correction=0)
    could_move = torch.zeros(images.shape[1:], dtype=torch.bool)
    for moved in found:
        reached = (early(tiny.normalised(moved)).double().flatten(1) - values).abs().amax(1)
        assert (reached <= limits).all() and (reached > 0.3 * limits).any()
        change = moved - images
        assert change.abs().max() <= CAP and (change == change.round()).all()
        assert (moved >= images.clamp_max(0)).all() and (moved <= images.clamp_min(255)).all()
        could_move |= (change != 0).any(0)
    assert could_move.all()


def test_the_map_is_the_range_over_the_picture_and_its_decoys(
    tiny: Network, digits: NDArray[np.uint8]
) -> None:
    images = noisy(digits)
    maps, logits = dance_and_logits(tiny, images, 3)
    scores = torch.stack([gradient(tiny, x, 3) for x in (images, *decoys(tiny, images))])
    assert torch.equal(maps, scores.amax(0) - scores.amin(0)) and maps.max() > 0
    assert torch.equal(logits, tiny(images))
