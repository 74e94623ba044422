"""What decoys are compared with: other pictures, as many and as far from the original, and other
ways to make one map of many.

A range grows with the number of maps and with the distance of the pictures, so every control has
the decoys' number and, picture by picture, one of their sizes.
"""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from certify.randomness import words

Pictures = NDArray[np.uint8]

# Address spaces of what is random here; a sample is one picture of one control.
LEVELS_SPACE, SIGNS_SPACE, ORDER_SPACE = 32, 33, 34
MOST_PICTURES = 1 << 20
LARGEST_CHANGE = 127  # grey levels: from any value of 0..255 one of both directions has that room


@dataclass(frozen=True)
class Arm:
    """One way to a map: of which pictures the base maps are, and how they become one."""

    name: str
    source: str
    aggregation: str
    title: str


ARMS = (
    Arm("dance", "decoys", "range", "decoys, range (DANCE)"),
    Arm("decoys_mean", "decoys", "mean", "decoys, mean"),
    Arm("decoys_deviation", "decoys", "deviation", "decoys, standard deviation"),
    Arm("bounded_range", "bounded", "range", "noise of equal ℓ∞, range"),
    Arm("scattered_range", "scattered", "range", "noise of equal ℓ1 and ℓ∞, range"),
    Arm("constant_range", "constant", "range", "mean colour in the decoys' places, range"),
    Arm("plain", "plain", "mean", "base map alone"),
)


def sources(picture: Pictures, decoys: Pictures, key: int, number: int) -> Mapping[str, Pictures]:
    """The pictures of every source by name: (m, height, width, 3), m as many as decoys; plain: 1.

    number: of the picture, part of the address of what is random.
    """
    return {
        "decoys": decoys,
        "bounded": bounded(picture, decoys, key, number),
        "scattered": scattered(picture, decoys, key, number),
        "constant": constant(picture, decoys),
        "plain": picture[None],
    }


def bounded(picture: Pictures, decoys: Pictures, key: int, number: int) -> Pictures:
    """Noise with each decoy's ℓ∞ size c: uniform over −c … c, turned inwards at 0 and 255."""
    made = []
    for sample, change in _changes(picture, decoys, number):
        largest = int(np.abs(change).max())
        levels = words(key, sample, LEVELS_SPACE, change.size) % np.uint64(2 * largest + 1)
        noise = levels.astype(np.int64).reshape(change.shape) - largest
        made.append(_turned(picture, noise))
    return np.stack(made)


def scattered(picture: Pictures, decoys: Pictures, key: int, number: int) -> Pictures:
    """Each decoy's own changes in a random order with random signs, turned inwards at 0 and 255.

    So it has the decoy's ℓ1, ℓ2 and ℓ∞ size exactly.
    """
    made = []
    for sample, change in _changes(picture, decoys, number):
        order = np.argsort(words(key, sample, ORDER_SPACE, change.size), kind="stable")
        signs = 1 - 2 * (words(key, sample, SIGNS_SPACE, change.size) % np.uint64(2)).astype(int)
        noise = np.abs(change).ravel()[order] * signs
        made.append(_turned(picture, noise.reshape(change.shape)))
    return np.stack(made)


def constant(picture: Pictures, decoys: Pictures) -> Pictures:
    """Every pixel that a decoy changed in any channel set to the picture's mean colour."""
    mean = np.rint(picture.mean(axis=(0, 1))).astype(np.uint8)
    moved = (decoys != picture).any(axis=3, keepdims=True)
    return np.where(moved, mean, picture)


def _changes(
    picture: Pictures, decoys: Pictures, number: int
) -> list[tuple[int, NDArray[np.int64]]]:
    """For each decoy the number of its sample and its change in grey levels."""
    if len(decoys) > MOST_PICTURES:
        raise ValueError(f"decoys are {len(decoys)}; at most {MOST_PICTURES} have addresses")
    changes = decoys.astype(np.int64) - picture
    if np.abs(changes).max(initial=0) > LARGEST_CHANGE:
        raise ValueError(f"a decoy moves a value by more than {LARGEST_CHANGE} grey levels")
    return [(number * MOST_PICTURES + index, change) for index, change in enumerate(changes)]


def _turned(picture: Pictures, noise: NDArray[np.int64]) -> Pictures:
    """The picture plus noise, whose sign is turned where the sum would leave 0…255."""
    there = picture + noise
    outside = (there < 0) | (there > 255)
    return np.where(outside, picture - noise, there).astype(np.uint8)
