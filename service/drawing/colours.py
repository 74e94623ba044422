"""The colour scale of maps: night blue, violet, coral, cream, each lighter than the one before.

Lightness alone carries the order, so that it survives a grey printer and colour-blind eyes; hue
runs along blue to yellow, which red-green blindness leaves intact. Colours are laid out in OKLab
(Björn Ottosson, "A perceptual color space for image processing", 2020).
"""

from functools import cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

# Lightness (0 to 1), chroma, hue (degrees) at equal steps.
ANCHORS = np.array(
    [
        [0.20, 0.045, 275.0],
        [0.36, 0.115, 290.0],
        [0.52, 0.165, 325.0],
        [0.68, 0.165, 385.0],
        [0.83, 0.125, 432.0],
        [0.97, 0.060, 455.0],
    ]
)
STEPS = 1024

_LAB_TO_CONES = np.array(
    [
        [1.0, 0.3963377774, 0.2158037573],
        [1.0, -0.1055613458, -0.0638541728],
        [1.0, -0.0894841775, -1.2914855480],
    ]
)
_CONES_TO_RGB = np.array(
    [
        [4.0767416621, -3.3077115913, 0.2309699292],
        [-1.2684380046, 2.6097574011, -0.3413193965],
        [-0.0041960863, -0.7034186147, 1.7076147010],
    ]
)
_LUMA = np.array([0.2126, 0.7152, 0.0722])


def colours(values: NDArray[np.floating]) -> NDArray[np.float64]:
    """sRGB in 0..255, shape (…, 3), of values in [0, 1]."""
    index = np.rint(np.clip(values, 0.0, 1.0) * (STEPS - 1)).astype(np.intp)
    return np.asarray(_scale()[index])


def luminance(rgb: NDArray[np.uint8] | NDArray[np.float64]) -> NDArray[np.float64]:
    """Relative luminance in [0, 1] of sRGB values in 0..255 (ITU-R BT.709)."""
    linear = _bytes()[rgb] if rgb.dtype == np.uint8 else _decode(rgb)
    return np.asarray(linear @ _LUMA)


def grey(photo: NDArray[np.uint8]) -> NDArray[np.float64]:
    """The photo without colour, 0..255, equal in all three channels."""
    encoded = _encode(luminance(photo)) * 255.0
    return np.repeat(encoded[..., np.newaxis], 3, axis=-1)


@cache
def _bytes() -> NDArray[np.float64]:
    """What each of the 256 values of a byte decodes to."""
    return _decode(np.arange(256.0))


@cache
def _scale() -> NDArray[np.float64]:
    at = np.linspace(0.0, len(ANCHORS) - 1.0, STEPS)
    light, chroma, hue = (np.interp(at, range(len(ANCHORS)), column) for column in ANCHORS.T)
    angle = np.radians(hue)
    lab = np.stack([light, chroma * np.cos(angle), chroma * np.sin(angle)], axis=1)
    return _encode(np.clip((lab @ _LAB_TO_CONES.T) ** 3 @ _CONES_TO_RGB.T, 0.0, 1.0)) * 255.0


def _decode(values: NDArray[Any]) -> NDArray[np.float64]:
    share = np.asarray(values, dtype=np.float64) / 255.0
    return np.where(share <= 0.04045, share / 12.92, ((share + 0.055) / 1.055) ** 2.4)


def _encode(linear: NDArray[np.float64]) -> NDArray[np.float64]:
    low = linear * 12.92
    return np.where(
        linear <= 0.0031308, low, 1.055 * np.maximum(linear, 0.0031308) ** (1 / 2.4) - 0.055
    )
