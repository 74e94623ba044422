"""What is known of each decoy that was found. Loads no torch."""

from collections.abc import Iterable
from dataclasses import dataclass, fields
from typing import Any

import numpy as np
from numpy.typing import NDArray

Whole = NDArray[np.int64]


@dataclass(frozen=True, eq=False)
class Records:
    """One entry for each decoy, by rising number.

    numbers: 2·lattice or 2·patch, row by row, plus 0 for s = +1, 1 for s = −1. patches: patches
    that changed; none: a null decoy, the picture itself. repaired: patches in which the search
    ended on a change that broke the constraint, so that another one was taken. gains: Σ
    ((x̃ − x)·s)⁺, l1: Σ |x̃ − x|, linf: max |x̃ − x|, in grey levels. distances: max |F(x̃) − F(x)|,
    checked on the decoy as it is, in the layer's units.
    """

    numbers: Whole
    patches: Whole
    repaired: Whole
    gains: Whole
    l1: Whole
    linf: Whole
    distances: NDArray[np.float64]

    def __len__(self) -> int:
        return len(self.numbers)

    @property
    def null(self) -> int:
        """How many decoys are the picture itself."""
        return int((self.linf == 0).sum())

    @classmethod
    def merged(cls, parts: Iterable["Records"]) -> "Records":
        """All records of disjoint parts; in which order they come makes no difference."""
        known = list(parts)
        order = np.argsort(_joined(known, "numbers"), kind="stable")
        return cls(**{field.name: _joined(known, field.name)[order] for field in fields(cls)})


def _joined(parts: list[Records], name: str) -> NDArray[Any]:
    kind = np.float64 if name == "distances" else np.int64
    return np.concatenate([np.zeros(0, kind), *(getattr(part, name) for part in parts)])
