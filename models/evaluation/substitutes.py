"""What a deleted pixel is replaced by: two pictures that hold as little as possible of another."""

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter


def mean(picture: NDArray[np.uint8]) -> NDArray[np.float32]:
    """The picture whose every pixel is the mean pixel, (height, width, 3) on 0..255."""
    average = picture.mean(axis=(0, 1), dtype=np.float64)
    return np.broadcast_to(average.astype(np.float32), picture.shape)


def blurred(picture: NDArray[np.uint8], deviation: float) -> NDArray[np.float32]:
    """The picture under a Gaussian blur of this standard deviation in pixels, edges continued.

    Petsiuk et al. insert into a blur of 5 pixels at 224×224, because sharp borders of uniform
    patches are evidence of their own.
    """
    smooth = gaussian_filter(picture.astype(np.float64), (deviation, deviation, 0), mode="nearest")
    return np.asarray(smooth, dtype=np.float32)
