"""Base maps by covering parts of the picture, against slow loops: occlusion and RISE."""

import numpy as np
import torch
from numpy.typing import NDArray

from certify.randomness import words
from models.attribution import rise as rises
from models.attribution.bases import ATTRIBUTIONS
from models.attribution.methods import GRID, KEY, MASKS
from models.loading import Network


def test_occlusion_by_brute_force(tiny: Network, digits: NDArray[np.uint8]) -> None:
    image = torch.from_numpy(digits[6:7]).float()
    total, covered = torch.zeros(16, 16), torch.zeros(16, 16)
    for top in range(0, 13, 2):
        for left in range(0, 13, 2):
            hidden = image.clone()
            hidden[:, top : top + 4, left : left + 4] = 127.5
            total[top : top + 4, left : left + 4] += (tiny(image) - tiny(hidden))[0, 6]
            covered[top : top + 4, left : left + 4] += 1
    found = ATTRIBUTIONS["occlusion"](tiny, image, 6)[0]
    torch.testing.assert_close(found, total / covered, rtol=1e-4, atol=1e-4)


def test_rise_by_a_slow_loop(tiny: Network, digits: NDArray[np.uint8]) -> None:
    image = torch.from_numpy(digits[6:7]).float()
    total, shown = np.zeros((16, 16)), np.zeros((16, 16))
    for number in range(MASKS):
        mask = slow_mask(number)
        picture = 127.5 + torch.from_numpy(mask).float()[:, :, None] * (image - 127.5)
        total += tiny(picture).softmax(1)[0, 6].item() * mask
        shown += mask
    found = ATTRIBUTIONS["rise"](tiny, image, 6)[0].numpy()
    np.testing.assert_allclose(found, total / shown, rtol=1e-4, atol=1e-6)


def slow_mask(number: int) -> NDArray[np.float64]:
    """Bits to 24×24 by linear interpolation between the middles of 3-pixel cells, then cut."""
    bits, shifts = (int(word) for word in words(KEY, number, rises.SPACE, 2))
    grid = np.array([bits >> i & 1 for i in range(GRID * GRID)], float).reshape(GRID, GRID)
    middles = (np.arange(24) + 0.5) * GRID / 24 - 0.5
    rows = np.stack([np.interp(middles, np.arange(GRID), column) for column in grid.T], axis=1)
    large = np.stack([np.interp(middles, np.arange(GRID), row) for row in rows])
    top, left = shifts % 3, (shifts >> 32) % 3
    return large[top : top + 16, left : left + 16]


def test_masks_show_half_of_everything() -> None:
    drawn = rises.masks(224, torch.device("cpu"))
    assert drawn.shape == (MASKS, 224, 224) and drawn.min() >= 0 and drawn.max() <= 1
    assert abs(drawn.mean().item() - 0.5) < 0.01
    # A pixel's mean over 128 fair bits has a deviation of at most 0.5 / √128.
    assert (drawn.mean(0) - 0.5).abs().max() < 5 * 0.5 / MASKS**0.5
    assert len({mask.numpy().tobytes() for mask in drawn}) == MASKS
