"""What some decoys contribute to a map, and their merging. Loads no torch."""

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from models.decoys.records import Records


@dataclass(frozen=True, eq=False)
class Part:
    """What some decoys contribute: the largest and smallest score of each value of the picture.

    highest, lowest: float32 (side, side, 3), −∞ and ∞ where there is no decoy yet.
    """

    highest: NDArray[np.float32]
    lowest: NDArray[np.float32]
    records: Records

    @classmethod
    def merged(cls, parts: Iterable["Part"]) -> "Part":
        """All of these parts, one at least; in which order they come makes no difference."""
        known = list(parts)
        return cls(
            np.maximum.reduce([part.highest for part in known]),
            np.minimum.reduce([part.lowest for part in known]),
            Records.merged(part.records for part in known),
        )

    @property
    def range(self) -> NDArray[np.float64]:
        """Z, float64 (side, side, 3); 0 where no decoy has been seen."""
        apart = self.highest.astype(np.float64) - self.lowest
        return np.where(np.isfinite(apart), apart, 0.0)
