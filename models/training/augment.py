"""Crops and flips, for pictures and what is annotated on them alike."""

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray

from models.training.draws import Draws, Purpose


@dataclass(frozen=True)
class Augmentation:
    """pad: pixels by which pictures may move each way; flip: whether left may become right."""

    pad: int = 0
    flip: bool = False

    def __call__(self, pictures: NDArray[np.uint8], draws: Draws) -> NDArray[np.uint8]:
        """Pictures (n, height, width, channels), moved and flipped by the draws of their samples.

        What comes in from outside is 0. The same draws do the same to any other array of this size.
        """
        moved = _cropped(pictures, self.pad, draws) if self.pad else pictures
        return _flipped(moved, draws) if self.flip else moved


def _cropped(pictures: NDArray[np.uint8], pad: int, draws: Draws) -> NDArray[np.uint8]:
    height, width = pictures.shape[1:3]
    wide = np.pad(pictures, ((0, 0), (pad, pad), (pad, pad), (0, 0)))
    corners = draws.below(Purpose.CROP, 2 * pad + 1, 2)
    views = zip(wide, corners, strict=True)
    return np.stack([each[top : top + height, left : left + width] for each, (top, left) in views])


def _flipped(pictures: NDArray[np.uint8], draws: Draws) -> NDArray[np.uint8]:
    heads = draws.below(Purpose.FLIP, 2)[:, 0].astype(bool)
    return np.where(heads[:, None, None, None], pictures[:, :, ::-1], pictures)


def tensor(pictures: NDArray[np.uint8], device: torch.device) -> torch.Tensor:
    """float32 on the device, values unchanged."""
    return torch.from_numpy(np.ascontiguousarray(pictures)).to(device, torch.float32)
