"""Which base maps can be computed in which precision of the network, and why not. Loads no torch.

A network in another precision is another function, so a precision is part of a recipe and never
chosen in silence. In each of them a sample is the same bits in any place of a batch and beside any
others (tested), as certificates need.
"""

from collections.abc import Mapping
from types import MappingProxyType

from certify.plan import PRECISIONS

FLOAT32, TF32 = "float32", "tf32"
FLOAT32_ONLY: Mapping[str, str] = MappingProxyType(
    {
        "dance": "decoys are found by how little a layer's values move, less than few bits resolve",
        "lrp": "shares are quotients of sums, which overflow in few bits",
    }
)


def reason(attribution: str, precision: str) -> str | None:
    """Why this base map cannot be computed in this precision; None if it can."""
    return None if precision == FLOAT32 else FLOAT32_ONLY.get(attribution)


def precisions(attribution: str) -> tuple[str, ...]:
    """The precisions that this base map can be computed in."""
    return tuple(name for name in PRECISIONS if reason(attribution, name) is None)
