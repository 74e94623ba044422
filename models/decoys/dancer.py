"""DANCE of one network, bit by bit: what a worker does between two messages."""

from dataclasses import dataclass
from itertools import chain

import numpy as np
from numpy.typing import NDArray

from models import images
from models.decoys.dance import base, contribution
from models.decoys.finding import Finder
from models.decoys.part import Part
from models.decoys.search import Search
from models.loading import Network

Picture = NDArray[np.uint8]


@dataclass(frozen=True, eq=False)
class Outlook:
    """What a search will give. count: of decoys. deviation: standard deviation of the layer's
    values at the picture; limit: how far a decoy's may be from them, in the same units. pictures:
    the first decoys, uint8 (n, side, side, 3)."""

    count: int
    deviation: float
    limit: float
    pictures: Picture


class Dancer:
    """Finds decoys and takes ranges over them; goes on with the last search where it is the same.

    Every method raises ValueError where picture, target, layer or range are not of this network.
    """

    def __init__(self, network: Network) -> None:
        self._network = network
        self._last: tuple[str, Search, Finder] | None = None

    def outlook(self, image: Picture, search: Search, shown: int) -> Outlook:
        """What a search will give, with the first `shown` decoys."""
        finder = self._finder(image, search)
        found = [decoys.pictures for decoys in finder.find(0, min(shown, finder.count))]
        pictures = np.array(list(chain.from_iterable(found)), np.uint8)
        return Outlook(
            finder.count, finder.deviation, finder.limit, pictures.reshape(-1, *image.shape)
        )

    def part(
        self, image: Picture, target: int, search: Search, base_map: str, start: int, stop: int
    ) -> Part:
        """What the decoys from place `start` to `stop` contribute to the map of class `target`."""
        classes = len(self._network.card.classes)
        if not 0 <= target < classes:
            raise ValueError(f"target is {target}; it must be a class index below {classes}")
        finder = self._finder(image, search)
        return contribution(self._network, finder, base(base_map), target, start, stop)

    def _finder(self, image: Picture, search: Search) -> Finder:
        if search.layer not in self._network.card.layers:
            known = ", ".join(self._network.card.layers)
            raise ValueError(f"layer is {search.layer!r}; it must be one of {known}")
        name = images.digest(image)
        if self._last is None or self._last[:2] != (name, search):
            self._last = name, search, Finder(self._network, image, search)
        return self._last[2]
